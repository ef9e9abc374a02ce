//! A plugin that asks for native programs: what was not granted or not approved does not run, what
//! runs reaches no more than the plugin, and nothing outlives the run.

mod changes;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringfence::approval::{
    Answer, ApprovalError, Approver, Argument, By, Channel, Expected, Place as Kept, Prompt,
    Request, Store,
};
use ringfence::sandbox::SandboxExecutor;
use ringfence::sandbox::danger::{Protection, Without, executor_without};
use ringfence::{Host, Limit, NativeOptions, RunOptions, Stdio};
use ringfence_capability::{ArgvPattern, Capability, Grant, Origin, PathScope, Request as Asked};

use crate::common::{Expect, Place, Run, block_on, check, guest_bytes, one, read};
use crate::server::{Answer as Served, Server};

const ASKED: &str = "runs a program for the test";

/// A person who answers each request by this rule, and what they were asked.
struct Person {
    answers: Box<dyn Fn(&Request) -> Answer + Send + Sync>,
    asked: Mutex<Vec<Request>>,
    /// What they could look at, for each.
    details: Mutex<Vec<Option<String>>>,
}

impl Person {
    fn new(answers: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answers: Box::new(answers),
            asked: Mutex::default(),
            details: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Approver for Person {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        self.asked.lock().unwrap().push(request.clone());
        self.details.lock().unwrap().push(prompt.detail.clone());
        Ok((self.answers)(request))
    }

    fn channel(&self) -> Channel {
        Channel::Terminal
    }
}

fn yes() -> Arc<Person> {
    Person::new(|_| Answer::Once)
}

fn pattern(words: &[&str]) -> Capability {
    Capability::Exec(ArgvPattern::parse(words).unwrap())
}

/// A run of the guest that asks `times` times for `argv` and may ask for `granted`. The plugin can
/// read the directory `open` of the workspace: its language runtime imports files.
struct Case<'p> {
    place: &'p Place,
    granted: &'p [&'p str],
    argv: &'p [&'p str],
    times: u32,
    stdin: &'p str,
    timeout_ms: u32,
    approver: Option<Arc<dyn Approver>>,
}

impl<'p> Case<'p> {
    fn new(place: &'p Place, granted: &'p [&'p str], argv: &'p [&'p str]) -> Self {
        std::fs::create_dir_all(place.path("ws/open")).unwrap();
        let approver: Option<Arc<dyn Approver>> = Some(yes());
        Self { place, granted, argv, times: 1, stdin: "", timeout_ms: 0, approver }
    }

    fn asks(self, approver: Arc<Person>) -> Self {
        Self { approver: Some(approver), ..self }
    }

    fn nobody(self) -> Self {
        Self { approver: None, ..self }
    }

    fn run(self) -> Run<'p> {
        let mut args =
            vec![self.times.to_string(), self.stdin.to_owned(), self.timeout_ms.to_string()];
        args.extend(self.argv.iter().map(|&word| word.to_owned()));
        let asked = Asked::required(pattern(self.granted), ASKED, Origin::Flag("test".to_owned()));
        let run = Run::command("exec-runner", args).at(self.place).grant(read("open", "/open"));
        run.with(|options| {
            // Asked for and approved by nobody: that comes with each call.
            options.requests.push(asked);
            options.native.approver = self.approver;
        })
    }
}

fn shell<'p>(place: &'p Place, line: &'p [&'p str; 3]) -> Case<'p> {
    Case::new(place, &["sh", "-c", "*"], line)
}

#[test]
fn arguments_outside_the_granted_pattern_never_reach_a_person() {
    let place = Place::new();
    let person = yes();
    let why = "denied: no granted command covers the program with these arguments";
    for (granted, argv) in [
        (&["echo", "one"][..], &["echo", "two"][..]),
        (&["echo", "*"], &["echo", "one", "two"]),
        (&["echo", "*"], &["/bin/echo", "one"]),
        (&["echo", "*"], &["sh", "-c", "echo one"]),
        // An option where an operand is expected would change what the program does.
        (&["sort", "*"], &["sort", "--output=open/file"]),
        (&["sort", "**"], &["sort", "--", "-o"]),
    ] {
        one(
            Case::new(&place, granted, argv).asks(Arc::clone(&person)).run(),
            &Expect::Refused(why),
        );
    }
    assert!(person.asked().is_empty());
    one(Case::new(&place, &["echo", "*"], &["echo", "one"]).run(), &out("one\n"));
    let twin = Case::new(&place, &["sort", "-**"], &["sort", "--version"]);
    one(twin.run(), &Expect::Succeeded("code 0; out [sort"));
}

