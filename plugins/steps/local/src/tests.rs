//! A corpus in a real directory: what is found in it, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::ToolError;
use super::corpus::Corpus;
use super::{kept, meta};

fn corpus(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Corpus, ToolError>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let opened = Corpus::open(dir.path(), None);
    (dir, opened)
}

fn urls(corpus: &Corpus, query: &str) -> Vec<String> {
    corpus.search(query, 10).into_iter().map(|hit| hit.url).collect()
}

#[test]
fn every_form_of_document_is_found_and_read() {
    let (_dir, corpus) = corpus(&[
        (
            "a.md",
            "---\nurl: https://a.example/dams\ndate: 2024-05-01\n---\n# Old dams\n\nDams hold water.\n",
        ),
        ("deep/b.html", "<title>Locks</title><style>water{}</style><p>Locks lift ships.</p>"),
        (
            "c.jsonl",
            "{\"text\":\"Canals carry ships.\",\"url\":\"https://c.example/\"}\n\n{\"text\":\"Weirs.\",\"more\":1}\n",
        ),
        ("back\\slash.txt", "Sluices let water through."),
        (".hidden.md", "Dams hidden."),
        ("image.png", "Dams"),
    ]);
    let corpus = corpus.unwrap();
    assert_eq!(urls(&corpus, "dams"), ["https://a.example/dams"]);
    assert_eq!(urls(&corpus, "locks"), ["corpus:deep/b.html"]);
    assert_eq!(urls(&corpus, "canals"), ["https://c.example/"]);
    assert_eq!(urls(&corpus, "weirs"), ["corpus:c.jsonl#3"]);
    assert!(!urls(&corpus, "water").contains(&"corpus:deep/b.html".to_owned()), "no style sheets");
    let hit = corpus.search("dams", 1).remove(0);
    assert_eq!(
        (hit.title.as_deref(), hit.published.as_deref()),
        (Some("Old dams"), Some("2024-05-01"))
    );
    let read = |url: &str| String::from_utf8(corpus.read(url).unwrap().1).unwrap();
    assert_eq!(read("https://a.example/dams"), "# Old dams\n\nDams hold water.\n");
    assert_eq!(read("corpus:c.jsonl#3"), "Weirs.");
    assert_eq!(urls(&corpus, "sluices"), ["corpus:back\\slash.txt"]);
    assert_eq!(read("corpus:back\\slash.txt"), "Sluices let water through.");
    assert!(matches!(corpus.read("corpus:../c.jsonl"), Err(ToolError::NotFound(_))));
}

#[test]
fn a_wrong_line_is_refused_at_its_place() {
    let (_dir, corpus) = corpus(&[("x.jsonl", "{\"text\":\"a\"}\n{\"title\":\"b\"}\n")]);
    let Err(ToolError::InvalidInput(text)) = corpus else { unreachable!() };
    assert!(text.starts_with("`x.jsonl#2`: missing field `text`"), "{text}");
}

#[test]
fn an_address_is_kept_by_the_first_that_names_it() {
    let line = "{\"text\":\"Dams.\",\"url\":\"https://a.example/\"}\n";
    let (_dir, corpus) = corpus(&[("x.jsonl", &line.repeat(2))]);
    assert_eq!(urls(&corpus.unwrap(), "dams"), ["https://a.example/", "corpus:x.jsonl#2"]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "Dams.").unwrap();
    let inside = dir.path().join("corpus");
    std::fs::create_dir(&inside).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), inside.join("a.txt")).unwrap();
    std::os::unix::fs::symlink(dir.path(), inside.join("up")).unwrap();
    assert!(urls(&Corpus::open(&inside, None).unwrap(), "dams").is_empty());
    std::fs::write(inside.join("b.txt"), "Dams.").unwrap();
    assert_eq!(urls(&Corpus::open(&inside, None).unwrap(), "dams"), ["corpus:b.txt"]);
    assert!(Corpus::open(Path::new("/nowhere"), None).is_err());
}

#[test]
fn front_matter_that_does_not_end_is_text() {
    for text in ["---\nurl: x\n", "no\n---\n", "---", ""] {
        assert_eq!(meta::front(text), (meta::Meta::default(), text));
    }
}

