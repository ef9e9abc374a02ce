//! PDF files in a directory: read by the step that is granted nothing, cited at the place of their text, and when they
//! cannot be read, named.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::Place;

const QUESTION: &str = "What do sluices let through?";

/// Returns a file of these objects, numbered from 1; the first is the root.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(objects) {
        places.push(bytes.len());
        bytes.extend(format!("{number} 0 obj\n").bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let (start, size) = (bytes.len(), objects.len() + 1);
    bytes.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
    for place in places {
        bytes.extend(format!("{place:010} 00000 n \n").bytes());
    }
    let trailer = format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    bytes.extend(trailer.bytes());
    bytes
}

fn stream(more: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< /Length {}{more} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// Returns a file with one page of this content.
fn with_content(content: Vec<u8>) -> Vec<u8> {
    file(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
          /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_vec(),
        content,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_vec(),
    ])
}

fn text(lines: &[&str]) -> Vec<u8> {
    let shown: Vec<_> = lines.iter().map(|line| format!("({line}) Tj T*")).collect();
    let content = format!("BT /F1 12 Tf 14 TL 72 720 Td {} ET", shown.join(" "));
    with_content(stream("", content.as_bytes()))
}

/// Returns a deflate stream of a few megabytes that is nearly a gigabyte inflated: one zero, repeated.
fn bomb() -> Vec<u8> {
    let (mut bytes, mut now, mut filled) = (vec![0x78, 0x01], 0_u8, 0);
    let mut bit = |bit: bool| {
        now |= u8::from(bit) << filled;
        filled += 1;
        if filled == 8 {
            bytes.push(now);
            (now, filled) = (0, 0);
        }
    };
    let mut bits = |text: &str| text.chars().for_each(|c| bit(c == '1'));
    // The last block, with fixed codes; then a zero.
    bits("1");
    bits("10");
    bits("00110000");
    for _ in 0..3_000_000 {
        // 258 bytes from one byte before.
        bits("11000101");
        bits("00000");
    }
    bits("0000000");
    bits("0000000");
    bytes
}

struct Notes {
    place: Place,
    dir: PathBuf,
}

impl Notes {
    fn new() -> Self {
        let place = Place::new();
        let dir = place.path("notes");
        std::fs::create_dir(&dir).unwrap();
        Self { place, dir }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.join(name), bytes).unwrap();
    }

    fn report(&self) -> Value {
        let cache = self.place.path("cache");
        if !cache.exists() {
            super::kept::copy_code(&self.place, &cache);
        }
        self.place.report(QUESTION, &self.dir, &["--cache-dir", cache.to_str().unwrap()])
    }
}

/// Returns what the first sentence of a report says, and the place it cites.
fn said(report: &Value) -> (String, String) {
    let statement = &report["statements"][0];
    let citation = &statement["citations"][0];
    let sources = report["sources"].as_array().unwrap();
    let source = sources.iter().find(|source| source["id"] == citation["source"]).unwrap();
    assert_eq!(source["sha256"], citation["sha256"]);
    let at = |key: &str| usize::try_from(citation[key].as_u64().unwrap()).unwrap();
    let place = &source["text"].as_str().unwrap()[at("start")..at("end")];
    assert_eq!(place, statement["text"].as_str().unwrap());
    (place.to_owned(), source["url"].as_str().unwrap().to_owned())
}