#[test]
fn nothing_runs_that_no_person_approved() {
    let place = Place::new();
    let line = ["sh", "-c", "echo ran"];
    let case = || shell(&place, &line);
    let refused = [
        (
            case().nobody(),
            "denied: nobody can be asked here; a person approves exactly this with `ringfence approvals approve ",
        ),
        (case().asks(Person::new(|_| Answer::Deny)), "denied: a person said no"),
        (case().asks(Person::new(|_| Answer::DenyAlways)), "denied: a person said no"),
    ];
    for (case, why) in refused {
        one(case.run(), &Expect::Refused(why));
    }
    // What was denied for always stays so, whoever is asked.
    let person = yes();
    one(
        case().asks(Arc::clone(&person)).run(),
        &Expect::Refused("denied: a person denied this for always"),
    );
    assert!(person.asked().is_empty());
    one(shell(&Place::new(), &line).run(), &out("ran\n"));
}

#[test]
fn a_person_reads_who_asks_what_exactly_and_the_reason_of_the_manifest() {
    let place = Place::new();
    let person = yes();
    let case = Case::new(&place, &["echo", "*"], &["echo", "one"]).asks(Arc::clone(&person));
    one(case.run(), &out("one\n"));
    let [request] = &person.asked()[..] else { panic!("asked once") };
    let parts = request.parts();
    let argv: Vec<_> = request.exec().unwrap().argv.iter().map(Argument::as_bytes).collect();
    assert_eq!((argv, parts.capability.as_str()), (vec![&b"echo"[..], b"one"], "exec:echo one"));
    assert_eq!(parts.reason.as_deref(), Some(ASKED));
    assert!(
        matches!(&parts.asker, ringfence::approval::Asker::Plugin { name, .. } if name == "exec-runner")
    );
}

#[test]
fn an_approval_is_for_these_arguments_and_no_others() {
    let place = Place::new();
    let granted = ["echo", "*"];
    let ask = |word: &'static str| {
        let argv: &'static [&'static str] = vec!["echo", word].leak();
        let end = block_on(Case::new(&place, &granted, argv).nobody().run().end());
        end.line().unwrap()
    };
    let (outcome, detail) = ask("one");
    assert_eq!(outcome, "refused");
    let id = detail.split("approve ").nth(1).unwrap().split('`').next().unwrap();
    approve(&place, id);
    assert_eq!(ask("two").0, "refused");
    let (outcome, detail) = ask("one");
    assert_eq!((outcome.as_str(), detail.contains("out [one\n]")), ("succeeded", true), "{detail}");
    // Once is once.
    assert_eq!(ask("one").0, "refused");
}

/// Approves a request that nobody could be asked about, as `ringfence approvals approve` does.
fn approve(place: &Place, id: &str) {
    let kept = Kept::open(&place.path("state")).unwrap();
    let store = Store::open(&kept, Box::new(jiff::Timestamp::now)).unwrap();
    let by = By::me(Channel::Command);
    store.answer(&id.parse().unwrap(), &Answer::Once, Expected::AnyWithId, by).unwrap();
}

#[test]
fn a_person_who_said_no_five_times_is_not_asked_again_in_that_run() {
    let place = Place::new();
    let person = Person::new(|_| Answer::Deny);
    let case = Case::new(&place, &["echo"], &["echo"]).asks(Arc::clone(&person));
    let case = Case { times: 9, ..case };
    one(case.run(), &Expect::Refused("budget: a person refused this plugin 5 times in this run"));
    assert_eq!(person.asked().len(), 5);
}

