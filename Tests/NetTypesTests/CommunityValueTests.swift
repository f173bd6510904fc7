import NetTypes
import Testing

@Suite struct CommunityValueTests {
    @Test(arguments: [
        ("65000:100", CommunityValue.standard(65000 << 16 | 100)),
        ("65535:65535", .standard(.max)),
        ("65000:1:2", .large(65000, 1, 2)),
        (
            "4294967295:4294967295:4294967295",
            .large(.max, .max, .max)
        ),
    ])
    func `a community is read and written alike`(text: String, value: CommunityValue) {
        #expect(CommunityValue(text) == value)
        #expect(value.description == text)
    }

    @Test(arguments: [
        "", "1", "1:", ":1", "1::2", "1:65536", "65536:1", "1:2:4294967296", "1:2:3:4", "-1:2", "1:a", " 1:2",
        "no-export",
    ])
    func `any other text is no community`(text: String) {
        #expect(CommunityValue(text) == nil)
    }

    @Test func `leading zeros name the same community`() {
        #expect(CommunityValue("065000:007") == .standard(65000 << 16 | 7))
    }
}
