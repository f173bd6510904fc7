import Synchronization

/// A number that threads share.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    @discardableResult
    func add(_ delta: Int) -> Int { value.wrappingAdd(delta, ordering: .sequentiallyConsistent).newValue }
}
