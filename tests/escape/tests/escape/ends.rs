//! A host that is killed takes its sandbox along and leaves nothing.

use crate::user::users;
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

/// Tells whether a process with this among its arguments runs.
fn runs(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| {
        let line = String::from_utf8_lossy(&line);
        line.starts_with("sleep") && line.contains(mark)
    })
}

fn names(path: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|one| one.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn nothing_survives_a_host_that_is_killed_and_nothing_is_left_in_the_workspace_or_in_tmp() {
    for (at, user) in users().into_iter().enumerate() {
        let workspace = user.make("ws");
        for directory in ["stage/upper", "stage/work"] {
            user.make(directory);
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mark = format!("{:08}{at}", std::process::id());
        let mut host = user.program(&["hold", user.base().to_str().unwrap(), &mark]);
        let mut host = host.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 3];
        host.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"up\n", "{}", user.name);
        let began = (0..200_000).any(|_| runs(&mark));
        assert!(began, "the test proves nothing: it never ran");
        host.kill().unwrap();
        host.wait().unwrap();
        // Its output ends when the last process that holds it is gone.
        host.stdout.as_mut().unwrap().read_to_end(&mut Vec::new()).unwrap();
        let gone = (0..200_000).any(|_| !runs(&mark));
        assert!(gone, "{}: something runs on", user.name);
        assert!(names(&workspace).is_empty(), "{}: {:?}", user.name, names(&workspace));
        assert!(!Path::new("/tmp").join(&mark).exists());
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    }
}

#[test]
fn a_sandbox_that_was_forked_ahead_goes_with_its_host_and_with_who_holds_it() {
    for user in users() {
        let mut host = user.program(&["ahead"]);
        let mut host = host.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 3];
        host.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"up\n", "{}", user.name);
        host.kill().unwrap();
        host.wait().unwrap();
        // The process that waits for a plan has this output, too: it ends when that one is gone.
        host.stdout.as_mut().unwrap().read_to_end(&mut Vec::new()).unwrap();
    }
}
