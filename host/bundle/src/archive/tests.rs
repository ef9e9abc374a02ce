//! Bundles as they should be, and one of every kind that is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::testing::folder;
use ringfence_capability::Diagnostic as _;

mod hostile;

/// The files of a small plugin; the component is as large as one block and a bit.
pub(crate) fn plugin() -> BTreeMap<String, Vec<u8>> {
    let deep = format!("wit/{}/{}.wit", "d".repeat(80), "x".repeat(40));
    let files: [(&str, &[u8]); 5] = [
        ("plugin.toml", b"[plugin]\nname = \"a\"\n"),
        ("a.wasm", &[7; 513]),
        ("README.md", b""),
        (&deep, &[b' '; 512]),
        ("wit/a.wit", b"package a:b;"),
    ];
    files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect()
}

pub(crate) fn packed(sealed: &Sealed) -> Vec<u8> {
    let mut bytes = Vec::new();
    sealed.write(&mut bytes).unwrap();
    bytes
}

fn signed() -> Sealed {
    let sealed = seal(plugin(), "a.rfz").unwrap();
    let sealed = sealed.with_signature("SHA256SUMS.minisig", b"one".to_vec()).unwrap();
    sealed.with_signature("SHA256SUMS.00AA00AA00AA00AA.minisig", b"two".to_vec()).unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    for sealed in [seal(plugin(), "a.rfz").unwrap(), signed()] {
        let bytes = packed(&sealed);
        let again = read(bytes.as_slice(), "a.rfz").unwrap();
        assert_eq!(again, sealed);
        assert_eq!(packed(&again), bytes);
    }
}

#[test]
fn signatures_change_the_archive_and_not_the_digest() {
    let (bare, signed) = (seal(plugin(), "a.rfz").unwrap(), signed());
    assert_eq!(bare.digest(), signed.digest());
    assert_ne!(packed(&bare), packed(&signed));
    assert_eq!(signed.without_signatures(), bare);
}

#[test]
fn a_directory_is_read_like_the_archive_of_it() {
    let sealed = signed();
    let mut files: Vec<(&str, &[u8])> = sealed.files().chain(sealed.signatures()).collect();
    files.push((SUMS_FILE, sealed.sums()));
    let (_temp, dir) = folder(&files);
    assert!(is_sealed(&dir));
    assert_eq!(read_tree(&dir, "a.rfz").unwrap(), sealed);

    dir.write("extra", b"x").unwrap();
    assert_eq!(read_tree(&dir, "a").unwrap_err().code(), "bundle::not-listed");
    dir.remove_file("extra").unwrap();
    dir.write("README.md", b"other").unwrap();
    assert_eq!(read_tree(&dir, "a").unwrap_err().code(), "bundle::changed");
    dir.remove_file("README.md").unwrap();
    assert_eq!(read_tree(&dir, "a").unwrap_err().code(), "bundle::missing-file");
    #[cfg(unix)]
    {
        dir.symlink("plugin.toml", "README.md").unwrap();
        assert_eq!(read_tree(&dir, "a").unwrap_err().code(), "bundle::not-plain-file");
    }
}

#[test]
fn the_first_bytes_of_a_bundle_never_change() {
    // A golden: every byte that is not the content of a file.
    let files = BTreeMap::from([("plugin.toml".to_owned(), b"x\n".to_vec())]);
    let bytes = packed(&seal(files, "a.rfz").unwrap());
    assert_eq!(bytes.len(), 512 * 6);
    assert_eq!(
        bytes[..512].trim_ascii_end().escape_ascii().to_string().replace("\\x00", "."),
        format!(
            "SHA256SUMS{}0000644.0000000.0000000.00000000116.02263523000.010535. 0{}ustar.00{}\
             0000000.0000000.{}",
            ".".repeat(90),
            ".".repeat(100),
            ".".repeat(64),
            ".".repeat(167),
        )
    );
    assert_eq!(
        sha256(&bytes).to_string(),
        "sha256:5b856727624f1c4f6f7994e1e811c4bc312c896e68a9c6b81e687950b26c2021"
    );
}

#[test]
fn limits_are_as_documented() {
    assert_eq!(
        (MAX_FILES, MAX_FILE_BYTES, MAX_TOTAL_BYTES, MAX_SUMS_BYTES),
        (4096, 256 << 20, 320 << 20, 1 << 20)
    );
    assert_eq!((MAX_SIGNATURE_BYTES, MAX_SIGNATURES), (4096, 16));
    assert_eq!((MAX_PATH_BYTES, MAX_PART_BYTES, MAX_DEPTH), (150, 100, 16));
}

#[test]
fn the_longest_list_fits_its_limit() {
    let line = 64 + 2 + MAX_PATH_BYTES + 1;
    assert!(line * MAX_FILES <= usize::try_from(MAX_SUMS_BYTES).unwrap());
}

#[test]
fn every_path_within_the_limits_fits_a_header() {
    for first in 1..=MAX_PART_BYTES {
        for second in 1..=MAX_PART_BYTES.min(MAX_PATH_BYTES - 1 - first) {
            let path = format!("{}/{}", "a".repeat(first), "b".repeat(second));
            assert_eq!(names::check(&path), Ok(()), "{path}");
            let block = header::write(&path, 0).unwrap();
            assert_eq!(header::read(&block, 0).unwrap().name, path);
        }
    }
}

#[test]
fn names_of_signatures_are_told_from_others() {
    let good = ["SHA256SUMS.minisig", "SHA256SUMS.0123456789ABCDEF.minisig"];
    assert!(good.into_iter().all(is_signature));
    for bad in [
        "SHA256SUMS",
        "SHA256SUMS.sig",
        "sha256sums.minisig",
        "SHA256SUMS.0123456789abcdef.minisig",
        "SHA256SUMS.0123.minisig",
        "x/SHA256SUMS.minisig",
    ] {
        assert!(!is_signature(bad), "{bad}");
    }
}

#[test]
fn signatures_are_added_within_limits() {
    let sealed = seal(plugin(), "a.rfz").unwrap();
    let code = |sealed: Result<Sealed, ArchiveError>| sealed.unwrap_err().code();
    assert_eq!(code(sealed.clone().with_signature("x", vec![])), "bundle::reserved-name");
    let large = sealed.clone().with_signature(SIGNATURE_FILE, vec![0; 4097]);
    assert_eq!(code(large), "bundle::file-too-large");
    let mut many = sealed;
    for id in 0..MAX_SIGNATURES {
        many = many.with_signature(&format!("SHA256SUMS.{id:016X}.minisig"), vec![]).unwrap();
    }
    assert_eq!(read(packed(&many).as_slice(), "a.rfz").unwrap(), many);
    let again = many.clone().with_signature("SHA256SUMS.0000000000000000.minisig", vec![1]);
    assert!(again.is_ok(), "one of the same name is replaced");
    assert_eq!(code(many.with_signature(SIGNATURE_FILE, vec![])), "bundle::too-many-signatures");
}

#[test]
fn the_bytes_of_files_are_not_shown_for_debugging() {
    let shown = format!("{:?}", signed());
    assert!(shown.contains("README.md") && !shown.contains("plugin]"), "{shown}");
}
