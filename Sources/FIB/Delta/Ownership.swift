/// How a route is recognised as ours, also by a process that has just started (ARCHITECTURE, hard rule 5): its protocol
/// number, in any table.
package struct Ownership: Sendable, Hashable {
    /// RTPROT value; 73 is ours, shown as `apus` by iproute2.
    package var routeProtocol: UInt8

    package static let defaultProtocol: UInt8 = 73
    /// RT_TABLE_MAIN. Next hops are resolved through its routes, and only in it foreign routes are known to be in the
    /// way.
    package static let mainTable: UInt32 = 254

    package init(routeProtocol: UInt8 = defaultProtocol) { self.routeProtocol = routeProtocol }

    package func owns(routeProtocol: UInt8) -> Bool { routeProtocol == self.routeProtocol }
}
