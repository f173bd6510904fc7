internal import CLinux
internal import Glibc

// `unsafe` here: calls of the C library, which are given the address of a variable, an array or a string for the length
// of the call, and keep none.

/// Frames by which guests show that they are here: ARP, RARP and neighbor advertisements, of all interfaces, sent by
/// others than this host.
///
/// It hears nothing until somebody waits for a guest: a packet socket that listens is asked about every packet of the
/// host.
package struct GuestSocket: ~Copyable {
    private let descriptor: FileDescriptor
    private var isListening = false
    private var buffer = [UInt8](repeating: 0, count: 256)

    /// Needs CAP_NET_RAW.
    package init() throws(SystemError) { descriptor = try FileDescriptor(apus_guest_socket(), "packet socket") }

    package var fd: Int32 { descriptor.raw }

    /// Begins to hear, or ends.
    package mutating func listen(_ listens: Bool) throws(SystemError) {
        guard listens != isListening else { return }
        guard apus_guest_listen(descriptor.raw, listens ? 1 : 0) == 0 else { throw .last("listening for guests") }
        isListening = listens
    }

    /// The next frame and its interface's index; nil where none waits. Longer frames are cut to 256 bytes.
    package mutating func receive() -> (interface: Int32, frame: ArraySlice<UInt8>)? {
        for _ in 0..<64 {
            var interface: Int32 = 0
            let count = unsafe apus_guest_receive(descriptor.raw, &buffer, buffer.count, &interface)
            if count < 0 { return nil }
            // Sent by this host itself.
            if count == 0 { continue }
            return (interface, buffer[..<min(count, buffer.count)])
        }
        return nil
    }
}
