import FIB
import NetTypes
import Testing

@Suite struct AddressClaimsTests {
    @Test func `the first by name has an address, and the next one when it goes`() throws {
        let address = try #require(IPAddress("10.65.1.1"))
        var claims = AddressClaims()
        #expect(claims.set("b", interface: "cali1", addresses: [address, address]) == [address])
        _ = claims.set("c", interface: "cali2", addresses: [address])
        _ = claims.set("a", interface: "cali1", addresses: [address])
        #expect(claims.names(claiming: address) == ["a", "b", "c"] && claims.names(on: "cali1") == ["a", "b"])
        #expect(claims.remove("a") == [address] && claims.names(claiming: address) == ["b", "c"])
        let other = try #require(IPAddress("2001:db8::1"))
        #expect(
            claims.set("b", interface: "cali3", addresses: [other]) == [address, other], "what it had and what it has")
        #expect(
            claims.names(on: "cali1").isEmpty && claims.names(on: "cali3") == ["b"]
                && claims.names(claiming: address) == ["c"])
    }

    @Test(arguments: 0..<50) func `whatever the order of changes, the state is that of the claims that are left`(
        seed: UInt64
    ) {
        var random = seed
        func next(_ bound: UInt64) -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (random >> 33) % bound
        }
        var claims = AddressClaims()
        var left: [String: (interface: String, addresses: [IPAddress])] = [:]
        for _ in 0..<200 {
            let name = "p\(next(6))"
            if next(3) == 0 {
                #expect(claims.remove(name) == Set(left.removeValue(forKey: name)?.addresses ?? []))
            } else {
                let addresses = (0..<next(4)).map { _ in IPAddress(v4: 0x0A41_0000 + UInt32(next(5))) }
                let before = left.updateValue(("cali\(next(4))", addresses), forKey: name)?.addresses ?? []
                #expect(
                    claims.set(name, interface: left[name]?.interface ?? "", addresses: addresses)
                        == Set(before + addresses))
            }
            for number in UInt32(0)..<5 {
                let address = IPAddress(v4: 0x0A41_0000 + number)
                #expect(
                    claims.names(claiming: address)
                        == left.filter { $0.value.addresses.contains(address) }.keys.sorted())
            }
            for number in 0..<4 {
                #expect(
                    claims.names(on: "cali\(number)") == Set(left.filter { $0.value.interface == "cali\(number)" }.keys)
                )
            }
            #expect(Set(claims.addresses) == Set(left.values.flatMap(\.addresses)))
        }
    }
}
