//! What the tests of this crate share: directories, components made from WIT, messages.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "tests")]

use crate::BundleError;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_capability::Diagnostic as _;
use std::error::Error as _;
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, WorldId};

/// Returns a fresh directory with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> (TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
    for (name, content) in files {
        if let Some((parent, _)) = name.rsplit_once('/') {
            dir.create_dir_all(parent).unwrap();
        }
        dir.write(name, content).unwrap();
    }
    (temp, dir)
}

/// Returns the packages of these WIT texts, dependencies first, and the only world of the last one.
pub(crate) fn resolve(packages: &[&str]) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let mut last = None;
    for (index, text) in packages.iter().enumerate() {
        last = Some(resolve.push_str(format!("{index}.wit"), text).unwrap());
    }
    let world = resolve.select_world(&[last.unwrap()], None).unwrap();
    (resolve, world)
}

/// Returns a component of the only world in these WIT texts; its functions trap when called.
pub(crate) fn component(packages: &[&str]) -> Vec<u8> {
    let (resolve, world) = resolve(packages);
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// Returns an error as the command line shows it: code, text, causes, hint.
pub(crate) fn told(error: &BundleError) -> String {
    let mut text = format!("error[{}]: {error}", error.code());
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("\n  cause: {cause}"));
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

/// Returns `bytes` changed at a few places that `seed` decides, or cut off.
pub(crate) fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len());
        match next(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(next(256)).unwrap()),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 if !bytes.is_empty() => {
                let from = next(bytes.len());
                let piece = bytes[from..bytes.len().min(from + 1 + next(16))].to_vec();
                bytes.splice(at..at, piece);
            }
            4 if !bytes.is_empty() => bytes[at] ^= 1 << next(8),
            _ if !bytes.is_empty() => bytes[at] = u8::try_from(next(256)).unwrap(),
            _ => {}
        }
    }
    bytes
}
