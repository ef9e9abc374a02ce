//! What holds for all plugins, over made-up ones.

use super::{Made, diff, grants};
use crate::inspect::{Extern, Function, Gives, Interface, PluginKind};
use crate::manifest::parse;
use crate::{Form, Plugin};
use proptest::prelude::*;
use serde_json::Value;

/// One `[[request]]`, from a small world in which many contain each other.
fn request() -> impl Strategy<Value = String> {
    let table = |capability: &str, keys: String| {
        format!("[[request]]\ncapability = \"{capability}\"\n{keys}\nreason = \"r\"\n")
    };
    let path = || "(\\.|[ab](/[ab])?)";
    prop_oneof![
        path().prop_map(move |path| table("fs.read", format!("path = \"{path}\""))),
        path().prop_map(move |path| table("fs.write", format!("path = \"{path}\""))),
        ("(\\*|(\\*\\.)?([ab]\\.)?org)(:81)?", "(read|write)").prop_map(move |(host, methods)| {
            table("http", format!("hosts = [\"{host}\"]\nmethods = \"{methods}\""))
        }),
        ("(\\*|(\\*\\.)?a\\.org)", "(authorization|x-key)").prop_map(move |(host, header)| {
            let keys = format!("name = \"K\"\nhosts = [\"{host}\"]\nheader = \"{header}\"");
            table("secret", keys)
        }),
        "[12]".prop_map(move |size| table("kv", format!("size = \"{size}MiB\""))),
        "[AB]".prop_map(move |name| table("env", format!("names = [\"{name}\"]"))),
        "(real|deterministic)".prop_map(move |s| table("clock", format!("source = \"{s}\""))),
    ]
}

