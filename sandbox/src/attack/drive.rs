//! Making one attack: ground laid, program started, scene told, host looked at.

use super::ground::{Ground, PROTECTED, fingerprint, is_root};
use super::outcome::{Outcome, reason};
use super::scene::{Room, Scene};
use super::{Attack, Twin, launch};
use crate::danger::{Protection, Without, executor_without};
use crate::staging::{Decision, Stage};
use crate::{
    Command, LinuxExecutor, PlanContext, Program, SandboxError, SandboxExecutor, SandboxPlan,
    StageDirs, Status, Stdio, WriteMode,
};
use ringfence_capability::{
    Capability, Diagnostic, Grant, GrantSet, MethodClass, Origin, PathScope, Port,
};
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one attack may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Makes attacks with one program, which is started again inside and calls [`super::main`].
pub struct Battery {
    program: Program,
    path: PathBuf,
    arguments: Vec<OsString>,
    base: PathBuf,
    executor: LinuxExecutor,
}

/// How the program is started.
enum Way<'a> {
    /// In the sandbox.
    Sandboxed(Room, Start),
    /// By this command, or by itself.
    Launched(&'a [String]),
}

/// How a sandbox begins.
#[derive(Clone, Copy)]
enum Start {
    /// When it is asked for.
    Late,
    /// With a first process forked ahead, where this process can do that.
    Ahead,
    /// When it is asked for, with less than the whole.
    Without(Without),
}

impl Battery {
    /// Returns the battery of `program`, which calls [`super::main`] with the last argument when it
    /// is started with `arguments` and the name of an attack. Grounds are laid below `base`, which
    /// is neither below `/tmp` nor granted to anyone.
    ///
    /// # Errors
    /// [`SandboxError::Program`] and [`SandboxError::ProgramKind`] when it cannot be started.
    pub fn new(
        program: &Path,
        arguments: Vec<OsString>,
        base: &Path,
    ) -> Result<Self, SandboxError> {
        let program = Program::open(program)?;
        let path = program.path().to_owned();
        let base = base.to_owned();
        Ok(Self { program, path, arguments, base, executor: LinuxExecutor::new() })
    }

    /// Makes the attack in the whole sandbox, in whichever way that begins.
    pub fn attack(&self, attack: &Attack, room: Room) -> Outcome {
        let late = self.repeat(attack, &Way::Sandboxed(room, Start::Late));
        if !matches!(late, Outcome::Held(_)) || !late.unexpected(attack.held).is_empty() {
            return late;
        }
        self.repeat(attack, &Way::Sandboxed(room, Start::Ahead))
    }

    /// Makes the attack's twin, which should escape; nothing where there is none for this user.
    pub fn twin(&self, attack: &Attack, room: Room) -> Option<Outcome> {
        let way = match attack.twin {
            Twin::Without(without) => {
                // Without a network of its own there is no place for the proxy's listener.
                let proxied = room.proxied && !without.contains(&Protection::Network);
                let start = Start::Without(Without::these(without));
                Way::Sandboxed(Room { proxied, ..room }, start)
            }
            Twin::Direct(without) => {
                let room = Room { write: WriteMode::Direct, ..room };
                Way::Sandboxed(room, Start::Without(Without::these(without)))
            }
            Twin::Open => Way::Launched(&[]),
            Twin::OpenAsRoot if is_root() => Way::Launched(&[]),
            Twin::OpenAsRoot | Twin::None(_) => return None,
        };
        Some(self.repeat(attack, &way))
    }

    /// Makes the attack on another sandbox, which `launcher` starts: a command to which the
    /// program and its arguments are added. `{ws}` and `{exe}` in it stand for the workspace and
    /// the directory of the program.
    pub fn against(&self, attack: &Attack, launcher: &[String]) -> Outcome {
        self.repeat(attack, &Way::Launched(launcher))
    }

    fn repeat(&self, attack: &Attack, way: &Way<'_>) -> Outcome {
        let mut last = Outcome::Skipped("it was not tried".to_owned());
        for _ in 0..attack.repeats {
            last = ran(attack, self.once(attack, way));
            if !matches!(last, Outcome::Held(_)) {
                break;
            }
        }
        last
    }

