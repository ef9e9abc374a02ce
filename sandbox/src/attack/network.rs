//! Attacks over sockets.

use super::call::{Arg, call, number, socket};
use super::ground::Ground;
use super::outcome::{Outcome, Tries};
use super::scene::{Room, Scene};
use super::{Attack, FILTER, PLAIN, Twin};
use crate::danger::Protection;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

/// No namespace, no filter, no rules for connections.
const NETWORK: Twin =
    Twin::Without(&[Protection::Network, Protection::Seccomp, Protection::Landlock]);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 23,
        name: "connect_to_the_host_s_loopback",
        title: "connects to a service of the host on 127.0.0.1",
        held: &["EPERM", "EACCES", "ECONNREFUSED"],
        twin: NETWORK,
        arrange: listen,
        inside: |scene, tries| {
            let to = SocketAddr::from(([127, 0, 0, 1], scene.tcp));
            tries.io("connect", TcpStream::connect_timeout(&to, Duration::from_secs(2)));
            let mapped = SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], scene.tcp));
            tries.io("connect mapped", TcpStream::connect_timeout(&mapped, Duration::from_secs(2)));
            Ok(())
        },
        judge: |ground, outcome| match &ground.tcp {
            Some(listener) if listener.accept().is_ok() => {
                Outcome::Escaped("the host took a connection".to_owned())
            }
            _ => outcome,
        },
        ..PLAIN
    },
    Attack {
        number: 24,
        name: "send_datagrams_and_ask_for_names",
        title: "sends datagrams to the host and to a name server",
        held: &["EPERM", "ENETUNREACH", "ECONNREFUSED", "EACCES", "nothing arrived"],
        twin: NETWORK,
        arrange: listen,
        inside: datagrams,
        judge: |ground, outcome| {
            let arrived = ground.udp.as_ref().is_some_and(|udp| udp.recv(&mut [0; 16]).is_ok());
            match (arrived, outcome) {
                (true, _) => Outcome::Escaped("the host got a datagram".to_owned()),
                (false, Outcome::Escaped(what)) if what == "to the host" => {
                    Outcome::held(&what, "nothing arrived")
                }
                (false, other) => other,
            }
        },
        ..PLAIN
    },
    Attack {
        number: 25,
        name: "connect_to_an_abstract_socket",
        title: "connects to an abstract socket of the host",
        held: &["EPERM"],
        twin: NETWORK,
        arrange: |ground, _| {
            let address = abstract_address(&ground.mark)?;
            let listener = UnixListener::bind_addr(&address).map_err(|error| error.to_string())?;
            ground.kept.push(Box::new(listener));
            Ok(())
        },
        inside: |scene, tries| {
            let address = abstract_address(&scene.mark)?;
            tries.io("connect", UnixStream::connect_addr(&address));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 26,
        name: "connect_to_a_socket_in_the_workspace",
        title: "talks to a service of the host whose socket lies in the workspace",
        held: &["EPERM"],
        twin: FILTER,
        rooms: |room| !room.is_staged(),
        arrange: |ground, _| {
            let stream =
                UnixListener::bind(ground.inside("s")).map_err(|error| error.to_string())?;
            let datagrams =
                UnixDatagram::bind(ground.inside("d")).map_err(|error| error.to_string())?;
            ground.kept.push(Box::new((stream, datagrams)));
            Ok(())
        },
        inside: |_, tries| {
            tries.io("stream", UnixStream::connect("s"));
            tries.io("datagram", UnixDatagram::unbound().and_then(|one| one.send_to(b"x", "d")));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 26,
        name: "connect_to_a_socket_outside",
        title: "talks to a service of the host whose socket lies outside of the workspace",
        held: &["EPERM", "ENOENT"],
        twin: Twin::Without(&[Protection::Files, Protection::Landlock, Protection::Seccomp]),
        arrange: |ground, _| {
            let socket = ground.outside("s");
            let listener = UnixListener::bind(socket).map_err(|error| error.to_string())?;
            ground.kept.push(Box::new(listener));
            Ok(())
        },
        inside: |_, tries| {
            tries.io("connect", UnixStream::connect("../outside/s"));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 27,
        name: "reach_the_hypervisor",
        title: "makes a socket to the host of a virtual machine",
        held: &["EPERM"],
        twin: FILTER,
        inside: |_, tries| {
            tries.call("vsock", socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 28,
        name: "make_sockets_of_odd_families",
        title: "makes netlink, packet, raw and kernel cryptography sockets",
        held: &["EPERM", "EACCES"],
        twin: FILTER,
        inside: |_, tries| {
            tries.call("netlink", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE));
            tries.call("packet", socket(libc::AF_PACKET, libc::SOCK_RAW, 0));
            tries.call("raw", socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP));
            tries.call("cryptography", socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 29,
        name: "make_calls_through_io_uring",
        title: "sets up a ring whose calls no filter sees",
        held: &["ENOSYS"],
        twin: FILTER,
        inside: |_, tries| {
            let mut parameters = [0; 128];
            let mut arguments = [number(4), Arg::Room(&mut parameters)];
            tries.call("io_uring", call(libc::SYS_io_uring_setup, &mut arguments));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 35,
        name: "go_past_the_proxy",
        title: "ignores the proxy variables, and listens on a port of its own",
        held: &["EACCES", "ENETUNREACH", "ECONNREFUSED", "EPERM", "no address"],
        twin: Twin::None("without a namespace the attack would need a network beyond this machine"),
        rooms: |room: &Room| room.proxied,
        inside: past_the_proxy,
        ..PLAIN
    },
];

fn listen(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    let open = || -> io::Result<(TcpListener, UdpSocket)> {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.set_nonblocking(true)?;
        Ok((tcp, udp))
    };
    let (tcp, udp) = open().map_err(|error| error.to_string())?;
    scene.tcp = tcp.local_addr().map_err(|error| error.to_string())?.port();
    scene.udp = udp.local_addr().map_err(|error| error.to_string())?.port();
    (ground.tcp, ground.udp) = (Some(tcp), Some(udp));
    Ok(())
}

fn abstract_address(mark: &str) -> Result<UnixAddr, String> {
    UnixAddr::from_abstract_name(format!("ringfence-{mark}")).map_err(|error| error.to_string())
}

fn datagrams(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let send = |to: SocketAddr| {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        UdpSocket::bind(any).and_then(|udp| udp.send_to(b"x", to))
    };
    // Addresses that are for documentation: nobody answers there.
    tries.io("name server", send(SocketAddr::from(([192, 0, 2, 1], 53))));
    tries.io("to the host", send(SocketAddr::from(([127, 0, 0, 1], scene.udp))));
    Ok(())
}

fn past_the_proxy(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let timeout = Duration::from_millis(500);
    let connect = |to: SocketAddr| TcpStream::connect_timeout(&to, timeout);
    tries.io("a public address", connect(SocketAddr::from(([192, 0, 2, 1], 80))));
    tries.io("the metadata service", connect(SocketAddr::from(([169, 254, 169, 254], 80))));
    tries.io("another port", connect(SocketAddr::from(([127, 0, 0, 1], 80))));
    let found = std::net::ToSocketAddrs::to_socket_addrs("example.com:80");
    tries.check("a name", scene.proxied && found.is_ok(), "no address");
    Ok(())
}
