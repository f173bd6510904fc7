import Foundation
import NetTypes
import Testing

@Suite struct CorpusTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().path + "/Corpus"

    @Test(arguments: FuzzTargets.all.map(\.name)) func `everything that fuzzing found goes through`(name: String) throws
    {
        let target = try #require(FuzzTargets.all.first { $0.name == name })
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder + "/" + name)
        #expect(!files.isEmpty)
        for file in files.sorted() {
            let data = try #require(FileManager.default.contents(atPath: Self.folder + "/" + name + "/" + file))
            Array(data).withBytes { target.run($0) }
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `so do seeded mutations of it`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for target in FuzzTargets.all {
            for file in try FileManager.default.contentsOfDirectory(atPath: Self.folder + "/" + target.name).sorted() {
                guard
                    var bytes = FileManager.default.contents(atPath: Self.folder + "/" + target.name + "/" + file).map({
                        Array($0)
                    }), !bytes.isEmpty
                else { continue }
                for _ in 0..<(1 + random.next() % 4) {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                }
                bytes.withBytes { target.run($0) }
            }
        }
    }
}
