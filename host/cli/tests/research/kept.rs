//! What runs keep for the next one.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::{Place, QUESTION, corpus, shared_cache};

/// Copies the compiled code that all tests share to a cache of this test's own.
fn own_cache(place: &Place) -> PathBuf {
    let own = place.path("cache");
    std::fs::create_dir_all(&own).unwrap();
    place.report(QUESTION, &corpus(), &[]);
    for entry in std::fs::read_dir(shared_cache()).unwrap().flatten() {
        if entry.path().is_file() {
            let _ = std::fs::copy(entry.path(), own.join(entry.file_name()));
        }
    }
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
