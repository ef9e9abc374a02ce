//! Ordinary programs behave ordinarily.

use crate::setup::Case;
use ringfence_capability::Profile;
use ringfence_sandbox::{Exit, SandboxError, SandboxExecutor, Stdio};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_program_runs_under_every_profile() {
    for profile in Profile::ALL {
        let case = Case::of(profile);
        let mut run = case.start("/bin/true", &["true"]).unwrap();
        assert_eq!(run.wait().unwrap(), Exit::Code(0), "{profile}");
        assert_eq!(run.wait().unwrap(), Exit::Code(0), "asking again gives the same answer");
    }
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let case = Case::new();
    for code in [0_u8, 1, 42, 137, 255] {
        assert_eq!(case.sh(&format!("exit {code}")).exit, Exit::Code(code));
    }
    for signal in [1, 6, 9, 15] {
        let exit = case.sh(&format!("kill -{signal} $$")).exit;
        assert_eq!(exit, Exit::Signal(signal));
        assert_eq!(i32::from(exit.shell_code()), 128 + signal);
    }
}

#[test]
fn the_working_directory_and_the_standard_variables_are_set() {
    let case = Case::new();
    let output = case.sh("pwd; echo $HOME $TMPDIR $LANG; env | wc -l");
    let expected = format!("{}\n/tmp /tmp C.UTF-8\n5", case.workspace().display());
    assert_eq!(output.succeeded(), expected);
}

#[test]
fn arguments_need_not_be_utf_8() {
    let case = Case::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = case.command("/usr/bin/printf", &["printf", "%s"]);
    command.argv.push(OsString::from_vec(vec![0xff, b'a', 0xfe]));
    command.stdio[1] = Stdio::Fd(writer.into());
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    let mut output = Vec::new();
    reader.read_to_end(&mut output).unwrap();
    assert_eq!((run.wait().unwrap(), output), (Exit::Code(0), vec![0xff, b'a', 0xfe]));
}

#[test]
fn large_input_and_output_pass_without_a_deadlock() {
    const SIZE: usize = 8 << 20;
    let case = Case::new();
    let (input, mut feed) = std::io::pipe().unwrap();
    let (mut drain, output) = std::io::pipe().unwrap();
    let mut command = case.command("/bin/cat", &["cat"]);
    command.stdio = [Stdio::Fd(input.into()), Stdio::Fd(output.into()), Stdio::Null];
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    let writer = std::thread::spawn(move || feed.write_all(&vec![7; SIZE]));
    let mut copied = Vec::new();
    drain.read_to_end(&mut copied).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!((run.wait().unwrap(), copied.len()), (Exit::Code(0), SIZE));
}

#[test]
fn a_reader_sees_the_end_when_the_program_closes_its_output() {
    let case = Case::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = case.command("/bin/sh", &["sh", "-c", "echo said; exec >&-; read line"]);
    let (input, feed) = std::io::pipe().unwrap();
    command.stdio = [Stdio::Fd(input.into()), Stdio::Fd(writer.into()), Stdio::Null];
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!(output, "said\n");
    drop(feed);
    assert_eq!(run.wait().unwrap(), Exit::Code(1));
}

#[test]
fn a_script_runs_with_its_interpreter_and_its_own_path() {
    let case = Case::new();
    let path = case.workspace().join("bin/tool");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "#!/usr/bin/env -S sh -e\necho \"$0\" \"$@\"\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let outcome = case.run(path.to_str().unwrap(), &["tool", "one", "two"]);
    assert_eq!(outcome.succeeded(), format!("{} one two", path.display()));
}

#[test]
fn a_program_outside_the_granted_files_is_shown_alone() {
    let case = Case::new();
    let directory = case.home.path().join("elsewhere");
    std::fs::create_dir(&directory).unwrap();
    std::fs::copy("/bin/ls", directory.join("list")).unwrap();
    std::fs::write(directory.join("secret"), "").unwrap();
    let list = directory.join("list");
    let outcome = case.run(list.to_str().unwrap(), &["list", directory.to_str().unwrap()]);
    assert_eq!(outcome.succeeded(), "list");
}

#[test]
fn a_command_that_does_not_fit_its_plan_is_refused() {
    let check = |profile, change: &dyn Fn(&mut ringfence_sandbox::Command), code: &str| {
        let case = Case::of(profile);
        let mut command = case.command("/bin/true", &["true"]);
        change(&mut command);
        let Err(error) = case.executor().spawn(&case.plan(), command) else {
            panic!("{code} was not refused")
        };
        assert_eq!(ringfence_capability::Diagnostic::code(&error), code, "{error}");
    };
    check(Profile::Offline, &|command| command.argv.clear(), "sandbox::command");
    check(
        Profile::Offline,
        &|command| command.environment.push(("SECRET".into(), "1".into())),
        "sandbox::environment",
    );
    check(Profile::Offline, &|command| command.argv.push("a\0b".into()), "sandbox::command");
}

#[test]
fn a_program_that_was_replaced_is_refused() {
    let case = Case::new();
    let path = case.workspace().join("tool");
    std::fs::copy("/bin/true", &path).unwrap();
    let command = case.command(path.to_str().unwrap(), &["tool"]);
    std::fs::copy("/bin/false", case.workspace().join("other")).unwrap();
    std::fs::rename(case.workspace().join("other"), &path).unwrap();
    let refused = case.executor().spawn(&case.plan(), command).err();
    assert!(matches!(refused, Some(SandboxError::ProgramChanged { .. })), "{refused:?}");
}
