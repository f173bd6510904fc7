import ArgumentParser
import StatusAPI
import Wording

struct Shadow: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What Apus would do otherwise than the Calico that runs here. Exit code 1 where there is anything.",
        discussion: "Of an apusd that was started with agent --shadow.\n\napusctl shadow\napusctl shadow -o json")
    @OptionGroup var options: CommonOptions

    func run() throws {
        let answer = try options.ask(StatusRequest(.shadow))
        guard let report = answer.shadow else { throw Failure.no(answer.error ?? "no answer") }
        if options.output == .json {
            print(StatusCodec.pretty(report))
        } else {
            show(report)
        }
        if !report.isSame { throw ExitCode.failure }
    }

    private func show(_ report: ShadowReport) {
        for finding in report.findings { print("\(finding.severity.text): \(finding.cause.text)") }
        if !report.differences.isEmpty {
            var table = Table("DIFFERENCE", "PEER", "PREFIX", "CALICO", "APUS", "REASON")
            for difference in report.differences {
                table.add(
                    difference.what, difference.peer ?? "-", difference.prefix ?? "-", difference.calico ?? "-",
                    difference.apus ?? "-", difference.reason?.text ?? "")
            }
            print(table.printed())
        }
        let compared =
            "\(report.sessions) sessions, \(report.announcements) routes to peers, \(report.routes) routes of the kernel"
        guard report.comparedAt != nil else {
            return print("nothing is known yet: two whole comparisons are needed; ask again")
        }
        print(
            report.differences.isEmpty
                ? "Apus would do as Calico does on node \(report.node): \(compared)"
                : "\(report.differences.count) differences on node \(report.node), of \(compared)")
    }
}
