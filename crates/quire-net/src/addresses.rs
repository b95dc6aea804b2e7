//! What an address says.

use std::net::IpAddr;

use libp2p::core::Multiaddr;
use libp2p::multiaddr::Protocol;

pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(IpAddr::V4(ip)),
        Some(Protocol::Ip6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

pub fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

pub fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

/// Whether the address means the same everywhere on the internet.
pub fn is_global(address: &Multiaddr) -> bool {
    match ip_of(address) {
        None => false,
        Some(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || (a == 192 && b == 0 && c == 0))
        }
        Some(IpAddr::V6(ip)) => {
            let first = ip.segments()[0];
            first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0xdb8)
        }
    }
}

/// The address with another IP of the same family; None for loopback and circuits.
pub fn with_ip(address: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let own = ip_of(address)?;
    if own.is_loopback() || own.is_ipv4() != ip.is_ipv4() || is_circuit(address) {
        return None;
    }
    address.replace(0, |_| Some(ip.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_that_mean_something_at_home_only_are_not_global() {
        for text in [
            "/ip4/10.1.2.3/tcp/1",
            "/ip4/192.168.0.1/tcp/1",
            "/ip4/172.20.0.1/tcp/1",
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip4/100.64.1.1/tcp/1",
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/224.0.0.1/udp/1",
            "/ip4/255.255.255.255/udp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/2001:db8::1/tcp/1",
            "/dns4/example.org/tcp/1",
        ] {
            assert!(!is_global(&at(text)), "{text}");
        }
        for text in ["/ip4/5.6.7.8/tcp/1", "/ip4/100.128.0.1/tcp/1", "/ip6/2a00::1/tcp/1"] {
            assert!(is_global(&at(text)), "{text}");
        }
    }
}
