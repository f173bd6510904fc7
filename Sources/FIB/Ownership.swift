/// How a route is recognised as ours, also by a process that has just started (DESIGN, hard rule 5): its protocol number and table.
package struct Ownership: Sendable, Hashable {
    /// RTPROT value; 73 is ours, shown as `apus` by iproute2.
    package var routeProtocol: UInt8
    /// RT_TABLE_MAIN.
    package var table: UInt32

    package static let defaultProtocol: UInt8 = 73
    package static let mainTable: UInt32 = 254

    package init(routeProtocol: UInt8 = defaultProtocol, table: UInt32 = mainTable) {
        self.routeProtocol = routeProtocol
        self.table = table
    }

    package func owns(routeProtocol: UInt8, table: UInt32) -> Bool { routeProtocol == self.routeProtocol && table == self.table }
}
