package import NetTypes

/// The host's network as the dataplane uses it: routes, next-hop groups, links, addresses, neighbors, tunnel devices,
/// sysctls, connection tracking, and frames of guests.
///
/// `KernelRoutes/NetlinkHost` is the real one; `MemoryHost` follows the same rules in memory, so that whole agents run
/// in a test. `Tests/LabTests/HostContractLab` runs one set of cases on both.
///
/// Used from the routing thread alone. Every request is carried out before it returns, but for batches that are handed
/// over with `submit`. Error numbers are errno values, 0 for success.
package protocol HostKernel: AnyObject {
    // MARK: What the kernel says

    /// Readable when `readEvents` or `takeResult` has something; empty for a host that is asked every turn.
    var descriptors: [Int32] { get }
    /// Appends what happened since the last call, from at most `budget` datagrams. Our own requests are not among it.
    func readEvents(budget: Int, into events: inout [KernelEvent])
    /// Reads links, addresses and routes whole. `restart` says that what was reported of routes so far is void.
    func dump(restart: () -> Void, _ body: (KernelEvent) -> Void) throws(HostError)
    /// One interface as it is now; nil where there is none of the name.
    func link(named name: String) -> Interface?
    /// Every address with its interface, in the kernel's order.
    func namedAddresses() -> [NamedAddress]
    /// The address of ours from which a packet to another one would be sent; nil where no route leads there.
    func sourceAddress(towards destination: IPAddress) -> IPAddress?
    /// Permanent neighbor and forwarding entries of a tunnel device.
    func tunnelEntries(on index: InterfaceIndex, _ family: AddressFamily) throws(HostError) -> Set<TunnelEntry>

    // MARK: Routes

    /// Carries out a batch in order. Returns what failed; everything else was acknowledged.
    func apply(_ batch: FIBBatch) -> [FIBFailure]
    /// Removes a route of somebody else from the main table: the one of its prefix, metric and protocol. 0 also where
    /// it was gone already.
    func remove(_ route: ForeignRoute) -> Int32
    /// Writes routes of ours as those of another protocol, each in one step over the one that is there. Next-hop
    /// objects are not used. Returns what failed.
    func rewrite(_ routes: [FIBRoute], as routeProtocol: UInt8) -> [FIBFailure]
    /// Removes next-hop objects of ours that no route uses, and returns how many. Not beside batches that are out.
    func removeUnusedObjects() throws(HostError) -> Int
    /// Hands a batch over. Orders are carried out one after the other; the caller bounds how many are out.
    func submit(_ batch: FIBBatch)
    /// Hands over the order to take dead next hops out of every group: one request a group, whatever the number of its
    /// routes.
    func drop(_ dead: Set<FIBNextHop>)
    /// What came of the oldest order that is out; nil while it is being carried out.
    func takeResult() -> FIBResult?
    /// Begins to list our routes for an audit. False where the kernel refuses.
    func beginAudit() -> Bool
    /// The next part of that list, some three hundred routes.
    func readAudit(_ body: (FIBRoute) -> Void) -> AuditProgress

    // MARK: Devices and settings

    /// Carries out one request about a device, its addresses or its entries. 0 also where it was so already.
    func apply(_ operation: TunnelOperation) -> Int32
    /// Writes a value below /proc/sys (`net/ipv4/ip_forward`) where it differs.
    func setSysctl(_ path: String, _ value: String) -> Int32
    /// Forgets the tracked connections that an address is an end of; it takes its time.
    func forgetConnections(of addresses: [IPAddress])

    // MARK: Guests of live migrations

    /// Begins to hear frames by which guests announce themselves, or ends.
    func listenForGuests(_ listens: Bool) throws(HostError)
    /// The next frame and the interface by which it came in; nil where none waits.
    func nextGuestFrame() -> (interface: InterfaceIndex, frame: ArraySlice<UInt8>)?

    /// What `apusctl doctor` reads, on a thread of its own.
    var inspector: any HostInspector { get }
}

extension HostKernel {
    /// A permanent neighbor entry.
    package func setNeighbor(_ address: IPAddress, mac: MACAddress, on interface: InterfaceIndex) -> Int32 {
        apply(.addEntry(.neighbor(address, mac), interface))
    }
    /// A host address on an interface.
    package func addAddress(_ address: IPAddress, on interface: InterfaceIndex) -> Int32 {
        apply(.addAddress(address, interface))
    }
}

/// Readings of the host that may wait for files and for the kernel.
package protocol HostInspector: Sendable {
    /// A value below /proc/sys; nil where it cannot be read.
    func sysctl(_ path: String) -> String?
    /// The chains of nf_tables that forwarded packets pass; nil where the kernel has no nf_tables or does not say.
    func forwardChains() -> [ForwardChain]?
    /// Whether iptables-legacy's FORWARD chain has policy DROP; nil where it has no such table.
    func legacyForwardDrops(_ family: AddressFamily) throws(HostError) -> Bool?
}
