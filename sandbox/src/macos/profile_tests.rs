//! The whole text of small profiles, and attempts to write into it from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const SYSTEM: [&str; 2] = ["/bin", "/usr"];
const PROGRAMS: [&str; 1] = ["/opt/tool/bin/run"];

fn rule(path: &str, access: Access) -> FileRule {
    FileRule { path: path.into(), access }
}

fn contents<'a>(files: &'a [FileRule], protected: &'a [String]) -> Contents<'a> {
    Contents {
        system: &SYSTEM,
        files,
        protected,
        profile: Profile::ReadOnly,
        programs: &PROGRAMS,
        outbound: Outbound::Nothing,
    }
}

/// Returns the text from the first line that names what was granted.
fn own_part(profile: &SeatbeltProfile) -> &str {
    let start = profile.text.find("; Passage").unwrap();
    &profile.text[start..]
}

fn shown(profile: &SeatbeltProfile) -> Vec<String> {
    let pairs = profile.parameters.iter();
    pairs.map(|(name, path)| format!("{name}={}", path.display())).collect()
}

#[test]
fn the_whole_text_of_a_reading_plan() {
    let files = [rule("/Users/ada/work", Access::Read)];
    let protected = [".git".to_owned()];
    let found = seatbelt_profile(&contents(&files, &protected)).unwrap();
    let expected = r#"; Passage to what is granted.
(allow file-read-metadata
  (literal (param "PATH_2"))
  (literal (param "PATH_3"))
  (literal (param "PATH_4"))
  (literal (param "PATH_5"))
  (literal (param "PATH_6")))
; Granted: read.
(allow file-read* (subpath (param "PATH_7")))
(deny file-write* (subpath (param "PATH_7")))
(allow file-map-executable process-exec* (subpath (param "PATH_7")))
; The program.
(allow file-read* file-map-executable process-exec*
  (literal (param "PATH_8")))
; Set-id bits outlive the run, so none is set. Last: names nobody writes.
(deny file-write-setugid)
(deny file-write* (regex #"/[^ -~]*[.][^ -~]*[gG][^ -~]*[iI][^ -~]*[tT][^ -~]*(/.*)?$"))
; No network.
"#;
    assert_eq!(own_part(&found), expected);
    let parameters = [
        "PATH_0=/bin",
        "PATH_1=/usr",
        "PATH_2=/Users/ada",
        "PATH_3=/Users",
        "PATH_4=/opt/tool/bin",
        "PATH_5=/opt/tool",
        "PATH_6=/opt",
        "PATH_7=/Users/ada/work",
        "PATH_8=/opt/tool/bin/run",
    ];
    assert_eq!(shown(&found), parameters);
}

/// Returns the text, with the names of the readable settings put in.
fn every_program_gets(sysctls: &str) -> String {
    format!(
        r#"(version 1)
(deny default)
; Processes: children, and signals and questions among themselves only.
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
; The system, read and executed.
(allow file-read*
  (subpath (param "PATH_0"))
  (subpath (param "PATH_1"))
  (subpath "/System/Cryptexes")
  (subpath "/System/Volumes/Preboot/Cryptexes")
  (subpath "/private/var/db/dyld")
  (subpath "/private/var/select")
  (literal "/")
  (literal "/private/etc/group")
  (literal "/private/etc/hosts")
  (literal "/private/etc/localtime")
  (literal "/private/etc/passwd")
  (literal "/private/etc/shells")
  (literal "/dev/random")
  (literal "/dev/urandom")
  (literal "/dev/zero"))
(allow file-map-executable process-exec*
  (subpath (param "PATH_0"))
  (subpath (param "PATH_1"))
  (subpath "/System/Cryptexes")
  (subpath "/System/Volumes/Preboot/Cryptexes")
  (subpath "/private/var/db/dyld")
  (subpath "/private/var/select"))
(allow file-read-metadata
  (literal "/dev")
  (literal "/etc")
  (literal "/home")
  (literal "/private")
  (literal "/private/etc")
  (literal "/private/var")
  (literal "/private/var/db")
  (literal "/tmp")
  (literal "/usr")
  (literal "/var"))
(allow file-read* file-write-data
  (literal "/dev/null"))
; Terminals that were open before; no other can be opened.
(allow file-ioctl
  (regex #"^/dev/ttys[0-9]+$"))
; Facts about the machine, and the named services.
(allow sysctl-read{sysctls}
  (sysctl-name-prefix "hw.optional.")
  (sysctl-name-prefix "hw.perflevel"))
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.opendirectoryd.membership"))
"#
    )
}

#[test]
fn the_whole_text_every_program_gets() {
    let found = seatbelt_profile(&contents(&[], &[])).unwrap();
    let start = found.text.find("; Passage").unwrap();
    let sysctls: Vec<_> =
        SYSCTLS.iter().map(|name| format!("\n  (sysctl-name \"{name}\")")).collect();
    assert_eq!(found.text[..start], every_program_gets(&sysctls.concat()));
}

#[test]
fn no_path_however_written_changes_the_text() {
    let plain = [rule("/Users/ada/work", Access::Write)];
    let expected = seatbelt_profile(&contents(&plain, &[])).unwrap().text;
    for hostile in [
        "/Users/ada/a\")) (allow default) (deny file-read* (literal \"x",
        "/Users/ada/(allow default)",
        "/Users/ada/line\n(allow network*)",
        "/Users/ada/back\\slash",
        "/Users/ada/PATH_0=x",
        "/Users/ada/;comment",
        "/Users/ada/#\"regex\"",
        "/Users/ada/(param \"PATH_0\")",
        "/Users/ada/é\u{202e}\u{7f}",
    ] {
        let files = [rule(hostile, Access::Write)];
        let found = seatbelt_profile(&contents(&files, &[])).unwrap();
        assert_eq!(found.text, expected, "{hostile:?}");
        assert!(found.parameters.iter().any(|(_, path)| path == Path::new(hostile)));
    }
}

#[test]
fn a_longer_path_is_written_later_and_takes_back_what_a_shorter_gave() {
    let files = [
        rule("/Users/ada/work/keep", Access::Read),
        rule("/Users/ada/work", Access::Write),
        rule("/zz", Access::Read),
    ];
    let found = seatbelt_profile(&contents(&files, &[])).unwrap();
    let reference = |path: &str| {
        let of = |(_, value): &&(String, PathBuf)| value == Path::new(path);
        found.parameters.iter().find(of).unwrap().0.clone()
    };
    let line = |verdict: &str, path: &str| {
        let line = format!("({verdict} file-write* (subpath (param \"{}\")))", reference(path));
        found.text.find(&line).unwrap()
    };
    assert!(line("deny", "/zz") < line("allow", "/Users/ada/work"));
    assert!(line("allow", "/Users/ada/work") < line("deny", "/Users/ada/work/keep"));
}

#[test]
fn what_was_written_is_executed_only_where_programs_are_built() {
    let files = [rule("/w", Access::Write)];
    for (profile, verdict) in [
        (Profile::Offline, "deny"),
        (Profile::NetReadOnly, "deny"),
        (Profile::WorkspaceWrite, "allow"),
        (Profile::Trusted, "allow"),
    ] {
        let found = seatbelt_profile(&Contents { profile, ..contents(&files, &[]) }).unwrap();
        let line = format!("({verdict} file-map-executable process-exec* (subpath (param ");
        let granted = found.text.split("; Granted").nth(1).unwrap();
        assert!(granted.contains(&line), "{profile:?}");
    }
}

#[test]
fn the_network_is_absent_or_one_port_of_the_loopback() {
    let none = seatbelt_profile(&contents(&[], &[])).unwrap().text;
    assert!(!none.contains("(allow network"), "no rule at all");
    let outbound = Outbound::Loopback(40_123);
    let proxy = seatbelt_profile(&Contents { outbound, ..contents(&[], &[]) }).unwrap().text;
    let lines: Vec<_> = proxy.lines().filter(|line| line.starts_with("(allow network")).collect();
    assert_eq!(lines, [r#"(allow network-outbound (remote tcp "localhost:40123"))"#]);
}

#[test]
fn protected_names_come_after_everything_that_allows_a_write() {
    let files = [rule("/w", Access::Write), rule("/w/.git/deep", Access::Write)];
    let protected = [".git".to_owned(), ".vscode".to_owned()];
    let found = seatbelt_profile(&contents(&files, &protected)).unwrap();
    let last_allow = found.text.rfind("(allow file-write*").unwrap();
    let first_deny = found.text.find("(deny file-write* (regex").unwrap();
    assert!(last_allow < first_deny);
    assert_eq!(found.text.matches("(deny file-write* (regex").count(), 2);
}

#[test]
fn what_the_language_cannot_say_is_refused_with_its_reason() {
    let long = format!("/{}", "a".repeat(MAX_PATH_BYTES));
    for path in ["", "relative", "/", "/a/../b", "/a/./b", "/a//b", "/a/", "/a\0b", &long] {
        let files = [rule(path, Access::Read)];
        let error = seatbelt_profile(&contents(&files, &[])).unwrap_err().to_string();
        assert!(error.ends_with(NOT_PLAIN), "{path:?}: {error}");
    }
    let staged = seatbelt_profile(&contents(&[rule("/w", Access::Staged)], &[])).unwrap_err();
    assert!(staged.to_string().ends_with("macOS has no overlay to stage writes in"));
    let twice = [rule("/w", Access::Read), rule("/w", Access::Write)];
    let twice = seatbelt_profile(&contents(&twice, &[])).unwrap_err();
    assert!(twice.to_string().ends_with("two rules disagree about it"));
    for name in ["a/b", "x\"))(allow default)", ""] {
        let protected = [name.to_owned()];
        let error = seatbelt_profile(&contents(&[], &protected)).unwrap_err().to_string();
        assert!(error.ends_with(NOT_A_NAME), "{name:?}: {error}");
    }
    let many: Vec<_> = (0..=MAX_RULES).map(|n| rule(&format!("/w/{n}"), Access::Read)).collect();
    let error = seatbelt_profile(&contents(&many, &[])).unwrap_err().to_string();
    assert!(error.contains("more than 512 file rules"), "{error}");
}
