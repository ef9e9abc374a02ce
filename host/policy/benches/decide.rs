//! How long one decision takes: a profile, the protected names, a trust cap and two narrowing
//! layers.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark is a test")]

use criterion::{Criterion, criterion_group, criterion_main};
use ringfence_capability::Profile;
use ringfence_policy::{Answers, Layer, LayerKind, Policy};
use std::hint::black_box;

const USER: &str = r#"
[[rule]]
capability = "fs.read"
scope = "workspace/secrets"
decision = "forbid"
reason = "keys"
[[rule]]
capability = "http.read"
scope = "*.example.org"
decision = "prompt"
reason = "metered"
"#;
const HOST: &str = r#"
[default]
"http.read" = "forbid"
[[rule]]
capability = "http.read"
scope = "*.wikipedia.org"
decision = "allow"
reason = "reference"
"#;

fn decide(criterion: &mut Criterion) {
    let policy = Policy::new(
        Profile::Trusted,
        vec![
            Layer::cap(Profile::WorkspaceWrite, "signed"),
            Layer::parse(LayerKind::Host, "host.toml", HOST).unwrap(),
            Layer::parse(LayerKind::User, "user.toml", USER).unwrap(),
        ],
    );
    let answers = Answers::from_flags(["env:HOME", "env:LANG"]).unwrap();
    for request in [
        "fs.read:workspace/docs",
        "fs.write:workspace/out/build",
        "http.read:en.wikipedia.org",
        "env:HOME",
    ] {
        let capability = Answers::capability(request).unwrap();
        criterion.bench_function(&format!("decide {request}"), |bencher| {
            bencher.iter(|| black_box(&policy).decide(black_box(&capability), &answers));
        });
    }
}

fn load(criterion: &mut Criterion) {
    criterion.bench_function("read a layer", |bencher| {
        bencher.iter(|| Layer::parse(LayerKind::Host, "host.toml", black_box(HOST)).unwrap());
    });
    criterion.bench_function("policy of a profile, already read", |bencher| {
        bencher.iter(|| Policy::new(black_box(Profile::Offline), Vec::new()));
    });
}

criterion_group!(benches, decide, load);
criterion_main!(benches);
