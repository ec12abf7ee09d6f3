import Glibc
import Transport

/// Answers one request of HTTP (RFC 9112) for metrics.
struct MetricsAnswerer {
    let connection: Connection
    let census: Census

    /// Bytes of a request's line and fields.
    static let longest = 8192

    func run() {
        connection.sendTimeout = .seconds(10)
        guard let request = readRequest() else { return }
        var answer = AnswerBuffer(connection)
        answer.write(Self.response(to: request) { MetricsPage(census, $0).bytes })
        answer.flush()
    }

    /// What comes before the empty line; `nil` if it does not come.
    private func readRequest() -> [UInt8]? {
        let deadline = Deadline(after: .seconds(10))
        var request: [UInt8] = []
        while request.count < Self.longest {
            var buffer = [UInt8](repeating: 0, count: Self.longest - request.count)
            let received = buffer.withUnsafeMutableBytes { bytes in
                (try? connection.receive(into: bytes, atMost: deadline.remaining)) ?? 0
            }
            guard received > 0 else { return nil }
            request += buffer[..<received]
            if let end = request.firstRange(of: Array("\r\n\r\n".utf8)) { return Array(request[..<end.lowerBound]) }
        }
        return request
    }

    static func response(to request: [UInt8], page: (MetricsPage.Format) -> [UInt8]) -> [UInt8] {
        let lines = String(decoding: request, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        let words = (lines.first ?? "").split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1."), request.count < longest else {
            return response("400 Bad Request", "text/plain", Array("This speaks HTTP/1.1.\n".utf8))
        }
        guard words[0] == "GET" || words[0] == "HEAD" else {
            return response("405 Method Not Allowed", "text/plain", Array("This answers GET.\n".utf8), "Allow: GET, HEAD\r\n")
        }
        guard words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0] == "/metrics" else {
            return response("404 Not Found", "text/plain", Array("There is /metrics.\n".utf8))
        }
        let accepts = lines.dropFirst().contains { line in
            let line = line.lowercased()
            return line.hasPrefix("accept:") && line.contains("application/openmetrics-text")
        }
        let format: MetricsPage.Format = accepts ? .openMetrics : .text
        let whole = response("200 OK", format.type, page(format))
        guard words[0] == "HEAD", let end = whole.firstRange(of: Array("\r\n\r\n".utf8)) else { return whole }
        return Array(whole[..<end.upperBound])
    }

    private static func response(_ status: String, _ type: String, _ body: [UInt8], _ more: String = "") -> [UInt8] {
        Array("""
            HTTP/1.1 \(status)\r
            Content-Type: \(type)\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \(more)\r

            """.utf8) + body
    }
}
