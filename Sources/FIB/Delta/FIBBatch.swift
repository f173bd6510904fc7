package import NetTypes

/// Requests to the kernel, in order: a collection of `FIBOperation`.
///
/// The thread that plans batches and the one that writes them share what is in them. A way stands in a batch once, and
/// an entry names it by its number, so that neither counts references route by route, at which the two would take each
/// other's cache lines away; and what a way needs of the kernel (its next-hop objects) is looked up once per batch and
/// way.
package struct FIBBatch: RandomAccessCollection, ExpressibleByArrayLiteral, Sendable {
    package enum Action: UInt8, Sendable {
        case add, replace, delete
    }

    package struct Entry: Sendable {
        package var prefix: Prefix
        /// Position in the batch's `ways`. Of a deletion only table and metric count.
        package var attributes: UInt32
        package var action: Action
    }

    package internal(set) var attributeSets: [RouteAttributes] = []
    package internal(set) var entries: [Entry] = []

    package init() {}

    package init(_ operations: some Sequence<FIBOperation>) {
        var numbers: [RouteAttributes: UInt32] = [:]
        for operation in operations {
            let attributes: RouteAttributes
            let action: Action
            switch operation {
            case .add(let route): (attributes, action) = (RouteAttributes(of: route), .add)
            case .replace(let route): (attributes, action) = (RouteAttributes(of: route), .replace)
            case .delete(_, let metric, let table):
                (attributes, action) = (
                    RouteAttributes(nextHops: [], placement: RoutePlacement(table: table, source: nil), metric: metric),
                    .delete
                )
            }
            let number = numbers[attributes] ?? UInt32(attributeSets.count)
            if number == attributeSets.count {
                attributeSets.append(attributes)
                numbers[attributes] = number
            }
            entries.append(Entry(prefix: operation.prefix, attributes: number, action: action))
        }
    }

    package init(arrayLiteral operations: FIBOperation...) { self.init(operations) }

    /// The operations at some positions, in their order.
    package func picking(_ positions: [Int]) -> FIBBatch {
        var result = FIBBatch()
        result.attributeSets = attributeSets
        result.entries = positions.map { entries[$0] }
        return result
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { entries.count }
    package subscript(position: Int) -> FIBOperation {
        let entry = entries[position]
        let attributes = attributeSets[Int(entry.attributes)]
        switch entry.action {
        case .add: return .add(attributes.route(entry.prefix))
        case .replace: return .replace(attributes.route(entry.prefix))
        case .delete: return .delete(entry.prefix, metric: attributes.metric, table: attributes.table)
        }
    }
}
