public import NetTypes

/// Which routes of others `export: pools` lets pass: those inside pools and service ranges.
///
/// One value for all peers, beside their profiles and not in them: a pool that comes or goes then costs one walk and
/// the difference, and no peer its update group.
public struct ExportScope: Sendable, Hashable {
    /// Pools and service ranges, by family index.
    private let included: [[Prefix]]
    /// Pools with `disableBGPExport`, by family index.
    private let excluded: [[Prefix]]

    public init(included: [Prefix] = [], excluded: [Prefix] = []) {
        self.included = AddressFamily.allCases.map { family in included.filter { $0.family == family } }
        self.excluded = AddressFamily.allCases.map { family in excluded.filter { $0.family == family } }
    }

    /// Why a route of another is not passed on; nil where it is.
    public func refusal(_ prefix: Prefix) -> ExportReason? {
        let family = prefix.family.index
        if excluded[family].contains(where: { $0.contains(prefix) }) { return .exportDisabled }
        return included[family].contains { $0.contains(prefix) } ? nil : .outsidePools
    }
}
