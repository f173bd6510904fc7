import ForwardingPlane
import LinuxIO
package import Logging
package import NetTypes
package import Planning
package import Resources
package import StatusAPI

/// What is known of this node's addresses, and when it is looked at again.
struct AddressWatch {
    var detector: AddressDetector
    /// As the resources declare it.
    var declared: LoadedConfiguration
    /// This node's object as it was applied last.
    var applied: NodeResource?
    var lastCheck: Instant?
    /// Of the host, at the last check.
    var revision = -1
}

/// The node's own addresses where they come from the host (`--ip-autodetection-method`): found, checked again, and
/// applied as a change of the Node object that nobody made.
extension NodeCore {
    /// As Calico's node does it.
    package static let addressInterval: Duration = .seconds(60)
    /// Changes of the host's addresses are looked at at once, but not more often: pods come and go with interfaces.
    package static let addressPause: Duration = .seconds(1)

    /// Begins. `detector` has been asked at the start; `declared`: what is read of the resources.
    package func watchAddresses(_ detector: AddressDetector, declared: LoadedConfiguration) {
        watch = AddressWatch(detector: detector, declared: declared)
    }

    /// A name of `can-reach` was looked up. True where the node's addresses changed with it.
    package func resolved(_ name: String, _ addresses: [IPAddress]) -> Bool {
        guard watch?.detector.resolved[name] != addresses else { return false }
        watch?.detector.resolved[name] = addresses
        return detectAndApply()
    }

    /// What an operator should know of it.
    package var addressFindings: [FindingCause] {
        (watch?.detector.findings ?? [])
            + transport.listenFailures.map { FindingCause.notListening(address: "\($0.address)", code: $0.code) }
    }

    /// When the addresses are to be looked at; nil where nothing comes from the host.
    var nextAddressCheck: Instant? {
        guard let watch, let last = watch.lastCheck, watch.detector.isNeeded(watch.declared.resources) else {
            return nil
        }
        return last + (watch.revision == plane.hostRevision ? NodeCore.addressInterval : NodeCore.addressPause)
    }

    /// Looks where it is time to. True where the addresses changed.
    func checkAddresses() -> Bool {
        guard let due = nextAddressCheck, due <= now else { return false }
        return detectAndApply()
    }

    /// A change of the resources as it is with the addresses of this node completed.
    func completed(_ change: ResourceChange) -> ResourceChange {
        guard watch != nil else { return change }
        watch?.declared = change.after
        if !change.isOfEndpointsAlone { detect() }
        guard let watch, let declared = change.after.resources.node(peering.node) else { return change }
        let before = watch.applied
        let own = watch.detector.complete(declared)
        self.watch?.applied = own
        return change.replacing(
            ResourceKey(kind: "Node", name: peering.node), old: before.map { .node($0) }, new: .node(own),
            after: watch.detector.complete(change.after))
    }

    private func detectAndApply() -> Bool {
        detect()
        guard let watch, let before = watch.applied, let declared = watch.declared.resources.node(peering.node) else {
            return false
        }
        let own = watch.detector.complete(declared)
        guard own != before else { return false }
        self.watch?.applied = own
        let key = ResourceKey(kind: "Node", name: peering.node)
        let unchanged = ResourceChange([], after: watch.declared)
        applyCompleted(
            unchanged.replacing(
                key, old: .node(before), new: .node(own), after: watch.detector.complete(watch.declared)))
        return true
    }

    private func detect() {
        guard var watch else { return }
        watch.lastCheck = now
        watch.revision = plane.hostRevision
        if watch.detector.isNeeded(watch.declared.resources) {
            let view = DetectionView(
                addresses: plane.namedAddresses(), sourceAddress: { [plane] in plane.sourceAddress(towards: $0) })
            let changes = watch.detector.detect(watch.declared.resources, view)
            watch.detector.log(changes, logger)
        } else {
            _ = watch.detector.detect(
                watch.declared.resources, DetectionView(addresses: [], sourceAddress: { _ in nil }))
        }
        self.watch = watch
    }
}

extension AddressDetector {
    /// A line for each family that has another address now. What is not found is a finding, and logged as such.
    package func log(_ changes: [Change], _ logger: Logger) {
        for change in changes where change.failure == nil {
            guard let address = change.address else { continue }
            logger.notice(
                "the node's address comes from the host",
                metadata: [
                    "family": "\(change.family.name)", "address": "\(address.address)/\(address.subnet.length)",
                    "method": "\(settings.methods[change.family.index])",
                ])
        }
    }
}
