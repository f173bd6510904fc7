package import NetTypes

/// A kernel in memory: the rules of rtnetlink that the reconciler depends on, with errors that a test can inject.
///
/// The routes of `MemoryHost`.
package struct MemoryKernel: KernelRouteTable, Sendable {
    package struct Key: Sendable, Hashable {
        package var prefix: Prefix
        package var metric: UInt32
        package var table: UInt32
        package init(prefix: Prefix, metric: UInt32, table: UInt32 = Ownership.mainTable) {
            self.prefix = prefix
            self.metric = metric
            self.table = table
        }
    }

    /// Our routes.
    package private(set) var own: [Key: FIBRoute] = [:]
    /// Routes of others.
    package var foreign: [Key: ForeignRoute] = [:]
    /// Asked before each operation: an errno, or nil to go on.
    package var inject: (@Sendable (FIBOperation) -> Int32?)?
    package private(set) var operationCount = 0

    package init() {}

    package mutating func apply(_ batch: FIBBatch) -> [FIBFailure] {
        var failures: [FIBFailure] = []
        for (index, operation) in batch.enumerated() {
            operationCount += 1
            if let error = inject?(operation) ?? carryOut(operation) {
                failures.append(FIBFailure(index: index, error: error))
            }
        }
        return failures
    }

    private mutating func carryOut(_ operation: FIBOperation) -> Int32? {
        switch operation {
        case .add(let route):
            let key = Key(prefix: route.prefix, metric: route.metric, table: route.table)
            guard own[key] == nil, foreign[key] == nil else { return KernelError.exists }
            own[key] = route
        case .replace(let route):
            let key = Key(prefix: route.prefix, metric: route.metric, table: route.table)
            // A replacement takes the place of whatever is there, whoever wrote it, and of nothing.
            foreign[key] = nil
            own[key] = route
        case .delete(let prefix, let metric, let table):
            guard own.removeValue(forKey: Key(prefix: prefix, metric: metric, table: table)) != nil else {
                return KernelError.noSuchProcess
            }
        }
        return nil
    }

    /// Somebody else removes one of our routes.
    package mutating func removeBehindOurBack(_ prefix: Prefix, metric: UInt32, table: UInt32 = Ownership.mainTable) {
        own[Key(prefix: prefix, metric: metric, table: table)] = nil
    }
    /// Somebody else writes over whatever is there (`ip route replace`).
    package mutating func replaceBehindOurBack(_ route: ForeignRoute) {
        let key = Key(prefix: route.prefix, metric: route.metric)
        own[key] = nil
        foreign[key] = route
    }
    /// A route of ours that is there before the process starts.
    package mutating func preset(_ route: FIBRoute) {
        own[Key(prefix: route.prefix, metric: route.metric, table: route.table)] = route
    }

    /// Takes dead members out of every group that keeps another one.
    package mutating func dropNextHops(_ dead: Set<FIBNextHop>) -> [GroupChange] {
        var changes: Set<GroupChange> = []
        for (key, route) in own where route.nextHops.count > 1 && route.nextHops.contains(where: dead.contains) {
            let rest = route.nextHops.filter { !dead.contains($0) }
            guard !rest.isEmpty else { continue }
            changes.insert(GroupChange(before: route.nextHops, after: rest))
            own[key]?.nextHops = rest
        }
        return Array(changes)
    }
}
