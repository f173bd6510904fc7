import BFD
import Edges
import ForwardingPlane
import LinuxIO
import NetTypes
import Node

/// Gives the BFD engine the peers to watch, where that changed.
struct BFDClient {
    let engine: BFDEngine
    private var targets: [IPAddress: BFDTarget] = [:]
    private var revision = -1

    init(_ engine: BFDEngine) { self.engine = engine }

    mutating func follow(_ peering: Peering, _ plane: any ForwardingPlane) {
        guard peering.revision != revision else { return }
        revision = peering.revision
        let wanted = peering.bfdTargets(plane)
        guard wanted != targets else { return }
        targets = wanted
        engine.commands.post(.configure(wanted))
    }
}
