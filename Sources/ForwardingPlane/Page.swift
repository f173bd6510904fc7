/// What one page of an answer may cost the routing thread: about a quarter of a millisecond, whatever the size of the
/// tables.
package struct PageLimit {
    /// Rows that are written at most. All paths of a prefix stand on one page, so that there may be some more of them.
    package var rows: Int
    /// Places that are looked at: a walk that finds little ends there.
    package var places: Int
    package init(rows: Int = 64, places: Int = 8192) {
        self.rows = rows
        self.places = places
    }
}

/// A piece of a long answer.
package struct Page<Row> {
    package var rows: [Row] = []
    /// The cursor to go on from; nil where nothing follows.
    package var next: Int?
    /// Places that were looked at: the work.
    package var looked = 0
    package init() {}
}
