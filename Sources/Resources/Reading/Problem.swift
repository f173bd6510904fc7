/// Something wrong with a resource, for the person who wrote it: file, line, field, a sentence, and what would be
/// right.
package struct Problem: Sendable, Hashable, CustomStringConvertible, Error {
    package var file: String
    /// 1 is the first; 0 where no line can be named.
    package var line: Int
    /// `spec.peerIP`; empty for the object or the file as a whole.
    package var field: String
    package var message: String
    /// `BGPPeer/tor`, where the object is known.
    package var object: String

    package init(file: String, line: Int, field: String, message: String, object: String = "") {
        self.file = file
        self.line = line
        self.field = field
        self.message = message
        self.object = object
    }

    package var description: String {
        var text = line > 0 ? "\(file):\(line): " : "\(file): "
        if !object.isEmpty { text += "\(object): " }
        if !field.isEmpty { text += "\(field): " }
        return text + message
    }
}
