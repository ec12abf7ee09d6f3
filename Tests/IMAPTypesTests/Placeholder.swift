import Testing
@testable import IMAPTypes