#[test]
fn a_program_reads_what_the_plugin_may_read_and_nothing_else() {
    let place = Place::new();
    place
        .file("ws/open/readme", "public")
        .file("ws/closed/key", "secret")
        .file("beside/key", "secret");
    let path = |below: &str| place.path(below).canonicalize().unwrap().to_str().unwrap().to_owned();
    let (inside, outside) = (path("ws/closed/key"), path("beside/key"));
    one(Case::new(&place, &["cat", "*"], &["cat", "readme"]).run(), &out("public"));
    let beside = PathScope::elsewhere(&path("beside"), "/beside").unwrap();
    for (file, grant) in
        [(&inside, read("closed", "/closed")), (&outside, Capability::FsRead(beside))]
    {
        let argv = ["cat", file.as_str()];
        check(
            Case::new(&place, &["cat", "*"], &argv).run(),
            &Expect::Succeeded("code 1; out [] 0; err [cat: "),
            Case::new(&place, &["cat", "*"], &argv).run().grant(grant),
            &out("secret"),
        );
    }
}

#[test]
fn a_program_has_no_network_that_the_plugin_was_not_granted() {
    let server = Server::start(Served::Echo);
    let place = Place::new();
    let line = format!("exec 3<>/dev/tcp/127.0.0.1/{} && echo connected", server.port());
    let argv = ["bash", "-c", &line];
    let case = || Case::new(&place, &["bash", "-c", "*"], &argv);
    one(case().run(), &Expect::Succeeded("code 1; out [] 0"));
    assert_eq!(server.seen(), 0);
    let open: Arc<dyn SandboxExecutor> = Arc::new(executor_without(Without::these(&[
        Protection::Network,
        Protection::Landlock,
        Protection::Seccomp,
    ])));
    let twin = case().run().with(|options| options.native.executor = Some(open));
    one(twin, &out("connected\n"));
}

#[test]
fn a_program_gets_no_variable_that_the_plugin_was_not_granted() {
    let place = Place::new();
    let line = ["sh", "-c", "echo [$TOKEN] [$CARGO_MANIFEST_DIR]"];
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let run = || {
        let run = shell(&place, &line).run();
        run.with(|options| drop(options.env.insert("TOKEN".to_owned(), "hunter2".to_owned())))
    };
    check(
        run(),
        &out("[] []\n"),
        run().grant(Capability::Env("TOKEN".parse().unwrap())),
        &out("[hunter2] []\n"),
    );
}

#[test]
fn a_flood_of_output_is_cut_at_the_limit_and_said_to_be() {
    let place = Place::new();
    let argv = ["head", "-c", "3000000", "/dev/zero"];
    let run = |most: u64| {
        let case = Case::new(&place, &["head", "-c", "-**"], &argv);
        let case = Case { granted: &["head", "-**"], ..case };
        case.run().limit(Limit::Output, most)
    };
    check(
        run(1_000_000),
        &Expect::Succeeded("] 1000000 cut; err [] 0; nothing"),
        run(4_000_000),
        &Expect::Succeeded("] 3000000; err [] 0; nothing"),
    );
}

#[test]
fn standard_input_is_bytes_and_never_that_of_the_host() {
    let place = Place::new();
    let case = || Case::new(&place, &["cat"], &["cat"]);
    one(Case { stdin: "given", ..case() }.run(), &out("given"));
    one(case().run().stdin(b"the host's"), &Expect::Succeeded("code 0; out [] 0"));
    // No terminal either, and what is not read is no error.
    let line = ["sh", "-c", "test -t 0 || test -t 1 || test -t 2 || : < /dev/tty"];
    let long = "x".repeat(300_000);
    one(
        Case { stdin: &long, ..shell(&place, &line) }.run(),
        &Expect::Succeeded("; out [] 0; err [sh: "),
    );
}

/// A program that ignores polite signals, with a child that left its session, and a mark both bear.
fn endless(mark: &str) -> String {
    format!("trap '' TERM INT HUP; setsid sleep 5000.{mark} & while :; do sleep 6000.{mark}; done")
}

fn runs(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(mark))
}

#[test]
fn nothing_of_an_endless_program_is_left_when_the_time_of_the_run_is_over() {
    let place = Place::new();
    let mark = format!("{:07}1", std::process::id());
    let line = endless(&mark);
    let argv = ["sh", "-c", &line];
    one(shell(&place, &argv).run().limit(Limit::WallTime, 700), &Expect::Limit(Limit::WallTime));
    assert!(!runs(&mark));
    // A time of its own ends the program, and the plugin is told.
    let timed = Case { timeout_ms: 400, ..shell(&place, &argv) };
    one(timed.run(), &Expect::Succeeded("timed out; out "));
    assert!(!runs(&mark));
}

