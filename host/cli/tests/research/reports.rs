//! `ringfence research` over a directory, as a person uses it: the built command, the steps as components, real
//! files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::common::{Place, QUESTION, corpus, repository};

fn cited(report: &Value) -> BTreeSet<String> {
    let url = |id: &Value| {
        let sources = report["sources"].as_array().unwrap();
        sources.iter().find(|source| source["id"] == *id).unwrap()["url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let statements = report["statements"].as_array().unwrap();
    let citations = statements.iter().flat_map(|one| one["citations"].as_array().unwrap());
    citations.map(|citation| url(&citation["source"])).collect()
}

#[test]
fn every_sentence_of_a_report_stands_at_the_place_it_cites() {
    let report = Place::new().report(QUESTION, &corpus(), &[]);
    let sources = report["sources"].as_array().unwrap();
    let statements = report["statements"].as_array().unwrap();
    assert!(!statements.is_empty());
    for statement in statements {
        let citation = &statement["citations"][0];
        let source = sources.iter().find(|source| source["id"] == citation["source"]).unwrap();
        assert_eq!(source["sha256"], citation["sha256"]);
        let at = |key: &str| usize::try_from(citation[key].as_u64().unwrap()).unwrap();
        let place = &source["text"].as_str().unwrap()[at("start")..at("end")];
        assert_eq!(place, statement["text"].as_str().unwrap());
    }
    assert!(
        cited(&report).contains("https://watch.example.net/inspection"),
        "{:?}",
        cited(&report)
    );
}

#[test]
fn a_reprint_counts_as_one_source_and_other_figures_are_told_with_both_sides() {
    let report = Place::new().report(QUESTION, &corpus(), &[]);
    let sources = report["sources"].as_array().unwrap();
    let of = |url: &str| sources.iter().find(|source| source["url"] == url).unwrap();
    let guide = of("https://watch.example.net/inspection");
    let reprint = of("https://mirror.example.com/dams/how-inspected");
    assert_eq!(guide["cluster"], reprint["cluster"]);
    assert!(guide["same-as"].is_null() != reprint["same-as"].is_null());
    let contradictions = report["contradictions"].as_array().unwrap();
    let sides: Vec<_> = contradictions
        .iter()
        .map(|one| {
            (one["first"]["text"].as_str().unwrap(), one["second"]["text"].as_str().unwrap())
        })
        .collect();
    let daily = |text: &str| text.contains("at a weir 7 days");
    let weekly = |text: &str| text.contains("at a weir 2 days");
    assert!(
        sides.iter().any(|(a, b)| (daily(a) && weekly(b)) || (weekly(a) && daily(b))),
        "{sides:?}"
    );
}

#[test]
fn each_step_has_its_own_grants_and_the_provider_alone_reads() {
    let report = Place::new().report(QUESTION, &corpus(), &[]);
    for step in report["steps"].as_array().unwrap() {
        let grants: Vec<_> =
            step["grants"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
        let reads: Vec<_> = grants.iter().filter(|grant| grant.starts_with("fs.")).collect();
        if step["step"] == "provider" {
            assert_eq!(reads.len(), 1, "{grants:?}");
            assert!(reads[0].starts_with("fs.read"), "{grants:?}");
        } else {
            assert!(reads.is_empty(), "{step}");
        }
        assert!(!grants.iter().any(|grant| grant.starts_with("http")), "{step}");
    }
}

#[test]
fn a_provider_that_is_not_granted_the_directory_finds_nothing_in_it() {
    // The twin of the test above: the same provider as a plain plugin, without the grant.
    let place = Place::new();
    let input = r#"{"query":"dams","limit":5}"#;
    let local = "plugins/steps/local";
    let (code, _, err) = place.run(&["call", local, "search", "--input", input]);
    assert_ne!(code, 0, "{err}");
    let dir = format!("{}::/corpus:ro", corpus().display());
    let args = ["call", local, "search", "-p", "read-only", "--dir", &dir, "--input", input];
    let (code, out, err) = place.run(&args);
    assert!(code == 0 && out.contains("handbook.example.org"), "{err}");
}

#[test]
fn the_checker_passes_a_report_and_fails_on_every_change_of_it() {
    let place = Place::new();
    let report = place.report(QUESTION, &corpus(), &["--strategy", "focused"]);
    let path = place.path("report.json");
    let check = |report: &Value| {
        std::fs::write(&path, report.to_string()).unwrap();
        let (code, out, err) = place.run(&["research", "check", path.to_str().unwrap()]);
        (code, out + &err)
    };
    let (code, text) = check(&report);
    assert!(code == 0 && text.starts_with("passed: "), "{text}");
    let change = |pointer: &str, value: Value, says: &str| {
        let mut changed = report.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let (code, text) = check(&changed);
        assert!(code == 1 && text.contains(says), "{pointer}: {text}");
    };
    change("/statements/0/citations", serde_json::json!([]), "sentence 1: it cites nothing");
    change("/statements/0/citations/0/source", "s999".into(), "which is no source");
    change("/statements/0/citations/0/end", 9_999_999.into(), "no place");
    change("/statements/0/citations/0/sha256", "0".repeat(64).into(), "another text");
    change("/statements/0/text", "Dams are inspected by satellites alone.".into(), "sentence 1");
    let id = &report["statements"][0]["citations"][0]["source"];
    let sources = report["sources"].as_array().unwrap();
    let at = sources.iter().position(|source| source["id"] == *id).unwrap();
    change(&format!("/sources/{at}/text"), "Other text.".into(), "not the one its hash is of");
    let (code, text) = check(&serde_json::json!({ "format": "ringfence-research/1" }));
    assert!(code == 2 && text.contains("research::report"), "{text}");
}

#[test]
fn planted_orders_change_neither_what_is_called_nor_what_is_granted() {
    let place = Place::new();
    let harmless = place.path("harmless");
    std::fs::create_dir(&harmless).unwrap();
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        std::fs::copy(entry.path(), harmless.join(&name)).unwrap();
    }
    let with = place.report(QUESTION, &harmless, &[]);
    std::fs::remove_file(harmless.join("planted.md")).unwrap();
    let without = place.report(QUESTION, &harmless, &[]);
    let searched = |report: &Value| {
        let searches = report["searches"].as_array().unwrap();
        searches.iter().map(|s| s["query"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // What is searched for comes from the question alone, and grants from the command line.
    assert_eq!(searched(&with), searched(&without));
    assert_eq!(with["steps"], without["steps"]);
    let reads = |report: &Value| {
        let all = report["sources"].as_array().unwrap().iter();
        all.map(|source| source["url"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let more: Vec<_> = reads(&with).difference(&reads(&without)).cloned().collect();
    assert_eq!(more, ["https://forum.example.com/thread/41"], "it is read as any other document");
    // The twin: whoever asks for that place by hand is refused by the provider, not by luck.
    let dir = format!("{}::/corpus:ro", harmless.display());
    let input = r#"{"url":"corpus:../../secret"}"#;
    let local = "plugins/steps/local";
    let args = ["call", local, "retrieve", "-p", "read-only", "--dir", &dir, "--input", input];
    let (code, _, err) = place.run(&args);
    assert!(code == 1 && err.contains("there is no document"), "{err}");
}

#[test]
fn a_report_is_markdown_in_which_sources_stay_text() {
    let place = Place::new();
    let dir = place.path("notes");
    std::fs::create_dir(&dir).unwrap();
    let text = "# A\u{1b}[31m title [x](javascript:1)\n\nDams <script>alert(1)</script> hold\u{202e} **back** the water of rivers, says www.a.example.\n";
    std::fs::write(dir.join("a.md"), text).unwrap();
    let script = "---\r\ntitle: A\r\nurl: javascript:alert(1)\r\n---\r\nWater is held back by dams in many rivers.\n";
    std::fs::write(dir.join("b.md"), script).unwrap();
    let out = place.path("report.md");
    let args =
        ["research", "water dams", "--from", dir.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let (code, printed, err) = place.run(&args);
    assert_eq!((code, printed.as_str()), (0, ""), "{err}");
    let report = std::fs::read_to_string(&out).unwrap();
    assert!(report.starts_with("# water dams\n\nConfidence: "), "{report}");
    assert!(report.contains("## Sources") && report.contains("## How it was made"), "{report}");
    assert!(!report.contains("<script") && !report.contains('\u{1b}'), "{report}");
    assert!(!report.contains("[x](javascript") && !report.contains("<javascript"), "{report}");
    assert!(report.contains("`javascript:alert(1)`"), "another scheme is text: {report}");
    assert!(!report.contains('\u{202e}') && !report.contains("www.a"), "{report}");
    assert!(!report.contains("---"), "front matter is not cited: {report}");
}

#[test]
fn what_cannot_be_done_is_told_with_the_way_out() {
    let place = Place::new();
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let from = empty.to_str().unwrap();
    for (args, code, says) in [
        (vec!["research", "dams", "--from", from], 1, "no document was found"),
        (vec!["research", " ?! ", "--from", from], 2, "the question has no words"),
        (vec!["research", "dams", "--from", "/nowhere"], 2, "`/nowhere` cannot be read"),
        (vec!["research", "dams", "--from", from, "--step", "x=y"], 2, "`x` is no step"),
        (vec!["research", "dams"], 2, "--from"),
    ] {
        let (found, _, err) = place.run(&args);
        assert!(found == code && err.contains(says), "{args:?}: {found} {err}");
    }
    let copy = place.path("bin");
    std::fs::create_dir(&copy).unwrap();
    let (program, copy) = (PathBuf::from(env!("CARGO_BIN_EXE_ringfence")), copy.join("ringfence"));
    std::fs::copy(program, &copy).unwrap();
    let mut alone = Command::new(&copy);
    alone.args(["research", "dams", "--from", from]).current_dir(repository().join("plugins"));
    alone.env("RINGFENCE_STATE_DIR", place.path("state"));
    alone.env("RINGFENCE_DATA_DIR", place.path("data"));
    alone.env("XDG_CONFIG_HOME", place.path("config")).env_remove("RINGFENCE_STEPS");
    let output = alone.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    // Not even where a directory `steps` lies in the working directory.
    assert!(
        output.status.code() == Some(2) && err.contains("no plugin for the step `plan`"),
        "{err}"
    );
}
