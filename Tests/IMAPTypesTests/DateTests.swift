import IMAPTypes
import Testing

@Suite struct DateTests {
    /// Day after day, with the calendar's rules written out once more.
    @Test func countsEveryDayFrom1900To2100() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var number: Int64 = -25_567
        for year in 1900...2100 {
            let isLeap = year != 1900 && year != 2100 && year % 4 == 0
            for month in 1...12 {
                let length = lengths[month - 1] + (month == 2 && isLeap ? 1 : 0)
                for day in 1...length {
                    let date = CalendarDay(year: year, month: month, day: day)
                    guard let date, date.daysSinceEpoch == number, date.civil == (year, month, day) else {
                        Issue.record("\(year)-\(month)-\(day) is \(String(describing: date))")
                        return
                    }
                    number += 1
                }
                #expect(CalendarDay(year: year, month: month, day: length + 1) == nil)
            }
        }
        #expect(number == 47_847)
    }

    @Test("refuses what is no day", arguments: [
        (2000, 0, 1), (2000, 13, 1), (2000, 1, 0), (2023, 2, 29), (-1, 1, 1), (10_000, 1, 1),
    ])
    func refuses(year: Int, month: Int, day: Int) {
        #expect(CalendarDay(year: year, month: month, day: day) == nil)
    }

    @Test("knows the epoch and the ends", arguments: [
        (1970, 1, 1, 0), (2000, 2, 29, 11_016), (0, 1, 1, -719_528), (9999, 12, 31, 2_932_896),
    ])
    func ends(year: Int, month: Int, day: Int, number: Int64) throws {
        let date = try #require(CalendarDay(year: year, month: month, day: day))
        #expect(date.daysSinceEpoch == number)
        #expect(date.civil == (year, month, day))
    }

    @Test("finds the day of a second", arguments: [(0, 0), (86_399, 0), (86_400, 1), (-1, -1), (-86_400, -1), (-86_401, -2)])
    func dayOfSecond(second: Int64, day: Int64) {
        #expect(CalendarDay(ofSecond: second).daysSinceEpoch == day)
    }

    @Test func daysCompare() {
        #expect(CalendarDay(year: 1999, month: 12, day: 31)! < CalendarDay(year: 2000, month: 1, day: 1)!)
    }
}
