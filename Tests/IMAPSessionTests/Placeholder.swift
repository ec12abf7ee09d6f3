import Testing
@testable import IMAPSession
