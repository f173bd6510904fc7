package import NetTypes

/// A block that this node owns, and whether it may be announced.
package struct OwnBlock: Sendable, Hashable {
    package var prefix: Prefix
    /// False inside a pool with disableBGPExport.
    package var isExported: Bool
    package init(prefix: Prefix, isExported: Bool) {
        self.prefix = prefix
        self.isExported = isExported
    }
}
