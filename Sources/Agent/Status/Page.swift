import StatusAPI

/// What one page of an answer may cost the routing thread: about half a millisecond, whatever the size of the tables.
struct PageLimit {
    /// Rows that are written at most. All paths of a prefix stand on one page, so that there may be some more of them.
    var rows = 128
    /// Places that are looked at: a walk that finds little ends there.
    var places = 16_384
}

/// A piece of a long answer.
struct Page<Row> {
    var rows: [Row] = []
    /// The cursor to go on from; nil where nothing follows.
    var next: Int?
    /// Places that were looked at: the work.
    var looked = 0
}