#[test]
fn a_pdf_is_found_by_its_words_and_cited_at_the_place_of_its_text() {
    let notes = Notes::new();
    let wide = "Sluices let the water of the upper reach through when the";
    notes.write("a.pdf", &text(&[wide, "gates are raised by a keep-", "er."]));
    notes.write(
        "b.pdf",
        &text(&["Bread is baked from flour and salt in many bakeries of the town."]),
    );
    let whole =
        "Sluices let the water of the upper reach through when the gates are raised by a keeper.";
    let report = notes.report();
    assert_eq!(said(&report), (whole.to_owned(), "corpus:a.pdf".to_owned()));
    assert_eq!(report["skipped"], serde_json::json!([]));
    let checked = notes.place.path("report.json");
    std::fs::write(&checked, report.to_string()).unwrap();
    let (code, out, err) = notes.place.run(&["research", "check", checked.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
    // Only the provider reads the directory; what reads the file is granted nothing of it.
    let steps = report["steps"].as_array().unwrap();
    let reader = steps.iter().find(|step| step["step"] == "extract application/pdf").unwrap();
    assert!(reader["plugin"] == "research-extract-pdf@0.1.0", "{reader}");
    assert!(!reader["grants"].to_string().contains("fs."), "{reader}");
    // What was learned is kept, and a file that changed is read anew.
    assert_eq!(said(&notes.report()).0, whole);
    notes.write(
        "a.pdf",
        &text(&["Sluices let the water of the lower reach out at night, says the keeper."]),
    );
    assert!(said(&notes.report()).0.contains("lower reach"));
}

#[test]
fn a_hostile_pdf_is_named_and_the_others_go_on() {
    let notes = Notes::new();
    notes.write("good.md", b"Sluices let the water of the upper reach through to the lower one.");
    let good = text(&["Sluices let through the water of a mill, as was written long ago."]);
    let cyclic = file(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [2 0 R 3 0 R 2 0 R] /Count 999999999 /Parent 3 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count -1 /Parent 2 0 R >>".to_vec(),
    ]);
    let huge = String::from_utf8_lossy(&good).replace("/Size 6", "/Size 4294967295");
    let huge = huge.replace("xref\n0 6", "xref\n0 4294967295").into_bytes();
    let deep = [b"[".repeat(2_000_000), b"]".repeat(2_000_000)].concat();
    let nested = with_content(stream("", &[b"BT ", &deep[..], b" TJ ET"].concat()));
    let own = b"<< /Type /Catalog /Pages 1 0 R /Kids [1 0 R] /Contents 1 0 R >>".to_vec();
    let hostile = [
        ("cut.pdf", good[..good.len() / 3].to_vec()),
        ("cyclic.pdf", cyclic),
        ("bomb.pdf", with_content(stream(" /Filter /FlateDecode", &bomb()))),
        ("nested.pdf", nested),
        ("deep.pdf", file(&[b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(), deep])),
        ("itself.pdf", file(&[own])),
        ("none.pdf", b"no PDF at all".to_vec()),
        ("large.pdf", vec![b'%'; (8 << 20) + 1]),
    ];
    for (name, bytes) in &hostile {
        notes.write(name, bytes);
    }
    notes.write("huge.pdf", &huge);
    for run in ["first", "later"] {
        let report = notes.report();
        let (sentence, _) = said(&report);
        assert!(sentence.starts_with("Sluices let"), "{run}: {sentence}");
        let skipped = report["skipped"].as_array().unwrap();
        let named = |name: &str| {
            let url = format!("corpus:{name}");
            let found = skipped.iter().find(|one| one["url"] == *url);
            found.map(|one| one["why"].as_str().unwrap().to_owned())
        };
        for (name, _) in &hostile {
            let why =
                named(name).unwrap_or_else(|| panic!("{run}: `{name}` is not named: {skipped:?}"));
            assert!(!why.is_empty() && !why.contains(env!("CARGO_MANIFEST_DIR")), "{name}: {why}");
        }
        assert!(named("good.md").is_none());
    }
    // The twin: read by whoever has nothing else to lose, the same file ends that call.
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &hostile[2].1);
    let input = notes.place.path("input.json");
    let page = serde_json::json!({ "body": bytes, "media-type": "application/pdf" });
    std::fs::write(&input, page.to_string()).unwrap();
    let input = format!("@{}", input.display());
    let extract: &Path = &super::common::repository().join("plugins/steps/extract-pdf");
    let call = ["call", extract.to_str().unwrap(), "extract", "--input", &input];
    let (code, _, err) = notes.place.run(&call);
    assert_ne!(code, 0, "{err}");
}
