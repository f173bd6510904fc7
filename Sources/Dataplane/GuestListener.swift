import FIB
import NetTypes

/// Hears guests of live migrations while one is expected, and only then.
struct GuestListener {
    private var isListening = false
    /// Why no guest can be heard; nil where it is possible, or nobody asked.
    private(set) var error: HostError?
    /// Frames of guests in a turn: a frame costs little and may come in any number; what waits longer is as good.
    private static let budget = 64

    /// Begins or ends. True where that changed.
    mutating func expect(_ awaits: Bool, _ host: any HostKernel) -> Bool {
        guard awaits != isListening else { return false }
        isListening = awaits
        do throws(HostError) {
            try host.listenForGuests(awaits)
            error = nil
        } catch {
            self.error = error
        }
        return true
    }

    func hear(_ host: any HostKernel, _ body: (ArraySlice<UInt8>, InterfaceIndex) -> Void) {
        guard isListening else { return }
        for _ in 0..<GuestListener.budget {
            guard let heard = host.nextGuestFrame() else { return }
            body(heard.frame, heard.interface)
        }
    }
}
