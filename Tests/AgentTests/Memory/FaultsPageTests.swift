import Foundation
import StatusAPI
import Testing
import Wording

/// `docs/faults.md` says what is reported of each fault: it is what these scenes saw.
@Suite struct FaultsPageTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs/faults.md")

    private static let head = """
        # Faults, and what is reported

        Each fault is put into a whole node in memory, under simulated time; what every indicator says is read; it is taken away, and all must be green again (`HealthScenesTests`). This page is written by
        `FaultsPageTests` (`APUS_WRITE_DOCS=1 swift test --filter FaultsPageTests`) from what it sees, and compared in `make test`.

        While a fault is there, `apusctl status` says `NOT healthy` and has exit status 1, `apusctl doctor` has the same finding and exit status 1, the metrics have `apus_healthy 0` and count it in
        `apus_findings`, and the log has one line when it is found and one when it is over. `/readiness` is 503 where packets of pods are concerned: where *ready* says no.

        | fault | finding | severity | about | what is said, with the remedy | ready |
        |---|---|---|---|---|---|

        """

    @Test func `the page has every fault, with the words of today`() throws {
        var text = Self.head
        for fault in HealthScenesTests.faults {
            let scene = try HealthScene()
            try fault.inject(scene)
            func find() -> Finding? {
                try? scene.indicators().status.findings.first {
                    $0.cause.name == fault.cause && (fault.subject == nil || $0.subject.name == fault.subject)
                }
            }
            #expect(scene.network.run(.seconds(300)) { find() != nil }, "\(fault.name)")
            let finding = try #require(find())
            // Where the FSM is at the moment is chance.
            let words = finding.cause.text.replacing("|", with: "\\|")
                .replacing(/\((Idle|Connect|Active|OpenSent|OpenConfirm)\)/, with: "(Active)")
                .replacing(/begun again in [0-9]+s/, with: "begun again in 299s")
            let isReady = try scene.indicators().unreadiness == nil
            text +=
                "| \(fault.name) | `\(finding.cause.name)` | \(finding.severity.rawValue) | \(finding.subject.kind.rawValue) | \(words) | \(isReady ? "yes" : "no") |\n"
        }
        if ProcessInfo.processInfo.environment["APUS_WRITE_DOCS"] != nil {
            try text.write(to: Self.page, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOf: Self.page, encoding: .utf8)
        #expect(written == text, "docs/faults.md says something else than was seen: APUS_WRITE_DOCS=1 writes it")
    }
}
