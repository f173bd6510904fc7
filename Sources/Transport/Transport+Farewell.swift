import LinuxIO
package import NetTypes

// MARK: The end of the process
extension Transport {
    /// Writes what is queued on connections that are being closed and waits until the other ends have closed too, so
    /// that no reset overtakes the last NOTIFICATION; until `deadline` at most, and nothing else is looked at
    /// meanwhile.
    package func finishClosing(until deadline: Instant) {
        // A poller of its own: the other one would go on reporting what nobody reads any more.
        guard let poller = try? Poller() else { return }
        for connection in closingConnections {
            guard (try? poller.add(connection.socket.fd, token: connection.token)) != nil else { continue }
            writeRest(of: connection, poller)
        }
        var ready: [Readiness] = []
        while !closingConnections.isEmpty {
            let now = Instant(nanoseconds: monotonicNanoseconds())
            guard now < deadline else { return }
            ready.removeAll(keepingCapacity: true)
            poller.wait(timeout: deadline - now, into: &ready)
            for event in ready {
                guard let connection = connection(event.token) else { continue }
                if event.canWrite, connection.hasQueued { writeRest(of: connection, poller) }
                if event.canRead || event.isBroken { discardInput(of: connection) }
            }
        }
    }

    private func writeRest(of connection: Connection, _ poller: borrowing Poller) {
        switch connection.write(budget: Transport.backlogLimit) {
        case .done:
            finish(connection)
            poller.modify(connection.socket.fd, token: connection.token, write: false)
        case .blocked: poller.modify(connection.socket.fd, token: connection.token, write: true)
        case .failed: drop(connection)
        }
    }

    /// One portion: what is left is reported again.
    private func discardInput(of connection: Connection) {
        var input = [UInt8](repeating: 0, count: 1 << 14)
        switch connection.socket.read(into: &input) {
        case .done, .wouldBlock: break
        case .closed, .failed: drop(connection)
        }
    }
}
