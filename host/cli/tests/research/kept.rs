//! What runs keep for the next one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::common::{Place, QUESTION, corpus, shared_cache};
use super::server::{Server, answer, page};

/// Copies the compiled code that all tests share to a cache of this test's own.
pub(crate) fn copy_code(place: &Place, own: &Path) {
    std::fs::create_dir_all(own).unwrap();
    place.report(QUESTION, &corpus(), &[]);
    for entry in std::fs::read_dir(shared_cache()).unwrap().flatten() {
        if entry.path().is_file() {
            let _ = std::fs::copy(entry.path(), own.join(entry.file_name()));
        }
    }
}

fn own_cache(place: &Place) -> PathBuf {
    let own = place.path("cache");
    copy_code(place, &own);
    own
}

#[test]
fn a_later_run_answers_the_same_from_what_was_kept_and_damage_changes_nothing() {
    let place = Place::new();
    let cache = own_cache(&place);
    let cache = cache.to_str().unwrap();
    let run = || {
        let from = corpus();
        let args = ["research", QUESTION, "--from", from.to_str().unwrap(), "--json"];
        let (code, out, err) = place.run(&[&args[..], &["--cache-dir", cache]].concat());
        assert_eq!(code, 0, "{out}{err}");
        (out, err)
    };
    let stats = || {
        let args = ["research", "cache", "stats", "--json", "--cache-dir", cache];
        let (code, out, err) = place.run(&args);
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let (first, _) = run();
    let kept = stats();
    assert_eq!(kept["kinds"]["memory"]["entries"], 1);
    assert!(kept["kinds"]["answer"]["entries"].as_u64().unwrap() > 5, "{kept}");
    assert_eq!(kept["kinds"]["page"]["entries"], 0, "a directory is read, not copied");
    assert_eq!(run().0, first);
    assert_eq!(stats()["kinds"]["memory"], kept["kinds"]["memory"]);
    let file = Path::new(cache).join("research/cache.sqlite");
    std::fs::write(&file, "no database".repeat(1000)).unwrap();
    let (again, err) = run();
    assert!(again == first && err.contains("without a cache"), "{err}");
    let (code, _, err) = place.run(&["research", "cache", "clear", "--cache-dir", cache]);
    assert!(code == 0 && !file.exists(), "{err}");
    let (again, err) = run();
    assert!(again == first && !err.contains("without a cache"), "{err}");
}

#[test]
fn a_document_that_changed_is_read_anew() {
    let place = Place::new();
    let notes = place.path("notes");
    std::fs::create_dir(&notes).unwrap();
    let write = |name: &str, text: &str| std::fs::write(notes.join(name), text).unwrap();
    write("a.md", "Dams of earth hold the water of many small rivers back.");
    write("b.md", "Locks lift ships from one reach of a canal to another.");
    let said = || {
        let report = place.report("What do dams of earth hold?", &notes, &[]);
        report["statements"][0]["text"].as_str().unwrap().to_owned()
    };
    assert!(said().contains("small rivers"));
    write("a.md", "Dams of earth hold the water of many large rivers back.");
    assert!(said().contains("large rivers"));
}

/// A wiki with one page, and what a run over it is told.
struct Wiki {
    place: Place,
    server: Server,
    told: Vec<String>,
}

impl Wiki {
    fn new() -> Self {
        let (place, server) = (Place::new(), Server::start());
        let found = json!([{ "ns": 0, "title": "Seepage", "pageid": 1, "snippet": "x" }]);
        let body = json!({ "batchcomplete": true, "query": { "search": found } });
        server.route("/w/api.php", answer(200, &body.to_string()));
        server.route("/wiki/Seepage", page(&says("weir")));
        let digest = place.digest("plugins/steps/wikipedia");
        let (host, env) =
            (server.address.to_string(), format!("WIKIPEDIA_URL={}", server.url("/")));
        let told =
            ["research", QUESTION, "--json", "--strategy", "focused", "--provider", "wikipedia"];
        let granted = ["-p", "net-read-only", "--allow-address", "127.0.0.0/8", "--trust-digest"];
        let values = [&digest, "--http", &host, "--env", &env];
        let told =
            told.iter().chain(&granted).chain(&values).map(|one| (*one).to_owned()).collect();
        Self { place, server, told }
    }

    fn command(&self, cache: &Path) -> Command {
        let told: Vec<&str> = self.told.iter().map(String::as_str).collect();
        let mut command = self.place.command(&told);
        command.arg("--cache-dir").arg(cache);
        command
    }

    fn run(&self, cache: &Path) -> Value {
        let output = self.command(cache).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Returns how often the page was asked for since the last time.
    fn pages(&self) -> usize {
        self.server.paths().iter().filter(|path| *path == "/wiki/Seepage").count()
    }
}

fn says(what: &str) -> String {
    format!("The water that seeps through a dam is measured at a {what} below the toe of the dam.")
}

#[test]
fn of_several_processes_that_want_a_page_one_asks_the_network() {
    const PROCESSES: usize = 3;
    let wiki = Wiki::new();
    let caches: Vec<PathBuf> =
        (0..=PROCESSES).map(|n| wiki.place.path(&format!("cache{n}"))).collect();
    for cache in &caches {
        copy_code(&wiki.place, cache);
    }
    wiki.run(&caches[0]);
    let searches = wiki.server.paths().iter().filter(|path| path.contains("action=query")).count();
    let asked = |caches: &[PathBuf]| {
        // None gets the page before all have found it: they want it at the same time.
        wiki.server.after_searches(searches * PROCESSES);
        let start = |cache: &PathBuf| wiki.command(cache).stdout(Stdio::null()).spawn().unwrap();
        let all: Vec<_> = caches.iter().map(start).collect();
        for mut one in all {
            assert!(one.wait().unwrap().success());
        }
        wiki.pages()
    };
    let shared = wiki.place.path("shared");
    copy_code(&wiki.place, &shared);
    assert_eq!(asked(&vec![shared; PROCESSES]), 1);
    // The twin: with a cache of its own each asks.
    assert_eq!(asked(&caches[1..]), PROCESSES);
}

#[test]
fn a_page_that_somebody_changed_in_the_cache_is_not_reported() {
    let wiki = Wiki::new();
    let cache = own_cache(&wiki.place);
    let said = |report: &Value| report["statements"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(said(&wiki.run(&cache)), says("weir"));
    assert_eq!(wiki.pages(), 1);
    assert_eq!(said(&wiki.run(&cache)), says("weir"));
    assert_eq!(wiki.pages(), 0, "it is used as it was kept");
    // The page is in the file as base64, whose groups stand for three bytes wherever they begin.
    let file = cache.join("research/cache.sqlite");
    let coded = |what: &str| STANDARD.encode(page(&says(what)).body);
    let bytes = std::fs::read(&file).unwrap();
    let (weir, well) = (coded("weir"), coded("well"));
    let at = bytes.windows(weir.len()).position(|window| window == weir.as_bytes()).unwrap();
    let mut poisoned = bytes.clone();
    poisoned[at..at + well.len()].copy_from_slice(well.as_bytes());
    std::fs::write(&file, poisoned).unwrap();
    assert_eq!(said(&wiki.run(&cache)), says("weir"));
    assert_eq!(wiki.pages(), 1, "it was dropped, and asked for again");
    // The twin: the same text from the server is what a report would say.
    wiki.server.route("/wiki/Seepage", page(&says("well")));
    wiki.place.run(&["research", "cache", "clear", "--cache-dir", cache.to_str().unwrap()]);
    assert_eq!(said(&wiki.run(&cache)), says("well"));
}
