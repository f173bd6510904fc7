package import Resources

/// What a change of the resources means for this node's forwarding.
package struct NodeChange: Sendable {
    /// An endpoint of this node by `namespace/name`; nil for one that went, or moved to another node.
    package struct Endpoint: Sendable, Hashable {
        package var name: String
        package var endpoint: WorkloadEndpoint?
        package init(name: String, endpoint: WorkloadEndpoint?) {
            self.name = name
            self.endpoint = endpoint
        }
    }

    /// Everything but endpoints; nil where nothing but endpoints changed.
    package var state: NodeState?
    /// Endpoints that came, changed or went.
    package var endpoints: [Endpoint] = []
    /// Endpoints that are not among these are gone.
    package var isWhole = false

    package init(state: NodeState?, endpoints: [Endpoint] = [], isWhole: Bool = false) {
        self.state = state
        self.endpoints = endpoints
        self.isWhole = isWhole
    }

    /// Cost: that of the change where it is of endpoints alone, else of the resources.
    package init(_ change: ResourceChange, node: String, programming: Programming = .all) {
        if !change.isOfEndpointsAlone {
            state = NodeState(change.after.resources, node: node, programming: programming)
        }
        endpoints = change.endpoints(of: node).map { Endpoint(name: $0.name, endpoint: $0.endpoint) }
        isWhole = change.isWhole
    }
}