/// The rest of a manifest: limits, the profile, what functions do.
fn rest() -> impl Strategy<Value = (String, String)> {
    let profile = proptest::option::of("(offline|read-only|trusted)");
    let limit = proptest::option::of("(1|256|512)MiB");
    let effect = || proptest::option::of("(read|write|external|exec)");
    let stub = proptest::bool::ANY;
    (profile, limit, effect(), effect(), stub).prop_map(|(profile, limit, f, g, stub)| {
        let line = |key: &str, value: Option<String>| {
            value.map(|value| format!("{key} = \"{value}\"\n")).unwrap_or_default()
        };
        let mut head = line("needs-profile", profile);
        if stub {
            head.push_str("stub-imports = [\"wasi:sockets/*\"]\n");
        }
        let mut rest = line("[limits]\nmemory", limit);
        for (name, effect) in [("f", f), ("g", g)] {
            if let Some(effect) = effect {
                rest.push_str(&format!("[tool.{name}]\neffect = \"{effect}\"\n"));
            }
        }
        (head, rest)
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let names = |all: &'static [&'static str]| proptest::sample::subsequence(all, 0..=all.len());
    let imports = &[
        "wasi:cli/stdout@0.2.6",
        "wasi:clocks/wall-clock@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "x:unknown/y@1.0.0",
    ];
    (names(imports), names(&["f", "g", "h"])).prop_map(|(imports, functions)| Interface {
        kind: PluginKind::Tools,
        imports: imports.into_iter().map(external).collect(),
        exports: functions.iter().copied().map(external).collect(),
        functions: functions.into_iter().map(function).collect(),
        producers: Vec::new(),
        wasi: Vec::new(),
    })
}

fn external(name: &str) -> Extern {
    let version = name.split_once('@').map(|(_, version)| version.parse().unwrap());
    Extern { name: name.to_owned(), version }
}

fn function(name: &str) -> Function {
    Function {
        full: name.to_owned(),
        short: name.to_owned(),
        interface: None,
        name: name.to_owned(),
        docs: String::new(),
        params: Vec::new(),
        result: None,
        is_async: false,
        input_schema: Value::Null,
        output_schema: Value::Null,
        callable: Ok(()),
        gives: Gives::Value,
        answers: None,
    }
}

/// A plugin with these requests; those that cannot stand together are left out.
fn made((head, rest): &(String, String), requests: &[String], interface: &Interface) -> Made {
    let text = |requests: &str| {
        format!(
            "[plugin]\nname = \"p\"\nversion = \"1.0.0\"\ncomponent = \"p.wasm\"\n{head}\n{requests}{rest}"
        )
    };
    let mut kept = String::new();
    for request in requests {
        let longer = format!("{kept}{request}");
        if parse(&text(&longer), "plugin.toml").is_ok() {
            kept = longer;
        }
    }
    let mut plugin = Plugin::from_bytes(wat::parse_str("(component)").unwrap(), "p.wasm").unwrap();
    plugin.manifest = parse(&text(&kept), "plugin.toml").unwrap();
    plugin.form = Form::Directory;
    (plugin, interface.clone())
}

/// What a plugin is made of.
type Parts = ((String, String), Vec<String>, Interface);

fn parts() -> impl Strategy<Value = Parts> {
    (rest(), proptest::collection::vec(request(), 0..4), interface())
}

/// The next version of a plugin: most of it stays, so that many ask for nothing more.
fn next((said, requests, offered): Parts) -> impl Strategy<Value = Parts> {
    let kept = proptest::sample::subsequence(requests.clone(), 0..=requests.len());
    let fresh = prop_oneof![
        4 => Just(Vec::new()),
        1 => proptest::collection::vec(request(), 1..3),
    ];
    let requests = (kept, fresh).prop_map(|(kept, fresh)| [kept, fresh].concat());
    let said = prop_oneof![3 => Just(said), 1 => rest()];
    (said, requests, prop_oneof![3 => Just(offered), 1 => interface()])
}

fn plugin_of((said, requests, offered): &Parts) -> Made {
    made(said, requests, offered)
}

/// A plugin and the two versions after it.
fn versions() -> impl Strategy<Value = [Made; 3]> {
    let second = parts().prop_flat_map(|first| (Just(first.clone()), next(first)));
    let all =
        second.prop_flat_map(|(first, second)| (Just(first), Just(second.clone()), next(second)));
    all.prop_map(|(first, second, third)| {
        [plugin_of(&first), plugin_of(&second), plugin_of(&third)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plugin_does_not_differ_from_itself(parts in parts()) {
        let one = plugin_of(&parts);
        let diff = diff(&one, &one);
        prop_assert_eq!(diff.changes(), &[]);
        prop_assert_eq!(diff.to_string(), "asks for nothing more");
    }

    #[test]
    fn two_steps_that_ask_for_nothing_more_are_one_that_does_not(
        [a, b, c] in versions(),
    ) {
        if !diff(&a, &b).asks_for_more() && !diff(&b, &c).asks_for_more() {
            prop_assert!(!diff(&a, &c).asks_for_more());
        }
    }

    #[test]
    fn asking_for_one_thing_more_never_asks_for_less(
        [old, _, _] in versions(),
        parts in parts(),
        more in request(),
    ) {
        let (rest, mut requests, interface) = parts;
        let new = made(&rest, &requests, &interface);
        let before: Vec<_> = diff(&old, &new).wider().cloned().collect();
        requests.push(more);
        let longer = made(&rest, &requests, &interface);
        let after: Vec<_> = diff(&old, &longer).wider().cloned().collect();
        prop_assert!(before.iter().all(|change| after.contains(change)), "{before:?} {after:?}");
    }

    #[test]
    fn what_asks_for_nothing_more_can_be_granted_nothing_more([old, new, _] in versions()) {
        if !diff(&old, &new).asks_for_more() {
            let (before, after) = (grants(&old.0), grants(&new.0));
            for grant in after.iter() {
                prop_assert!(before.allows(&grant.capability), "{}", grant.capability);
            }
        }
    }
}

/// The properties above say nothing about pairs that ask for more: enough of them must not.
#[test]
fn many_of_the_made_up_versions_ask_for_nothing_more() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut quiet, mut chains) = (0, 0);
    for _ in 0..512 {
        let [a, b, c] = versions().new_tree(&mut runner).unwrap().current();
        let first = !diff(&a, &b).asks_for_more() && !b.0.manifest.requests.is_empty();
        quiet += usize::from(first);
        chains += usize::from(first && !diff(&b, &c).asks_for_more());
    }
    assert!(quiet > 100 && chains > 50, "{quiet} {chains}");
}
