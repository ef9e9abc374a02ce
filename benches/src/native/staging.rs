//! Staged writes against direct ones: the same program over an overlay and over a bind mount.

use ringfence_capability::Profile;
use ringfence_sandbox::staging::Stage;
use ringfence_sandbox::{LinuxExecutor, StageDirs, WriteMode};
use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

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

/// The stages of all runs. Nothing is removed while anything is measured: ext4 makes new files
/// slowly in directories from which many were removed seconds ago.
pub(crate) type Kept = Rc<RefCell<Vec<Stage>>>;

/// Returns the same work over a bind mount, which the others are compared with, over an overlay,
/// and with making the stage and looking through it.
pub(crate) fn cases(work: Work, scratch: &Path, kept: &Kept) -> Result<Vec<Case>, Box<dyn Error>> {
    let workspace = scratch.join(work.name);
    fs::create_dir_all(workspace.join("in"))?;
    for file in 0..FILES {
        fs::write(workspace.join("in").join(file.to_string()), vec![b'x'; FILE_BYTES])?;
    }
    let workspace = workspace.canonicalize()?;
    Ok(vec![
        bind(work, &workspace)?,
        overlay(work, "overlay", &workspace, kept, |_, ran| ran)?,
        overlay(work, "overlay, made and looked through", &workspace, kept, |all, _| all)?,
    ])
}

fn bind(work: Work, workspace: &Path) -> Result<Case, Box<dyn Error>> {
    let plan = plan(Profile::WorkspaceWrite, workspace, WriteMode::Direct)?;
    let executor = LinuxExecutor::new();
    let workspace = workspace.to_owned();
    let mut round = 0;
    Ok(Case::new(&format!("{}, bind", work.name), move || {
        let out = workspace.join("out");
        fs::create_dir_all(&out)?;
        let took = run(&executor, &plan, "/bin/sh", &["sh", "-c", work.script], None)?;
        round += 1;
        fs::rename(&out, workspace.with_extension(round.to_string()))?;
        Ok(took)
    }))
}

fn overlay(
    work: Work,
    way: &str,
    workspace: &Path,
    kept: &Kept,
    counted: fn(Duration, Duration) -> Duration,
) -> Result<Case, Box<dyn Error>> {
    let plan = plan(Profile::WorkspaceWrite, workspace, WriteMode::Staged)?;
    let executor = LinuxExecutor::new();
    let (workspace, kept) = (workspace.to_owned(), Rc::clone(kept));
    let stages = workspace.with_file_name("stages");
    Ok(Case::new(&format!("{}, {way}", work.name), move || {
        fs::create_dir_all(workspace.join("out"))?;
        let start = Instant::now();
        let stage = Stage::create(&stages, &workspace)?;
        let (upper, inner) = (stage.upper().to_owned(), stage.work().to_owned());
        let dirs = StageDirs { upper, work: inner };
        let ran = run(&executor, &plan, "/bin/sh", &["sh", "-c", work.script], Some(dirs))?;
        stage.changes(&|_: &str| false)?;
        let all = start.elapsed();
        kept.borrow_mut().push(stage);
        Ok(counted(all, ran))
    }))
}
