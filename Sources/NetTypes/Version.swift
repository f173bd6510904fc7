/// The version of every program of this package, as `--version` prints it.
public let apusVersion = "0.1.0"
