//! Signed checkpoints: when they are written, what they show, and that other tools can check them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests prepare files and start processes"
)]

mod common;

use common::{NAME, Place, entry, told};
use ringfence_audit::{
    AuditLog, CHECKPOINT_EVERY, Durability, Entry, PublicKey, Timestamp, Verifier,
};
use ringfence_capability::Diagnostic as _;
use std::process::Command;

fn filled(count: usize) -> (Place, AuditLog) {
    let place = Place::new();
    let log = place.log();
    for number in 0..count {
        log.append(&entry(number)).unwrap();
    }
    (place, log)
}

#[test]
fn a_checkpoint_follows_every_so_many_records_and_every_synced_one() {
    let (place, log) = filled(130);
    let summary = place.verify().summary;
    assert_eq!((CHECKPOINT_EVERY, summary.records, summary.checkpoints), (64, 130, 2));
    assert_eq!(summary.signed_through, Some(128));
    log.append_all(&[entry(0), entry(1)], Durability::Synced).unwrap();
    let summary = place.verify().summary;
    assert_eq!((summary.checkpoints, summary.signed_through), (3, Some(134)));
    assert_eq!((summary.last_seq, summary.kept), (135, 3));
    let last = place.records().pop().unwrap();
    assert_eq!(last.entry.checkpoint().unwrap().head, last.prev);
}

#[test]
fn a_few_records_are_written_without_a_key() {
    let (place, log) = filled(10);
    assert!(!place.path("audit.key").exists());
    assert_eq!(PublicKey::of_log(&place.dir, NAME).unwrap(), None);
    assert!(log.checkpoint().unwrap().is_some());
    let key = PublicKey::of_log(&place.dir, NAME).unwrap().unwrap();
    assert!(key.signed(place.records().last().unwrap().entry.checkpoint().unwrap()));
    assert_eq!(Place::new().log().checkpoint().unwrap(), None, "there is nothing to sign");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_key_and_another_one_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, log) = filled(1);
    log.checkpoint().unwrap();
    let path = place.path("audit.key");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = place.log().checkpoint().unwrap_err();
    assert_eq!(error.code(), "audit::key");
    assert!(error.to_string().ends_with("others may read or write it"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "no key").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = place.lines(NAME);
    let error = place.log().checkpoint().unwrap_err();
    assert!(error.to_string().ends_with("it is no Ed25519 key in PEM form"), "{error}");
    assert_eq!(place.lines(NAME), before, "nothing is written without its signature");
}

#[test]
fn a_key_can_live_in_another_directory() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let log = place.log().keys_in(elsewhere.dir.try_clone().unwrap());
    log.append_all(&[entry(0)], Durability::Synced).unwrap();
    assert!(elsewhere.path("audit.key").exists() && !place.path("audit.key").exists());
    let report = Verifier::new(&place.dir, NAME).keys_in(&elsewhere.dir).run().unwrap();
    assert!(report.faults.is_empty());
    assert_eq!(report.summary.kept, 1);
    // Whoever has neither the key nor the copies cannot say whether it is signed.
    assert!(place.faults()[0].contains("which is not known"), "{:?}", place.faults());
    let key = PublicKey::of_log(&elsewhere.dir, NAME).unwrap().unwrap();
    let report = Verifier::new(&place.dir, NAME).trusting(key).run().unwrap();
    assert!(report.faults.is_empty(), "{:?}", told(&report));
}

/// Returns the lines of a log with the same records, written anew without the key.
fn forged(count: usize) -> Vec<String> {
    let place = Place::new();
    let log = place.log();
    for number in 0..count {
        let number = if number == 3 { 1000 } else { number };
        log.append(&entry(number)).unwrap();
    }
    place.lines(NAME)
}

type Tamper<'t> = &'t dyn Fn(&Place);