/// Sets when a file was changed last, in seconds.
fn date(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn only_what_changed_is_read_again_and_the_answers_are_those_of_a_new_index() {
    let files = [
        ("a.md", "---\nurl: https://a.example/\n---\nDams hold water."),
        ("b.md", "---\nurl: https://a.example/\n---\nDams and weirs."),
        ("c.jsonl", "{\"text\":\"Canals carry water.\"}\n"),
        ("new.md", "Locks."),
    ];
    let (dir, first) = corpus(&files);
    let path = |name: &str| dir.path().join(name);
    for (place, (name, _)) in (1..).zip(files) {
        date(&path(name), 1000 * place);
    }
    drop(first);
    let first = Corpus::open(dir.path(), None).unwrap();
    assert_eq!((first.read, first.changed), (4, true));
    let bytes = kept::write(&first).unwrap();
    let again = |bytes: &[u8]| Corpus::open(dir.path(), kept::read(bytes)).unwrap();
    // The newest file could have changed once more at that very time.
    let second = again(&bytes);
    assert_eq!((second.read, second.changed), (1, false));
    // One is gone, one is other with the length and the newest one with the time it had, one is touched.
    std::fs::remove_file(path("a.md")).unwrap();
    std::fs::write(path("b.md"), files[1].1.replace("weirs", "gates")).unwrap();
    date(&path("b.md"), 9000);
    std::fs::write(path("new.md"), "Lakes.").unwrap();
    date(&path("new.md"), 4000);
    date(&path("c.jsonl"), 3500);
    let third = again(&bytes);
    assert_eq!((third.read, third.changed), (3, true));
    let fresh = Corpus::open(dir.path(), None).unwrap();
    for query in ["dams", "gates", "weirs", "water", "locks", "lakes", "canals"] {
        assert_eq!(urls(&third, query), urls(&fresh, query), "{query}");
    }
    assert_eq!(urls(&third, "dams"), ["https://a.example/"], "the address is free again");
    assert_eq!((urls(&third, "lakes").len(), urls(&third, "locks").len()), (1, 0));
}

#[test]
fn what_is_no_index_is_passed_over() {
    let (dir, first) = corpus(&[("a.md", "Dams hold water."), ("b.md", "Weirs.")]);
    let bytes = kept::write(&first.unwrap()).unwrap();
    assert!(kept::read(&bytes).is_some());
    for end in 0..bytes.len() {
        assert!(kept::read(&bytes[..end]).is_none(), "{end}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(kept::read(&longer).is_none());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x41;
        let opened = Corpus::open(dir.path(), kept::read(&other)).unwrap();
        let _ = urls(&opened, "dams");
    }
}

#[test]
fn a_pdf_is_found_by_what_somebody_else_read_in_it() {
    let (dir, corpus) =
        corpus(&[("a.pdf", "%PDF-1.4 x"), ("b.pdf", "%PDF-1.4 y"), ("c.md", "Weirs.")]);
    let mut corpus = corpus.unwrap();
    let pending = |url: &str, fault: Option<&str>| (url.to_owned(), fault.map(str::to_owned));
    let both = [pending("corpus:a.pdf", None), pending("corpus:b.pdf", None)];
    assert_eq!(corpus.unread(9), both);
    assert_eq!(corpus.unread(1), both[..1]);
    assert!(urls(&corpus, "dams").is_empty());
    corpus.learn("corpus:a.pdf", Some("On dams".to_owned()), Ok("Dams hold water.")).unwrap();
    corpus.learn("corpus:b.pdf", None, Err("it is cut".to_owned())).unwrap();
    assert_eq!(urls(&corpus, "dams"), ["corpus:a.pdf"]);
    assert_eq!(corpus.read("corpus:a.pdf").unwrap(), ("application/pdf", b"%PDF-1.4 x".to_vec()));
    for url in ["corpus:a.pdf", "corpus:c.md", "corpus:d.pdf"] {
        assert!(corpus.learn(url, None, Ok("Locks.")).is_err(), "{url} has a text or is none");
    }
    // The next run knows both, and reads neither.
    let kept = kept::read(&kept::write(&corpus).unwrap());
    let mut again = Corpus::open(dir.path(), kept).unwrap();
    let fault = pending("corpus:b.pdf", Some("it is cut"));
    assert_eq!(
        (again.unread(9), urls(&again, "dams")),
        (vec![fault], vec!["corpus:a.pdf".to_owned()])
    );
    again.learn("corpus:b.pdf", None, Ok("Locks.")).unwrap();
    assert_eq!(urls(&again, "locks"), ["corpus:b.pdf"]);
}
