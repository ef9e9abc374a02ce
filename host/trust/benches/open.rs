//! What it costs to know who made a plugin: opening one of 1 MiB as a directory that nobody signed, and
//! as a signed bundle.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark is a test")]
#![allow(clippy::disallowed_methods, reason = "a benchmark writes its own files")]

use std::hint::black_box;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use criterion::{Criterion, criterion_group, criterion_main};
use ringfence_bundle::archive::{SIGNATURE_FILE, seal};
use ringfence_bundle::{Manifest, Opened, manifest, open_any};
use ringfence_trust::{
    Checked, LayerKind, SecretKey, Signature, Timestamp, TrustLayer, TrustStore, TrustedComment,
    plain, verify,
};

const MANIFEST: &str =
    "[plugin]\nname = \"large\"\nversion = \"1.0.0\"\ncomponent = \"large.wasm\"\n";
const SIZE_BYTES: usize = 1024 * 1024;

/// Returns a component with a section of data that does not compress, `SIZE_BYTES` in all.
fn component() -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let data = [&[1, b'x'][..], &noise.take(SIZE_BYTES).collect::<Vec<_>>()].concat();
    bytes.push(0);
    let mut size = data.len();
    while size >= 0x80 {
        bytes.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    bytes.push(u8::try_from(size).unwrap());
    bytes.extend(data);
    bytes
}

fn open(dir: &Dir, name: &str, store: &TrustStore) -> Checked {
    match open_any(dir, name, name).unwrap() {
        Opened::Plain(plugin) => plain(plugin, store).unwrap(),
        Opened::Sealed(sealed) => verify(sealed, store, Timestamp::now()).unwrap(),
    }
}

fn opening(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    std::fs::create_dir(at("plain")).unwrap();
    std::fs::write(at("plain/plugin.toml"), MANIFEST).unwrap();
    std::fs::write(at("plain/large.wasm"), component()).unwrap();

    let key = SecretKey::generate().unwrap();
    let files = [("plugin.toml", MANIFEST.as_bytes().to_vec()), ("large.wasm", component())];
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes)).into();
    let sealed = seal(files, "large.rfz").unwrap();
    let meant: Manifest = manifest::parse_bytes(MANIFEST.as_bytes(), "plugin.toml").unwrap();
    let comment = TrustedComment::new(&meant, Timestamp::now()).to_string();
    let signature = Signature::sign(sealed.sums(), &comment, &key).to_file().into_bytes();
    let sealed = sealed.with_signature(SIGNATURE_FILE, signature).unwrap();
    sealed.write(&mut std::fs::File::create(at("large.rfz")).unwrap()).unwrap();

    let (id, public) = (key.public().id(), key.public());
    let text = format!("[[key]]\nid = \"{id}\"\npublic = \"{public}\"\nname = \"P\"\n");
    let layer = TrustLayer::parse(LayerKind::User, "trust.toml", &text).unwrap();
    let store = TrustStore::new([layer]).unwrap();
    let dir = Dir::open_ambient_dir(scratch.path(), ambient_authority()).unwrap();
    for (what, name) in [("a directory, unsigned", "plain"), ("a signed bundle", "large.rfz")] {
        assert_eq!(open(&dir, name, &store).signer().is_some(), name == "large.rfz");
        criterion.bench_function(&format!("open 1 MiB: {what}"), |bencher| {
            bencher.iter(|| open(&dir, black_box(name), &store));
        });
    }
    let whole = match open_any(&dir, "large.rfz", "large.rfz").unwrap() {
        Opened::Sealed(sealed) => sealed,
        Opened::Plain(_) => return,
    };
    criterion.bench_function("of which signature and manifest", |bencher| {
        let once = || whole.clone();
        bencher.iter_batched(
            once,
            |sealed| verify(sealed, &store, Timestamp::now()).unwrap(),
            criterion::BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, opening);
criterion_main!(benches);
