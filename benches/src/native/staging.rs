//! Staged writes against direct ones: the same program over an overlay and over a bind mount.

use ringfence_capability::Profile;
use ringfence_sandbox::staging::Stage;
use ringfence_sandbox::{LinuxExecutor, StageDirs, WriteMode};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::library::{plan, run};
use crate::turns::Case;

/// How many files the workspace has, each of this size.
const FILES: usize = 100;
const FILE_BYTES: usize = 4096;

/// What is done in the workspace.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    name: &'static str,
    script: &'static str,
}

/// What is measured.
pub(crate) const WORK: [Work; 2] = [
    Work { name: "read 100 files", script: "cat in/*" },
    Work {
        name: "write 100 files",
        script: "i=0; while [ $i -lt 100 ]; do echo $i > out/$i; i=$((i+1)); done",
    },
];

/// Returns the same work over a bind mount, which the others are compared with, over an overlay,
/// and with all that a stage needs around it.
pub(crate) fn cases(work: Work, scratch: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let workspace = scratch.join(work.name);
    fs::create_dir_all(workspace.join("in"))?;
    for file in 0..FILES {
        fs::write(workspace.join("in").join(file.to_string()), vec![b'x'; FILE_BYTES])?;
    }
    let workspace = workspace.canonicalize()?;
    let state = scratch.join("stages");
    let argv = ["sh", "-c", work.script];
    let name = |way: &str| format!("{}, {way}", work.name);

    let (direct, out) = (WriteMode::Direct, workspace.join("out"));
    let plan_direct = plan(Profile::WorkspaceWrite, &workspace, direct)?;
    let bind = Case::new(&name("bind"), move || {
        fs::create_dir_all(&out)?;
        let took = run(&LinuxExecutor::new(), &plan_direct, "/bin/sh", &argv, None);
        fs::remove_dir_all(&out)?;
        fs::create_dir(&out)?;
        took
    });
    let staged = |way, counted: fn(Instant, std::time::Duration) -> std::time::Duration| {
        let plan = plan(Profile::WorkspaceWrite, &workspace, WriteMode::Staged)?;
        let (workspace, state) = (workspace.clone(), state.clone());
        let case = Case::new(&name(way), move || {
            fs::create_dir_all(workspace.join("out"))?;
            let start = Instant::now();
            let made = Stage::create(&state, &workspace)?;
            let (upper, work) = (made.upper().to_owned(), made.work().to_owned());
            let dirs = StageDirs { upper, work };
            let ran = run(&LinuxExecutor::new(), &plan, "/bin/sh", &argv, Some(dirs))?;
            made.changes(&|_: &str| false)?;
            made.discard()?;
            Ok(counted(start, ran))
        });
        Ok::<_, Box<dyn Error>>(case)
    };
    let overlay = staged("overlay", |_, ran| ran)?;
    let whole = staged("overlay, made, looked through, thrown away", |start, _| start.elapsed())?;
    Ok(vec![bind, overlay, whole])
}
