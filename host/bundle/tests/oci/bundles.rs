//! Bundles to push, and what is asked about them.

use ringfence_bundle::archive::{self, Sealed};
use ringfence_bundle::oci::{OciError, Options, Progress, Pulled, Pushed, Reference, pull, push};
use std::collections::BTreeMap;
use std::error::Error;

const MANIFEST: &str = "[plugin]\nname = \"word-count\"\nversion = \"0.1.0\"\n\
    description = \"Counts words\"\ncomponent = \"word-count.wasm\"\nlicense = \"MIT\"\n";

/// Returns the component of every bundle here.
pub(crate) fn component() -> Vec<u8> {
    wat::parse_str("(component)").unwrap()
}

/// Returns a bundle with this README, which makes it differ from others, and two signatures.
pub(crate) fn bundle(readme: &str) -> Sealed {
    let files = [
        ("plugin.toml", MANIFEST.as_bytes().to_vec()),
        ("word-count.wasm", component()),
        ("README.md", readme.as_bytes().to_vec()),
        ("licenses/MIT.txt", b"free".to_vec()),
        ("licenses/again.txt", b"free".to_vec()),
        ("empty", Vec::new()),
    ];
    let files: BTreeMap<_, _> = files.into_iter().map(|(path, b)| (path.to_owned(), b)).collect();
    let sealed = archive::seal(files, "word-count.rfz").unwrap();
    let sealed = sealed.with_signature("SHA256SUMS.minisig", b"untrusted comment: a\n".to_vec());
    let key = "SHA256SUMS.0123456789ABCDEF.minisig";
    sealed.unwrap().with_signature(key, b"untrusted comment: b\n".to_vec()).unwrap()
}

/// Returns the bytes of the `.rfz`.
pub(crate) fn bytes(sealed: &Sealed) -> Vec<u8> {
    let mut bytes = Vec::new();
    sealed.write(&mut bytes).unwrap();
    bytes
}

pub(crate) fn options() -> Options {
    Options::new().unwrap()
}

pub(crate) async fn send(sealed: &Sealed, to: &str, options: &Options) -> Result<Pushed, OciError> {
    push(sealed, &reference(to), options, &Progress::default()).await
}

pub(crate) async fn fetch(from: &str, options: &Options) -> Result<Pulled, OciError> {
    pull(&reference(from), options, &Progress::default()).await
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Returns an error with everything behind it, as one text.
pub(crate) fn told(error: &OciError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
