import Node
import Transport

/// Under real time a node's connections are sockets.
extension Transport: PeerTransport {}
