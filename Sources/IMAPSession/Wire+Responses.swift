import IMAPGrammar
import IMAPTypes
import MailStore

extension Wire {
    func tagged(_ tag: Tag, _ completion: Completion) {
        out.tagged(tag, completion.condition, completion.code, completion.text)
    }

    /// "* OK" with a code.
    func note(_ code: ResponseCode, _ text: RespText) {
        out.untagged(.ok, code, text)
    }

    func bye(_ code: ResponseCode?, _ text: RespText) {
        out.bye(code, text)
    }

    /// Answers a command that makes no sense.
    func refuse(_ error: CommandError) {
        out.answer(error.tag, .bad, nil, error.text)
    }

    func refuse(_ rejection: CommandReader.Rejection) {
        out.answer(rejection.tag, rejection.condition, rejection.code, rejection.text)
    }

    /// FLAGS and PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1): all that a message here can have, and what may be changed.
    func flags(of mailbox: any OpenMailbox) {
        let keywords = mailbox.keywords
        out.flags(.all, keywords)
        if mailbox.isReadOnly {
            note(.permanentFlags([], [], canCreate: false), "No flag can be changed")
        } else {
            note(.permanentFlags(.all, keywords, canCreate: keywords.count < KeywordSet.capacity), "These flags are kept")
        }
    }

    /// STATUS (RFC 9051 §7.3.4).
    func status(_ name: MailboxName, _ items: [StatusItem], _ status: MailboxStatus) {
        out.status(name, items.map { item in
            let value: Serializer.StatusValue = switch item {
            case .messages: .number(UInt64(clamping: status.messages))
            case .recent: .number(UInt64(clamping: status.recent))
            case .uidNext: .number(UInt64(status.uidNext))
            case .uidValidity: .number(UInt64(status.uidValidity.rawValue))
            case .unseen: .number(UInt64(clamping: status.unseen))
            case .deleted: .number(UInt64(clamping: status.deleted))
            case .size: .number(status.size ?? 0)
            case .highestModSeq: .number(status.highestModSequence.rawValue)
            case .mailboxID: .mailboxID(status.id)
            }
            return (item, value)
        })
    }
}
