package import NetTypes

/// One request to the kernel.
package enum FIBOperation: Sendable, Hashable, CustomStringConvertible {
    /// Nothing of the same prefix and metric is known to be there: fails with EEXIST where there is after all.
    case add(FIBRoute)
    /// Replaces our own route of the same prefix and metric.
    case replace(FIBRoute)
    /// Deletes our own route; carries the protocol, so that a foreign one is never hit.
    case delete(Prefix, metric: UInt32, table: UInt32 = Ownership.mainTable)

    package var prefix: Prefix {
        switch self {
        case .add(let route), .replace(let route): route.prefix
        case .delete(let prefix, _, _): prefix
        }
    }

    package var description: String {
        switch self {
        case .add(let route): "add \(route)"
        case .replace(let route): "replace \(route)"
        case .delete(let prefix, let metric, let table):
            "delete \(prefix) metric \(metric)" + (table == Ownership.mainTable ? "" : " table \(table)")
        }
    }
}

/// An operation that the kernel refused.
package struct FIBFailure: Sendable, Hashable {
    /// Position in the batch.
    package var index: Int
    /// errno, positive.
    package var error: Int32
    /// The kernel says that what was to be replaced or deleted is not there.
    var saysAbsent: Bool { error == KernelError.noEntry || error == KernelError.noSuchProcess }
    package init(index: Int, error: Int32) {
        self.index = index
        self.error = error
    }
}

/// The kernel's route table, real or in memory.
package protocol KernelRouteTable: ~Copyable {
    /// Carries out a batch in order and returns what failed; everything else was acknowledged.
    mutating func apply(_ batch: FIBBatch) -> [FIBFailure]
}

/// errno values that the reconciler interprets; the same on every Linux.
package enum KernelError {
    package static let notPermitted: Int32 = 1
    package static let noEntry: Int32 = 2
    package static let noSuchProcess: Int32 = 3
    package static let outOfMemory: Int32 = 12
    package static let accessDenied: Int32 = 13
    package static let busy: Int32 = 16
    package static let exists: Int32 = 17
    package static let noSuchDevice: Int32 = 19
    package static let invalid: Int32 = 22
    package static let notSupported: Int32 = 95
    package static let familyNotSupported: Int32 = 97
    package static let addressNotAvailable: Int32 = 99
    package static let networkDown: Int32 = 100
    package static let networkUnreachable: Int32 = 101
    package static let noBuffers: Int32 = 105
    package static let hostUnreachable: Int32 = 113
}
