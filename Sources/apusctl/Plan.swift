import ArgumentParser
import LinuxIO
import StatusAPI
import Wording

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What files of resources would change: sessions, routes to and from peers, routes of the kernel.",
        discussion:
            "Nothing is changed. Exit code 0: nothing would be; 4: something would, and nothing would be lost; 5: a session "
            + "would end, or a route would go; 1: the files are not accepted.\n\n"
            + "apusctl plan bgppeer.yaml\napusctl plan --whole /etc/apus/new.d/*.yaml\napusctl plan --without BGPPeer/tor"
    )
    @Argument(help: "Files of resources; they are put over what is in force.")
    var files: [String] = []
    @Flag(help: "The files are all there is.")
    var whole = false
    @Option(help: "KIND/NAME of an object that would be gone; can be given several times.")
    var without: [String] = []
    @OptionGroup var options: CommonOptions

    func validate() throws {
        guard !files.isEmpty || !without.isEmpty else { throw ValidationError("plan needs a file, or --without") }
        if whole, !without.isEmpty { throw ValidationError("--whole and --without: the files are all there is") }
    }

    func run() throws {
        var request = StatusRequest(.plan)
        request.plan = PlanRequest(files: try files.map(Plan.read), isWhole: whole, without: without)
        let answer = try options.ask(request)
        guard let report = answer.plan else { throw Failure.no(answer.error ?? "no answer") }
        if options.output == .json { print(StatusCodec.pretty(report)) } else { show(report) }
        if !report.isSame { throw ExitCode(report.isDisruptive ? 5 : 4) }
    }

    private static func read(_ path: String) throws -> PlanFile {
        do throws(SystemError) {
            let bytes = try readWholeFile(path)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw SystemError(code: 0, operation: path)
            }
            return PlanFile(name: path, text: text)
        } catch {
            throw Failure.no("\(path): \(error.code == 0 ? "is no text in UTF-8" : errorText(error.code))")
        }
    }

    private func show(_ report: PlanReport) {
        for finding in report.findings { print("\(finding.severity.text): \(finding.cause.text)") }
        for peer in report.peers where !peer.isSame || peer.held != nil {
            let reasons = peer.reasons.isEmpty ? "" : " (\(peer.reasons.map(\.rawValue).joined(separator: ", ")))"
            print("\(peer.name) \(peer.address): \(peer.change.text)\(reasons)")
            if let held = peer.held { print("    is kept down: \(held.text)") }
            show("would be sent", peer.gained)
            show("would no longer be sent", peer.lost)
            show("would be sent with other attributes", peer.changed)
            show("would be refused from it", peer.refused)
            show("would no longer be refused from it", peer.accepted)
        }
        show("kernel routes that would come", report.routesGained)
        show("kernel routes that would go", report.routesLost)
        show("kernel routes that would lead elsewhere", report.routesChanged)
        let same = report.peers.filter { $0.isSame && $0.held == nil }.count
        if same > 0 { print("\(same) \(same == 1 ? "peer" : "peers"): nothing would change") }
        if report.isSame { print("nothing would change") }
    }

    private func show(_ what: String, _ prefixes: PlanReport.Prefixes) {
        guard prefixes.count > 0 else { return }
        let more = prefixes.count - prefixes.first.count
        print(
            "    \(what): \(prefixes.first.joined(separator: ", "))\(more > 0 ? " and \(more) more" : "")")
    }
}
