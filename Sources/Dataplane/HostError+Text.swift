import FIB
import LinuxIO

/// What a refusal of the host reads like.
func errorText(_ error: HostError) -> String { "\(error.operation): \(errorText(error.code))" }
