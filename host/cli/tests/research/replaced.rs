//! Steps of somebody else in the place of those that come with the program.

use super::common::{Place, QUESTION, corpus, plugin_of, repository};

#[test]
fn a_pipeline_file_puts_the_plugins_of_others_in_place() {
    let place = Place::new();
    let mine = place.path("mine/my-rank");
    std::fs::create_dir_all(&mine).unwrap();
    let theirs = repository().join("plugins/steps/rank");
    std::fs::copy(theirs.join("rank.wasm"), mine.join("rank.wasm")).unwrap();
    let manifest = std::fs::read_to_string(theirs.join("plugin.toml")).unwrap();
    let manifest = manifest.replace("name = \"research-rank\"", "name = \"my-rank\"");
    std::fs::write(mine.join("plugin.toml"), manifest).unwrap();
    let file = place.path("mine/pipeline.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[steps]\nrank = \"./my-rank\"\n");
    let report = place.report(QUESTION, &corpus(), &["--pipeline", file.to_str().unwrap()]);
    let used = |step: &str| plugin_of(&report, step);
    assert_eq!(
        (used("rank").as_str(), used("plan").as_str()),
        ("my-rank@0.1.0", "research-plan@0.1.0")
    );
    let from = corpus();
    for (text, says) in [
        ("[steps]\nranking = \"./my-rank\"", "`ranking` is no step"),
        ("[step]\nrank = \"./my-rank\"", "unknown field `step`"),
        ("[steps]\nrank = \"./no-such\"", "no-such"),
    ] {
        write(text);
        let args = [
            "research",
            "x",
            "--from",
            from.to_str().unwrap(),
            "--pipeline",
            file.to_str().unwrap(),
        ];
        let (code, _, err) = place.run(&args);
        assert!(code == 2 && err.contains(says), "{text}: {code} {err}");
    }
}

#[test]
fn a_provider_is_named_once_and_then_needs_no_directory() {
    let place = Place::new();
    let wikipedia = repository().join("plugins/steps/wikipedia");
    let step = format!("provider={}", wikipedia.display());
    let file = place.path("pipeline.toml");
    std::fs::write(&file, format!("[steps]\nprovider = \"{}\"\n", wikipedia.display())).unwrap();
    let file = file.to_str().unwrap();
    let says = |args: &[&str]| {
        let (code, _, err) = place.run(&[&["research", "dams"], args].concat());
        (code, err)
    };
    for named in [["--step", &step], ["--pipeline", file]] {
        // It is found, and refused for what it asks for, not for want of a directory.
        let (code, err) = says(&named);
        assert!(code == 3 && err.contains("http.read:en.wikipedia.org"), "{code} {err}");
        let (code, err) = says(&[&named[..], &["--provider", "brave"]].concat());
        assert!(code == 2 && err.contains("who searches is said twice"), "{code} {err}");
    }
    let (code, err) = says(&["--step", &step, "--step", &step]);
    assert!(code == 2 && err.contains("`--step provider=…` is given twice"), "{code} {err}");
}

#[test]
fn a_step_made_from_the_template_ranks_the_documents_of_a_run() {
    let place = Place::new();
    let notes = place.path("notes");
    std::fs::create_dir(&notes).unwrap();
    let write = |name: &str, date: &str, text: &str| {
        let text = format!("---\nurl: https://{name}.example/\ndate: {date}\n---\n{text}\n");
        std::fs::write(notes.join(format!("{name}.md")), text).unwrap();
    };
    // Of two that say as much, the template has the newer one first; the step that comes with the program
    // prefers the shorter one.
    write("old", "1990-01-01", "Dams of earth hold the water of rivers back.");
    let longer =
        "Dams of earth hold the water of rivers back where valleys are wide and stone is rare.";
    write("new", "2020-01-01", longer);
    let first = |more: &[&str]| {
        let report = place.report("What do dams of earth hold?", &notes, more);
        let first = report["sources"][0]["url"].as_str().unwrap().to_owned();
        (plugin_of(&report, "rank"), first)
    };
    let template = repository().join("sdk/templates/step");
    let step = format!("rank={}", template.display());
    let theirs = first(&["--step", &step]);
    assert_eq!(theirs, ("my-rank@0.1.0".to_owned(), "https://new.example/".to_owned()));
    let ours = first(&[]);
    assert_eq!(ours, ("research-rank@0.1.0".to_owned(), "https://old.example/".to_owned()));
}
