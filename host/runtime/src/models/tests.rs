//! Tests of files of models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

/// Returns why a section is refused, or nothing.
fn check(section: &str) -> Option<String> {
    read_models("models.toml", section).err().map(|error| error.to_string())
}

const GOOD: &str = "[model.fast]\nbase-url = \"http://127.0.0.1:11434/v1\"\nmodel = \"small\"\n";

#[test]
fn a_model_needs_an_address_and_a_name_and_the_rest_has_defaults() {
    let entries = read_models("models.toml", GOOD).unwrap();
    let entry = entries.get("fast").unwrap();
    assert_eq!((entry.config.api, entry.key.clone()), (Api::OpenAi, None));
    assert_eq!((entry.config.retries, entry.config.most_output_tokens), (3, 4_096));
    assert!(entry.config.stream);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (section, why) in [
        (format!("{GOOD}keys = 1\n"), "line 4: expected one of `api`, `base-url`"),
        (format!("{GOOD}api = \"other\"\n"), "line 4: expected `openai` or `anthropic`"),
        (GOOD.replace("fast", "Fast one"), "line 1 is not TOML"),
        (GOOD.replace("http://127.0.0.1:11434/v1", "127.0.0.1"), "`base-url` is not an address"),
        (GOOD.replace("http://", "ftp://"), "`base-url` is not an address"),
        (GOOD.replace("http://", "http://me:secret@"), "something before its host"),
        (format!("{GOOD}retries = 11\n"), "`retries` is at most 10"),
        (format!("{GOOD}max-output-tokens = 0\n"), "at least 1"),
        (format!("{GOOD}first-byte-seconds = 0\n"), "`first-byte-seconds` is from 1"),
        (GOOD.replace("small", " "), "`model` is empty"),
    ] {
        let said = check(&section).unwrap_or_default();
        assert!(said.contains(why), "{section}: {said}");
    }
}

#[test]
fn a_key_goes_encrypted_or_to_this_machine_and_nowhere_else() {
    let with_key = format!("{GOOD}key = \"env:KEY\"\n");
    assert_eq!(check(&with_key), None);
    assert_eq!(check(&with_key.replace("127.0.0.1:11434", "localhost")), None);
    assert_eq!(check(&with_key.replace("http://127.0.0.1:11434", "https://api.example")), None);
    for host in ["192.168.1.7", "api.example", "127.0.0.1.example", "localhost.example"] {
        let clear = with_key.replace("127.0.0.1:11434", host);
        assert!(check(&clear).unwrap().contains("is not encrypted"), "{host}");
        // Without a key the same address is the operator's to choose.
        assert_eq!(check(&GOOD.replace("127.0.0.1:11434", host)), None, "{host}");
    }
}

#[test]
fn a_key_in_the_file_is_refused_and_not_repeated() {
    let said = check(&format!("{GOOD}key = \"sk-hunter2\"\n")).unwrap();
    assert!(said.contains("never the key itself") && !said.contains("hunter2"), "{said}");
    // Wherever it stands: in a line that is no TOML, in a key, under another name, in another type.
    for line in [
        "key = sk-hunter2",
        "key = \"sk-hunter2",
        "sk-hunter2",
        "sk-hunter2 = 1",
        "keys = \"sk-hunter2\"",
        "key = [\"sk-hunter2\"]",
        "key = { sk-hunter2 = 1 }",
        "retries = \"sk-hunter2, expected nothing\"",
        "api = \"sk-hunter2\"",
        "model = \"sk-hunter2\"",
        "\"expected sk-hunter2\" = 1",
    ] {
        let text = format!("{GOOD}{line}\n");
        let said = check(&text).unwrap_or_else(|| panic!("{line} was taken"));
        assert!(!said.contains("hunter2"), "{line}: {said}");
        assert!(said.contains("line 4") || said.contains("line 5"), "{line}: {said}");
        // What reads the file says it in its own words: the test can fail.
        let own = toml::from_str::<Document>(&text).err().map(|error| error.to_string());
        assert!(own.unwrap_or_default().contains("hunter2"), "{line}");
    }
}

#[test]
fn a_key_file_is_looked_for_beside_the_file_that_names_it() {
    let key = |path: &str| {
        let text = format!("{GOOD}key = \"file:{path}\"\n");
        let entries = read_models("/home/me/.config/ringfence/models.toml", &text).unwrap();
        entries["fast"].key.clone().unwrap().to_string()
    };
    assert_eq!(key("keys/fast"), "file:/home/me/.config/ringfence/keys/fast");
    assert_eq!(key("/run/keys/fast"), "file:/run/keys/fast");
}

#[test]
fn a_model_whose_key_is_missing_says_so_only_when_it_is_wanted() {
    let text = format!(
        "{GOOD}key = \"env:KEY\"\n[model.slow]\nbase-url = \"http://[::1]\"\nmodel = \"x\"\n"
    );
    let entries = read_models("models.toml", &text).unwrap();
    let models = RunModels::new(&entries, |_| Err("`KEY` is not set".to_owned()));
    let named = |name: &str| Capability::Model(name.parse().unwrap());
    assert_eq!(models.missing(&named("fast")), Some("`KEY` is not set".to_owned()));
    assert_eq!(models.missing(&named("slow")), None);
    assert_eq!(models.missing(&named("other")), Some("no models file names it".to_owned()));
    let none = RunModels::default().missing(&named("other")).unwrap();
    assert!(none.contains("no models are configured"), "{none}");
    let bad = RunModels::new(&entries, |_| Ok("a\nb".to_owned()));
    let said = format!("{:?} {bad:?}", bad.missing(&named("fast")));
    assert!(said.contains("cannot stand in a header") && !said.contains("a\\nb"), "{said}");
}