#[test]
fn what_a_chain_alone_does_not_show_is_found_behind_a_checkpoint() {
    let cut = |to: usize| {
        move |place: &Place| {
            let lines = place.lines(NAME);
            place.put(NAME, &lines[..to]);
        }
    };
    let cases: &[(&str, Tamper<'_>, &str)] = &[
        (
            "cut off at the end",
            &cut(10),
            "audit.jsonl:11:11: the records up to 134, which were signed for at 20",
        ),
        ("emptied", &|place| std::fs::write(place.path(NAME), "").unwrap(), "up to 134"),
        ("removed", &|place| std::fs::remove_file(place.path(NAME)).unwrap(), "up to 134"),
        (
            "written anew",
            &|place| place.put(NAME, &forged(100)),
            "audit.jsonl:64:64: it is not the record that was signed for at",
        ),
        ("written anew and shorter", &|place| place.put(NAME, &forged(20)), "up to 134"),
        (
            "written anew with a key of its own",
            &|place| place.put(NAME, &forged(100)),
            "audit.jsonl:65:65: the checkpoint is signed with the key sha256:",
        ),
        (
            "a copy of a checkpoint changed",
            &|place| {
                let name = "audit.checkpoints.jsonl";
                let mut lines = place.lines(name);
                lines[1] = lines[1].replace("\"seq\":128", "\"seq\":127");
                place.put(name, &lines);
            },
            "audit.checkpoints.jsonl:0:127: the copy of a checkpoint is not what was signed",
        ),
        (
            "a copy of a checkpoint overwritten",
            &|place| place.put("audit.checkpoints.jsonl", &["x".to_owned()]),
            "audit.checkpoints.jsonl:1:-: the copy of a checkpoint is not what was signed",
        ),
    ];
    for (what, tamper, expected) in cases {
        let (place, log) = filled(130);
        log.append_all(&[entry(0), entry(1)], Durability::Synced).unwrap();
        assert!(place.faults().is_empty(), "before it is {what}");
        tamper(&place);
        let faults = place.faults();
        assert!(faults.iter().any(|f| f.contains(expected)), "{what}: {faults:#?}");
    }
    // Without the copies a cut leaves no trace: the case that shows what they are for.
    let (place, _log) = filled(130);
    cut(10)(&place);
    std::fs::remove_file(place.path("audit.checkpoints.jsonl")).unwrap();
    assert!(place.faults().is_empty());
}

#[test]
fn a_signature_that_is_changed_along_with_its_hash_is_found() {
    use sha2::Digest as _;
    let (place, log) = filled(3);
    log.checkpoint().unwrap();
    let mut lines = place.lines(NAME);
    let (body, _) = lines[3].split_once(",\"hash\":\"").unwrap();
    let body = format!("{}}}", body.replace("\"signature\":\"", "\"signature\":\"AAAA"));
    let hash = ringfence_capability::Digest::from_bytes(sha2::Sha256::digest(&body).into());
    lines[3] = format!("{},\"hash\":\"{hash}\"}}", body.strip_suffix('}').unwrap());
    place.put(NAME, &lines);
    let expected = "audit.jsonl:4:4: the signature of the checkpoint is not right";
    assert_eq!(place.faults(), [expected]);
}

#[test]
fn nobody_but_the_log_can_append_a_checkpoint() {
    let (place, log) = filled(1);
    log.checkpoint().unwrap();
    let forged: Entry = place.records().pop().unwrap().entry;
    assert!(forged.checkpoint().is_some());
    log.append(&forged).unwrap();
    assert!(place.records().pop().unwrap().entry.checkpoint().is_none());
    assert!(place.faults().is_empty());
}

#[test]
fn a_half_written_copy_is_no_damage_and_is_replaced() {
    let (place, log) = filled(1);
    log.checkpoint().unwrap();
    let path = place.path("audit.checkpoints.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{}", &whole[..40])).unwrap();
    assert!(place.faults().is_empty());
    log.checkpoint().unwrap();
    assert!(place.faults().is_empty());
    assert_eq!(place.lines("audit.checkpoints.jsonl").len(), 2);
}

/// Runs a command of the documentation in the directory of the log.
fn shell(place: &Place, script: &str) -> String {
    let mut command = Command::new("sh");
    let done = command.args(["-ec", script]).current_dir(place.directory.path()).output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}: {error}");
    String::from_utf8(done.stdout).unwrap()
}

/// Returns the commands that the documentation indents below the line that contains `heading`.
fn documented(heading: &str) -> String {
    let text = include_str!("../../../docs/audit-log.md");
    let rest = &text[text.find(heading).expect(heading)..];
    let lines = rest.lines().skip_while(|line| !line.starts_with("    "));
    let lines = lines.take_while(|line| line.starts_with("    "));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_checkpoint_and_a_hash_are_verified_by_hand_as_documented() {
    let tools = ["openssl version", "jq --version", "sha256sum --version"];
    let missing = tools.iter().find(|tool| {
        let mut words = tool.split(' ');
        Command::new(words.next().unwrap()).args(words).output().is_err()
    });
    if let Some(tool) = missing {
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("skipped, because `{tool}` is not there\n"),
        );
        return;
    }
    let (place, log) = filled(3);
    log.checkpoint().unwrap();
    let key = PublicKey::of_log(&place.dir, NAME).unwrap().unwrap();
    std::fs::write(place.path("audit.pub"), key.to_pem()).unwrap();

    let sum = shell(&place, &documented("no special tool is needed"));
    let first = place.records().remove(0);
    assert_eq!(sum.split_whitespace().next().unwrap(), first.hash.hex());

    let script = documented("A checkpoint is checked with");
    assert!(shell(&place, &script).contains("Signature Verified Successfully"), "{script}");
    let id = shell(&place, &documented("`key` is the SHA-256"));
    assert_eq!(id.split_whitespace().next().unwrap(), key.id().hex());
    // The private key is one that the same tools read.
    let public = shell(&place, "openssl pkey -in audit.key -pubout");
    assert_eq!(PublicKey::from_pem(&public), Ok(key));

    // The case that shows that the check can fail.
    let lines: Vec<_> = place.lines(NAME);
    let changed = lines[3].replacen("\"seq\":3", "\"seq\":2", 1);
    place.put(NAME, &[changed]);
    let mut command = Command::new("sh");
    let done = command.args(["-ec", &script]).current_dir(place.directory.path()).output().unwrap();
    assert!(!done.status.success());
}

#[test]
fn a_clock_that_stands_still_does_not_matter() {
    let place = Place::new();
    let log = AuditLog::open(&place.dir, NAME, || Timestamp::UNIX_EPOCH).unwrap();
    log.append_all(&[entry(0)], Durability::Synced).unwrap();
    log.append_all(&[entry(0)], Durability::Synced).unwrap();
    assert!(place.faults().is_empty());
}