#[test]
fn the_time_a_person_takes_is_not_time_of_the_run() {
    let place = Place::new();
    let (_held, never) = channel::<()>();
    let never = Mutex::new(never);
    let slow = Person::new(move |_| {
        let _ = never.lock().unwrap().recv_timeout(Duration::from_millis(900));
        Answer::Once
    });
    let case = Case::new(&place, &["echo", "*"], &["echo", "one"]);
    one(case.asks(slow).run().limit(Limit::WallTime, 600), &out("one\n"));
}

#[test]
fn a_program_by_name_is_never_found_in_the_workspace() {
    let place = Place::new();
    place
        .file("ws/bin/tool", "#!/bin/sh\necho planted\n")
        .file("bin/tool", "#!/bin/sh\necho meant\n");
    for file in ["ws/bin/tool", "bin/tool"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(place.path(file), mode).unwrap();
    }
    let root = place.path("").canonicalize().unwrap();
    let run = |places: &[&str]| {
        let path = places.iter().map(|below| root.join(below)).collect();
        let native = move |options: &mut RunOptions| options.native.path = path;
        Case::new(&place, &["tool"], &["tool"]).run().with(native)
    };
    check(
        run(&["ws/bin"]),
        &Expect::Refused("not-found"),
        run(&["ws/bin", "bin"]),
        &out("meant\n"),
    );
}

/// Answers when it is told to.
struct Late(Mutex<Receiver<()>>);

impl Approver for Late {
    fn ask(&self, _: &Request, _: &Prompt) -> Result<Answer, ApprovalError> {
        let told = self.0.lock().unwrap().recv_timeout(Duration::from_secs(20));
        told.map(|()| Answer::Once).map_err(|_| ApprovalError::TimedOut)
    }

    fn channel(&self) -> Channel {
        Channel::Terminal
    }
}

#[test]
fn one_program_of_a_plugin_runs_at_a_time() {
    let place = Place::new();
    let (tell, told): (Sender<()>, _) = channel();
    let asked = |capability| Asked::required(capability, ASKED, Origin::Flag("test".to_owned()));
    let open = read(".", "/ws");
    let approver: Arc<dyn Approver> = Arc::new(Late(Mutex::new(told)));
    let plugin = Host::open_bytes(guest_bytes("exec-runner"), "exec-runner").unwrap();
    let options = RunOptions {
        profile: ringfence::Profile::Trusted,
        trust: Some((plugin.identity, ringfence::Profile::Trusted)),
        requests: vec![asked(pattern(&["echo", "*"])), asked(open.clone())],
        approved: vec![Grant::new(open, Origin::Flag("test".to_owned()))],
        native: NativeOptions { approver: Some(approver), ..NativeOptions::default() },
        ..RunOptions::default()
    };
    let prepared = place.host(ringfence::Limits::default()).prepare(&plugin, options).unwrap();
    let args = ["1", "", "0", "echo", "one"].map(str::to_owned);
    let first = Printed::default();
    let second = Printed::default();
    // Whichever comes first is asked about; the person answers when the other one has ended.
    let run = async |printed: &Printed| {
        prepared.run(&args, Stdio::new(None, printed.clone(), Vec::new())).await.unwrap();
        let _ = tell.send(());
    };
    block_on(async { tokio::join!(run(&first), run(&second)) });
    let said = [first.text(), second.text()];
    for wanted in ["out [one", "budget: another program of this plugin still runs"] {
        let times = said.iter().filter(|text| text.contains(wanted)).count();
        assert_eq!(times, 1, "{wanted}: {said:?}");
    }
}

/// Keeps what is printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl ringfence::Sink for Printed {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

#[test]
fn a_command_that_policy_forbids_keeps_the_plugin_from_starting() {
    let place = Place::new();
    let case = || Case::new(&place, &["sh", "-c", "*"], &["sh", "-c", "echo one"]);
    // The list of what may be asked about under `offline` has no shells.
    check(
        case().run().profile(ringfence::Profile::Offline),
        &Expect::Error("policy::forbidden", &["exec:sh -c *", "offline"]),
        case().run().profile(ringfence::Profile::WorkspaceWrite),
        &out("one\n"),
    );
}

/// Returns that the program ended well and wrote exactly this.
fn out(text: &'static str) -> Expect<'static> {
    Expect::Succeeded(format!("code 0; out [{text}] {}; err [] 0", text.len()).leak())
}
