internal import CLinux

/// How the allocator deals with the tables of a full feed: what is given up must not stay with the process for good.
package enum ProcessMemory {
    /// Once, before anything large is allocated.
    package static func configure() { apus_malloc_configure() }

    /// Gives free memory between blocks in use back to the kernel, and the pages of code that were last needed for
    /// something large, or for the start. What is needed again comes back from the page cache, piece by piece. Costs
    /// milliseconds for a heap of a hundred megabytes.
    package static func giveBack() {
        _ = apus_malloc_trim()
        _ = apus_unmap_code()
    }
}
