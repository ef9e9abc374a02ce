//! Damaged bundles: refused with a message or read, and never a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[path = "../../../fuzz/checks/archive.rs"]
mod archive;
#[path = "../../../fuzz/smoke.rs"]
mod smoke;
#[path = "../../../fuzz/checks/told.rs"]
mod told;

use ringfence_bundle::archive::{SIGNATURE_FILE, Sealed, seal};
use smoke::{Format, Random};

const BLOCK: usize = 512;

/// What means something in a bundle.
const ARCHIVE: Format = Format {
    words: &[
        "SHA256SUMS",
        ".minisig",
        "plugin.toml",
        "../",
        "/",
        "\\",
        "\0",
        "0000644",
        "0000755",
        "02263523000",
        "77777777777",
        "ustar",
        "ustar  ",
        "a.wasm",
        "A.WASM",
        "  ",
        "\n",
        "x",
        "5",
    ],
    cut: |bytes| bytes.chunks(BLOCK).map(<[u8]>::to_vec).collect(),
    join: |pieces| pieces.concat(),
};

fn packed(sealed: &Sealed) -> Vec<u8> {
    let mut bytes = Vec::new();
    sealed.write(&mut bytes).unwrap();
    bytes
}

fn samples() -> Vec<Vec<u8>> {
    let file = |path: &str, size: usize| (path.to_owned(), vec![b'x'; size]);
    let deep = format!("wit/{}/{}.wit", "d".repeat(80), "x".repeat(40));
    let small = seal([file("plugin.toml", 20), file("a.wasm", 600)].into(), "a").unwrap();
    let large = [file("plugin.toml", 20), file("a.wasm", 5000), file(&deep, 512), file("z", 0)];
    let large = seal(large.into(), "b").unwrap();
    let signed = small.clone().with_signature(SIGNATURE_FILE, b"signature\n".to_vec()).unwrap();
    let name = "SHA256SUMS.0123456789ABCDEF.minisig";
    let twice = signed.clone().with_signature(name, b"another\n".to_vec()).unwrap();
    [small, large, signed, twice].iter().map(packed).collect()
}

/// Gives every header the checksum it should have, so that damage gets past that check.
fn with_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn damaged(random: &mut Random, samples: &[Vec<u8>]) -> Vec<u8> {
    // Now and then none at all: what is accepted has promises to keep too.
    if random.below(16) == 0 {
        return random.pick(samples).cloned().unwrap_or_default();
    }
    with_checksums(ARCHIVE.mutate(random, samples))
}

#[test]
fn fuzz_smoke_archive() {
    let samples = samples();
    assert!(samples.iter().all(|sample| archive::archive(sample)), "a sample is refused");
    smoke::run(3_000, |random| damaged(random, &samples), archive::archive);
}
