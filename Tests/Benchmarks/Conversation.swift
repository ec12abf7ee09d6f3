import Glibc
import IMAPSession
import Maildir
import Transport

/// A session whose client has said everything before it begins, and whose responses are read and dropped.
enum Conversation {
    static func hold(_ maildir: String, _ commands: String) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return Sample.fail("socketpair") }
        var thread = pthread_t()
        let client = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        client.initialize(to: ends[0])
        pthread_create(&thread, nil, { client in
            let client = client!.assumingMemoryBound(to: Int32.self).pointee
            let buffer = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 16)
            while read(client, buffer, 1 << 20) > 0 {}
            buffer.deallocate()
            return nil
        }, client)
        let session = Session(
            connection: Connection(descriptor: ends[1]), store: try MaildirStore(path: maildir, logger: Sample.logger),
            user: "sample", readAhead: Array((commands + "z LOGOUT\r\n").utf8), logger: Sample.logger)
        session.run()
        shutdown(ends[1], Int32(SHUT_RDWR))
        pthread_join(thread, nil)
        client.deallocate()
        close(ends[0])
    }
}
