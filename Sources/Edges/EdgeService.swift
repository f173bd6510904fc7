import LinuxIO

/// What a server of small requests does with its clients: `EdgeLoop` carries it out.
struct EdgeService: Sendable {
    /// Clients at a time, and bytes of a client that wait to be understood.
    var mostClients: Int
    var mostInput: Int
    /// Requests that are being answered at a time; others wait in the order in which they came.
    var mostAnswers: Int
    /// From the start of a request to its end, and of a client that says nothing until it is closed.
    var requestTime: Duration
    var silenceTime: Duration
    /// How long a request may wait for its turn and for its answer together, and how long the client may take to read
    /// that.
    var answerTime: Duration
    var readingTime: Duration
    /// One request a connection, which begins with the connection.
    var closesAfterAnswer: Bool
    /// Makes what takes whole requests off the front of what was read, and returns nil where there is none yet. It is
    /// made and called on the server's thread.
    var makeReader: @Sendable () -> (inout [UInt8]) -> EdgeRequest?
    /// What a client is sent in place of an answer.
    var refusal: @Sendable (EdgeRefusal) -> [UInt8]
}

/// Why a client gets no answer.
enum EdgeRefusal: Sendable {
    /// Too many clients or requests at once.
    case busy
    case tooLong
    /// The request did not end in time.
    case tooSlow
    /// Nobody answered in time.
    case noAnswer
}

/// What becomes of a request.
enum EdgeRequest {
    /// It is answered without a question to anybody.
    case answered([UInt8])
    /// `ask` puts a question, whose answer signals the wakeup, and returns how to look whether the answer is there.
    /// Urgent ones go first.
    case question(isUrgent: Bool, ask: (Wakeup) -> () -> [UInt8]?)
}