    fn once(&self, attack: &Attack, way: &Way<'_>) -> Outcome {
        let room = match way {
            Way::Sandboxed(room, _) => Some(*room),
            Way::Launched(_) => None,
        };
        // Before anything is arranged: an attack may have threads of its own.
        let own = match way {
            Way::Sandboxed(_, Start::Ahead) => Some(LinuxExecutor::forking_ahead()),
            Way::Sandboxed(_, Start::Without(without)) => Some(executor_without(*without)),
            Way::Sandboxed(_, Start::Late) | Way::Launched(_) => None,
        };
        if let (Way::Sandboxed(_, Start::Ahead), Some(own)) = (way, &own)
            && !own.has_forked()
        {
            return Outcome::Skipped("it did not run: nothing could be forked ahead".to_owned());
        }
        let mut ground = match Ground::lay(&self.base, room) {
            Ok(ground) => ground,
            Err(error) => return Outcome::Skipped(format!("no ground: {}", reason(&error))),
        };
        let mut scene = ground.scene();
        if let Err(why) = (attack.arrange)(&mut ground, &mut scene) {
            return Outcome::Skipped(why);
        }
        match way {
            Way::Sandboxed(room, start) => {
                let executor = own.as_ref().unwrap_or(&self.executor);
                match self.sandboxed(attack, *room, (executor, *start), &ground, &scene) {
                    Ok(outcome) => outcome,
                    Err(error) => Outcome::held("start", error.code()),
                }
            }
            Way::Launched(launcher) => {
                (attack.judge)(&ground, self.launched(attack, launcher, &ground, &scene))
            }
        }
    }

    fn sandboxed(
        &self,
        attack: &Attack,
        room: Room,
        (executor, start): (&LinuxExecutor, Start),
        ground: &Ground,
        scene: &Scene,
    ) -> Result<Outcome, SandboxError> {
        let plan = plan(room, ground, scene)?;
        let mut stage = room.is_staged().then(|| stage(ground)).transpose()?;
        let pipes = Pipes::new()?;
        let command = self.command(attack, stage.as_ref(), ground, scene, &pipes)?;
        let mut run = executor.spawn(&plan, command)?;
        (attack.during)(ground);
        let before = Before::look(ground);
        let line = pipes.talk(scene);
        let exit = run.wait()?;
        let outcome = launch::heard(&line, exit);
        let outcome = before.compare(ground, outcome, room.is_staged());
        if let Some(stage) = &mut stage {
            commit(stage);
        }
        let outcome = (attack.judge)(ground, outcome);
        // A twin that leaves something running is ended here.
        let _ = run.kill();
        if matches!(start, Start::Without(_)) {
            return Ok(outcome);
        }
        Ok(admitted(attack, &executor.enforcement(&plan), outcome))
    }

    fn command(
        &self,
        attack: &Attack,
        stage: Option<&Stage>,
        ground: &Ground,
        scene: &Scene,
        pipes: &Pipes,
    ) -> Result<Command, SandboxError> {
        let mut command = Command::new(self.program.again()?, self.argv(attack));
        command.stdio = pipes.ends(ground)?;
        command.deadline = Some(DEADLINE);
        command.environment.extend(
            scene.variable.iter().map(|(name, value)| (name.clone().into(), value.clone().into())),
        );
        command.stage =
            stage.map(|stage| StageDirs { upper: stage.upper().into(), work: stage.work().into() });
        Ok(command)
    }

    fn argv(&self, attack: &Attack) -> Vec<OsString> {
        let mut argv = vec![self.path.clone().into_os_string()];
        argv.extend(self.arguments.iter().cloned());
        argv.push(attack.name.into());
        argv
    }

    fn launched(
        &self,
        attack: &Attack,
        launcher: &[String],
        ground: &Ground,
        scene: &Scene,
    ) -> Outcome {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let place = |word: &String| {
            let word = word.replace("{ws}", &ground.workspace().to_string_lossy());
            OsString::from(word.replace("{exe}", &directory.to_string_lossy()))
        };
        let mut words: Vec<OsString> = launcher.iter().map(place).collect();
        words.extend(self.argv(attack));
        let outcome = launch::launch(&words, ground, scene, DEADLINE, || {
            (attack.during)(ground);
            Before::look(ground)
        });
        match outcome {
            Ok((outcome, before)) => before.compare(ground, outcome, false),
            Err(error) => Outcome::held("start", reason(&error)),
        }
    }
}

/// Returns an attack that nobody made as skipped: a program that did not start, or ended before it
/// could say anything, holds nothing.
fn ran(attack: &Attack, outcome: Outcome) -> Outcome {
    let odd = match &outcome {
        Outcome::Held(answers) => answers.iter().find(|(what, why)| {
            matches!(what.as_str(), "start" | "program") && !attack.held.contains(&why.as_str())
        }),
        Outcome::Escaped(_) | Outcome::Admitted(_) | Outcome::Skipped(_) => None,
    };
    match odd {
        Some((what, why)) => Outcome::Skipped(format!("it did not run ({what}: {why})")),
        None => outcome,
    }
}

