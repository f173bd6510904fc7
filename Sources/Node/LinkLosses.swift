import FIB
import NetTypes

/// Interfaces and own addresses that are gone, for a moment: a link that flaps ends no session.
struct LinkLosses {
    /// How long something has to be gone before sessions end: within a second they do.
    static let patience: Duration = .milliseconds(500)

    private var interfaces: [InterfaceIndex: (name: String, due: Instant)] = [:]
    private var addresses: [IPAddress: Instant] = [:]

    /// When the next of them has been gone for long enough.
    private(set) var nextDeadline: Instant?

    mutating func take(_ changes: LinkChanges, now: Instant) {
        let due = now + LinkLosses.patience
        for (index, name) in changes.lostInterfaces where interfaces[index] == nil { interfaces[index] = (name, due) }
        for address in changes.lostAddresses where addresses[address] == nil { addresses[address] = due }
        for index in changes.gainedInterfaces { interfaces[index] = nil }
        for address in changes.gainedAddresses { addresses[address] = nil }
        updateDeadline()
    }

    /// What has been gone for long enough: interfaces with their names, and addresses. Each once.
    mutating func takeDue(_ now: Instant) -> (interfaces: [InterfaceIndex: String], addresses: Set<IPAddress>) {
        guard nextDeadline.map({ $0 <= now }) ?? false else { return ([:], []) }
        let gone = interfaces.filter { $0.value.due <= now }.mapValues(\.name)
        let goneAddresses = Set(addresses.filter { $0.value <= now }.keys)
        for index in gone.keys { interfaces[index] = nil }
        for address in goneAddresses { addresses[address] = nil }
        updateDeadline()
        return (gone, goneAddresses)
    }

    private mutating func updateDeadline() {
        nextDeadline = .earliest(Array(interfaces.values.map(\.due)) + Array(addresses.values))
    }
}
