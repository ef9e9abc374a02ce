//! Which addresses a guest's request may be sent to: public ones, unless the operator said otherwise.
//!
//! Invariant: a [`CheckedAddress`] can only be made by [`AddressRules::check_all`], and only checked
//! addresses are dialled. An answer with one address that is not public is refused whole: an honest
//! name does not mix them, a rebinding one does.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be dialled.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    pub(super) also: Vec<IpNet>,
}

/// An address that the rules let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedAddress {
    address: IpAddr,
    by_operator: bool,
}

impl CheckedAddress {
    /// Returns the address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Tells whether it is dialled only because the operator named its network (see
    /// [`danger::also`](super::danger::also)).
    pub fn is_by_operator(self) -> bool {
        self.by_operator
    }
}

/// An address that must not be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is not a public address: {class}")]
#[non_exhaustive]
pub struct NotPublic {
    /// The address.
    pub address: IpAddr,
    /// What it is instead, such as `loopback`.
    pub class: &'static str,
}

impl AddressRules {
    /// Returns the rules that let public addresses through and nothing else.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Checks one address.
    ///
    /// # Errors
    /// When it is neither public nor in a network the operator named.
    pub fn check(&self, address: IpAddr) -> Result<CheckedAddress, NotPublic> {
        match special(address) {
            None => Ok(CheckedAddress { address, by_operator: false }),
            Some(_) if self.also.iter().any(|net| net.contains(&address)) => {
                Ok(CheckedAddress { address, by_operator: true })
            }
            Some(class) => Err(NotPublic { address, class }),
        }
    }

    /// Checks a whole answer of a resolver.
    ///
    /// # Errors
    /// When any address in it must not be dialled.
    pub fn check_all(&self, addresses: &[IpAddr]) -> Result<Vec<CheckedAddress>, NotPublic> {
        addresses.iter().map(|address| self.check(*address)).collect()
    }
}

/// Returns what kind of special address it is, or nothing for a public one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// First match wins, so the narrow ranges stand before the wide ones.
const SPECIAL_V4: &[([u8; 4], u32, &str)] = &[
    ([169, 254, 169, 254], 32, "cloud metadata"),
    ([100, 100, 100, 200], 32, "cloud metadata"),
    ([192, 0, 0, 192], 32, "cloud metadata"),
    // Looks public, but is answered by the hypervisor of one cloud.
    ([168, 63, 129, 16], 32, "cloud metadata"),
    ([255, 255, 255, 255], 32, "broadcast"),
    ([0, 0, 0, 0], 32, "unspecified"),
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a carrier"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let inside = |base: [u8; 4], length: u32| {
        let differs = bits ^ Ipv4Addr::from(base).to_bits();
        differs.leading_zeros() >= length
    };
    SPECIAL_V4.iter().find(|(base, length, _)| inside(*base, *length)).map(|(_, _, name)| *name)
}

/// First match wins. What none of these covers is public inside `2000::/3` and reserved elsewhere.
const SPECIAL_V6: &[([u16; 8], u32, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "local NAT64"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo"),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, "cloud metadata"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique local"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "site-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let inside = |base: [u16; 8], length: u32| {
        let differs = bits ^ Ipv6Addr::from(base).to_bits();
        differs.leading_zeros() >= length
    };
    // 64:ff9b::/96 is how an IPv6-only network reaches the IPv4 internet: what counts is the IPv4
    // address inside, and the range must not be used for others.
    if inside([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d))
            .map(|_| "NAT64 of an address that is not public");
    }
    let known = SPECIAL_V6.iter().find(|(base, length, _)| inside(*base, *length));
    match known {
        Some((_, _, name)) => Some(name),
        None if inside([0x2000, 0, 0, 0, 0, 0, 0, 0], 3) => None,
        None => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::http::danger;

    const CASES: &[(&str, &str)] = &[
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "this network"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "shared by a carrier"),
        ("100.127.255.255", "shared by a carrier"),
        ("100.100.100.200", "cloud metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("168.63.129.16", "cloud metadata"),
        ("169.254.1.1", "link-local"),
        ("169.254.169.254", "cloud metadata"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "reserved"),
        ("192.0.0.192", "cloud metadata"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4 relay"),
        ("192.168.0.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "IPv4-compatible"),
        ("::ffff:127.0.0.1", "IPv4-mapped"),
        ("::ffff:8.8.8.8", "IPv4-mapped"),
        ("64:ff9b::7f00:1", "NAT64 of an address that is not public"),
        ("64:ff9b::a9fe:a9fe", "NAT64 of an address that is not public"),
        ("64:ff9b:1::808:808", "local NAT64"),
        ("100::1", "discarded"),
        ("2001::1", "Teredo"),
        ("2001:2::1", "benchmarking"),
        ("2001:10::1", "reserved"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::", "6to4"),
        ("2002:808:808::1", "6to4"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("5f00::1", "reserved"),
        ("fc00::1", "unique local"),
        ("fd00:ec2::254", "cloud metadata"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
    ];

    #[test]
    fn an_address_that_is_not_public_is_refused_by_its_class() {
        for (text, class) in CASES {
            let address = text.parse().unwrap();
            let refused = AddressRules::public_only().check(address).unwrap_err();
            assert_eq!(refused, NotPublic { address, class }, "{text}");
        }
    }

    #[test]
    fn the_operator_can_name_each_of_them() {
        for (text, _) in CASES {
            let address: IpAddr = text.parse().unwrap();
            let rules = danger::also(AddressRules::public_only(), [IpNet::from(address)]);
            assert!(rules.check(address).unwrap().is_by_operator(), "{text}");
        }
    }

    #[test]
    fn the_neighbours_of_special_ranges_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2003::1",
            "64:ff9b::808:808",
        ] {
            let address = text.parse().unwrap();
            assert!(
                !AddressRules::public_only().check(address).unwrap().is_by_operator(),
                "{text}"
            );
        }
    }

    #[test]
    fn one_bad_address_spoils_the_answer() {
        let mixed = ["1.1.1.1", "127.0.0.1"].map(|text| text.parse().unwrap());
        let refused = AddressRules::public_only().check_all(&mixed).unwrap_err();
        assert_eq!(refused.class, "loopback");
        let rules = danger::also(AddressRules::public_only(), ["127.0.0.0/8".parse().unwrap()]);
        assert_eq!(rules.check_all(&mixed).unwrap().len(), 2);
    }
}