/// The pipes to and from the program.
struct Pipes {
    feed: PipeWriter,
    input: PipeReader,
    answers: PipeReader,
    output: PipeWriter,
}

impl Pipes {
    fn new() -> Result<Self, SandboxError> {
        let pipe = || io::pipe().map_err(setup);
        let ((input, feed), (answers, output)) = (pipe()?, pipe()?);
        Ok(Self { feed, input, answers, output })
    }

    fn ends(&self, ground: &Ground) -> Result<[Stdio; 3], SandboxError> {
        let input: OwnedFd = self.input.try_clone().map_err(setup)?.into();
        let output: OwnedFd = self.output.try_clone().map_err(setup)?.into();
        let terminal = launch::terminal(ground).map_err(setup)?;
        Ok([Stdio::Fd(input), Stdio::Fd(output), terminal.map_or(Stdio::Null, Stdio::Fd)])
    }

    /// Tells the scene and returns the answer.
    fn talk(self, scene: &Scene) -> Vec<u8> {
        let Self { mut feed, input, answers, output } = self;
        drop((input, output));
        let mut line = serde_json::to_vec(scene).unwrap_or_default();
        line.push(b'\n');
        // A program that is gone already says nothing either.
        let _ = feed.write_all(&line);
        drop(feed);
        launch::first_line(answers.into(), DEADLINE)
    }
}

/// What the host's files were before the attack.
pub(super) struct Before {
    outside: String,
    workspace: String,
}

impl Before {
    fn look(ground: &Ground) -> Self {
        let outside = fingerprint(&ground.outside(""));
        Self { outside, workspace: fingerprint(&ground.workspace()) }
    }

    /// Corrects what the program believes by what the files say.
    fn compare(&self, ground: &Ground, outcome: Outcome, staged: bool) -> Outcome {
        let now = Self::look(ground);
        if now.outside != self.outside {
            return Outcome::Escaped("files outside of the workspace changed".to_owned());
        }
        if staged && now.workspace != self.workspace {
            return Outcome::Escaped("the workspace changed before a commit".to_owned());
        }
        outcome
    }
}

fn setup(source: io::Error) -> SandboxError {
    SandboxError::Setup { step: "lay the ground", source }
}

fn plan(room: Room, ground: &Ground, scene: &Scene) -> Result<SandboxPlan, SandboxError> {
    let path = |_| SandboxError::Path { path: ground.workspace(), why: "it cannot be granted" };
    let scope = PathScope::workspace(&scene.scope, "/").map_err(path)?;
    let files = if room.writes() { Capability::FsWrite(scope) } else { Capability::FsRead(scope) };
    let host = "example.com".parse().map_err(path)?;
    let http = Capability::Http { host, port: Port::Default, methods: MethodClass::Read };
    let wanted = std::iter::once(files).chain(room.proxied.then_some(http));
    let grants = wanted.map(|one| Grant::new(one, Origin::BuiltIn)).collect();
    let context = PlanContext {
        profile: room.profile,
        workspace: ground.workspace(),
        working_directory: ground.inside(&scene.scope),
        protected: PROTECTED.map(str::to_owned).to_vec(),
        write: room.write,
        environment: Vec::new(),
        limits: scene.limits,
    };
    SandboxPlan::from_grants(&GrantSet::new(grants), &context)
}

fn stage(ground: &Ground) -> Result<Stage, SandboxError> {
    let made = Stage::create(&ground.state(), &ground.workspace());
    made.map_err(|error| setup(io::Error::other(error)))
}

/// Says yes to everything that a general yes covers. A refused commit leaves the workspace alone.
fn commit(stage: &mut Stage) {
    if let Ok(changes) = stage.changes(&|name: &str| PROTECTED.contains(&name)) {
        let _ = stage.commit(&changes, &Decision::unflagged(&changes));
    }
}

/// Returns an escape that the plan's enforcement says is not held as admitted.
fn admitted(attack: &Attack, enforcement: &[crate::Enforcement], outcome: Outcome) -> Outcome {
    let (Outcome::Escaped(what), Some(words)) = (&outcome, attack.admitted) else {
        return outcome;
    };
    let says = |status: &Status| matches!(status, Status::Partial(text) if text.contains(words));
    if enforcement.iter().any(|rule| says(&rule.status)) {
        return Outcome::Admitted(format!("{what}: {words}"));
    }
    outcome
}
