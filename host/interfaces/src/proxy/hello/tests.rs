//! First messages, real ones and ones made to mislead.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

/// Returns what a real client sends first.
fn real(host: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn counted(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], content].concat()
}

fn sni(names: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<u8> =
        names.iter().flat_map(|(kind, name)| [vec![*kind], counted(name)].concat()).collect();
    [vec![0, 0], counted(&counted(&list))].concat()
}

/// Returns a message with these extensions, in one record.
fn made(extensions: &[u8]) -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 19, 1, 1, 0], &counted(extensions)].concat();
    record(&message(&body))
}

fn message(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1][..], &length[1..], body].concat()
}

fn record(content: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &counted(content)].concat()
}

fn tls(name: &str) -> Hello {
    Hello::Tls(Some(name.to_owned()))
}

#[test]
fn a_real_client_names_its_host_and_an_address_is_not_named() {
    assert_eq!(read(&real("example.test")), tls("example.test"));
    assert_eq!(read(&real("192.0.2.1")), Hello::Tls(None));
}

#[test]
fn every_beginning_of_a_message_is_partial_and_only_the_whole_decides() {
    let whole = real("example.test");
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end]), Hello::Partial, "{end}");
    }
}

#[test]
fn a_message_spread_over_records_is_put_together() {
    let whole = made(&sni(&[(0, b"example.test")]));
    for size in [1, 3, 4, 5, 50] {
        let spread: Vec<u8> = whole[5..].chunks(size).flat_map(record).collect();
        assert_eq!(read(&spread), tls("example.test"), "{size}");
    }
}

#[test]
fn what_could_mislead_is_not_taken() {
    let name = || sni(&[(0, b"example.test")]);
    let mut longer = made(&name());
    longer.push(0);
    let mut follows = made(&name())[5..].to_vec();
    follows.extend([1, 0, 0, 0]);
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 19, 1, 1, 0], &counted(&name())].concat();
    body.push(0);
    for (what, bytes) in [
        ("plain http", b"GET / HTTP/1.1\r\n".to_vec()),
        ("ssh", b"SSH-2.0-x\r\n".to_vec()),
        ("one byte of another protocol", b"G".to_vec()),
        ("SSL 2", vec![0x80, 0x2e, 1, 3, 1]),
        ("an alert", vec![21, 3, 1, 0, 2, 2, 40]),
        ("a server hello", record(&[2, 0, 0, 0])),
        ("an empty record", vec![22, 3, 1, 0, 0]),
        ("a record that is too long", vec![22, 3, 1, 0xff, 0xff]),
        ("a message that is too long", record(&[1, 0xff, 0xff, 0xff])),
        ("two names", made(&sni(&[(0, b"example.test"), (0, b"evil.test")]))),
        ("no name in the list", made(&sni(&[]))),
        ("an empty name", made(&sni(&[(0, b"")]))),
        ("a name of another type", made(&sni(&[(1, b"example.test")]))),
        ("a name with a NUL byte", made(&sni(&[(0, b"example.test\0.evil.test")]))),
        ("a name that is no text", made(&sni(&[(0, b"\xff\xfe")]))),
        ("the extension twice", made(&[name(), name()].concat())),
        ("an extension cut short", made(&[0, 0, 0, 9, 0])),
        ("bytes after the extensions", record(&message(&body))),
        ("another message in the same record", record(&follows)),
    ] {
        assert_eq!(read(&bytes), Hello::NotTls, "{what}");
    }
    // Bytes after the record are the relay's: they are passed on as they are.
    assert_eq!(read(&longer), tls("example.test"));
}

#[test]
fn a_message_without_a_name_is_seen_as_such() {
    assert_eq!(read(&made(&[])), Hello::Tls(None));
    assert_eq!(read(&made(&[0, 23, 0, 0])), Hello::Tls(None));
    assert_eq!(read(&made(&sni(&[(0, b"example.test")]))), tls("example.test"));
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
        read(&[&[22, 3, 1][..], &bytes].concat());
        read(&made(&bytes));
    }

    #[test]
    fn one_changed_byte_never_makes_another_name(place in 0_usize..90, byte in any::<u8>()) {
        let mut bytes = made(&sni(&[(0, b"example.test")]));
        let last = bytes.len() - 1;
        let name = bytes.len() - 12;
        let place = place.min(last);
        bytes[place] = byte;
        if let Hello::Tls(Some(name_seen)) = read(&bytes) {
            prop_assert!(place >= name || name_seen == "example.test");
        }
    }
}
