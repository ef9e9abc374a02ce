//! Starting a program in a container made for it.
//!
//! Not verified on this system: type-checked only, see [`super`].

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::{SECURITY_CAPABILITIES, SID_AND_ATTRIBUTES};
use windows_sys::Win32::Storage::FileSystem::FILE_SHARE_READ;
use windows_sys::Win32::System::Threading::{
    CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, EXTENDED_STARTUPINFO_PRESENT,
    PROC_THREAD_ATTRIBUTE_ALL_APPLICATION_PACKAGES_POLICY, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
    PROC_THREAD_ATTRIBUTE_JOB_LIST, PROC_THREAD_ATTRIBUTE_SECURITY_CAPABILITIES,
    PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
};

use super::access::access_entries;
use super::attributes::AttributeList;
use super::command_line::{CommandLineError, batch_command_line, command_line, is_batch_file};
use super::container::{Kind, capabilities, kind, name, plain_path};
use super::enforcement::enforcement;
use super::environment::{EnvironmentError, WidePair, environment_block, with_system};
use super::grants::{Grants, is_real};
use super::job::job_limits;
use super::running::{Job, WindowsRunning};
use super::sys::{self, Sid};
use crate::executor::{Command, Enforcement, Running, SandboxExecutor, Stdio};
use crate::plan::{Network, SandboxPlan};
use crate::{Program, SandboxError};

/// `SE_GROUP_ENABLED`
const ENABLED: u32 = 4;

/// `PROCESS_CREATION_ALL_APPLICATION_PACKAGES_OPT_OUT`
const OPT_OUT: [u32; 1] = [1];

/// Tells apart the runs of one host.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Starts programs in an `AppContainer`.
#[derive(Debug, Default, Clone, Copy)]
pub struct WindowsExecutor;

impl SandboxExecutor for WindowsExecutor {
    fn enforcement(&self, plan: &SandboxPlan) -> Vec<Enforcement> {
        enforcement(plan)
    }

    fn spawn(
        &self,
        plan: &SandboxPlan,
        command: Command,
    ) -> Result<Box<dyn Running>, SandboxError> {
        if plan.network() == Network::Proxy {
            return Err(refused("an `AppContainer` cannot reach the host's proxy on the loopback"));
        }
        if let Some((script, _)) = command.program.script() {
            let why = "Windows starts no script by its first line";
            return Err(SandboxError::ProgramKind { path: script.path.clone(), why });
        }
        check_paths(plan)?;
        let program = plain_path(&command.program.executed().path);
        // Nobody can write, rename or delete the file until the process exists.
        let guard = guarded(&program, &command.program)?;
        let start = Start::prepare(plan, &command, &program)?;
        let outside = (!plan.baseline().covers(&program)).then_some(program.as_path());
        let entries = access_entries(plan.files(), plan.protected(), outside)?;
        let container = Sid::of_container(&unique_name(plan)).map_err(setup("container"))?;
        let grants = Grants::give(container.clone(), entries)?;
        let job = Job::new(&job_limits(plan.limits())).map_err(setup("job"))?;
        let stdio = standard(command.stdio).map_err(setup("standard handles"))?;
        let process = start.run(&container, kind(plan.profile()), &job, &stdio)?;
        drop(guard);
        Ok(Box::new(WindowsRunning::new(process, job, grants, command.deadline)))
    }
}

/// The texts of a start, each with its closing zero.
struct Start {
    application: Vec<u16>,
    command_line: Vec<u16>,
    environment: Vec<u16>,
    directory: Vec<u16>,
}

impl Start {
    fn prepare(
        plan: &SandboxPlan,
        command: &Command,
        program: &Path,
    ) -> Result<Self, SandboxError> {
        let path: Vec<u16> = program.as_os_str().encode_wide().collect();
        let argv: Vec<Vec<u16>> =
            command.argv.iter().map(|word| word.encode_wide().collect()).collect();
        let (application, line) = if is_batch_file(&path) {
            let mut shell = sys::system_directory().map_err(setup("system directory"))?;
            shell.extend("\\cmd.exe".encode_utf16());
            let arguments = argv.get(1..).unwrap_or_default();
            let line = batch_command_line(&shell, &path, arguments).map_err(unsayable)?;
            (shell, line)
        } else {
            (path, command_line(&argv).map_err(unsayable)?)
        };
        let windows = sys::windows_directory().map_err(setup("Windows directory"))?;
        let variables = with_system(variables(plan, &command.environment)?, &windows);
        Ok(Self {
            application: sys::zero_ended(application),
            command_line: sys::zero_ended(line),
            environment: environment_block(&variables).map_err(unset)?,
            directory: sys::zero_ended(plan.working_directory().as_os_str().encode_wide()),
        })
    }

    /// Starts the process inside its job: there is no moment at which it runs outside.
    fn run(
        mut self,
        container: &Sid,
        kind: Kind,
        job: &Job,
        stdio: &[OwnedHandle; 3],
    ) -> Result<OwnedHandle, SandboxError> {
        let sids = capability_sids(kind).map_err(setup("capabilities"))?;
        let mut held: Vec<SID_AND_ATTRIBUTES> = sids
            .iter()
            .map(|sid| SID_AND_ATTRIBUTES { Sid: sid.as_ptr(), Attributes: ENABLED })
            .collect();
        let security = SECURITY_CAPABILITIES {
            AppContainerSid: container.as_ptr(),
            Capabilities: held.as_mut_ptr(),
            CapabilityCount: u32::try_from(held.len()).unwrap_or(0),
            Reserved: 0,
        };
        let handles: [HANDLE; 3] = [0, 1, 2].map(|index: usize| stdio[index].as_raw_handle());
        let jobs = [job.raw()];
        let token = sys::restricted_token().map_err(setup("restricted token"))?;
        let list = attributes(&security, &handles, &jobs, kind);
        let mut list = list.map_err(setup("process attributes"))?;
        let mut startup = STARTUPINFOEXW::default();
        startup.StartupInfo.cb = sys::size_of_value::<STARTUPINFOEXW>();
        startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
        startup.StartupInfo.hStdInput = handles[0];
        startup.StartupInfo.hStdOutput = handles[1];
        startup.StartupInfo.hStdError = handles[2];
        startup.lpAttributeList = list.as_ptr();
        let mut process = PROCESS_INFORMATION::default();
        // SAFETY: every text ends in a zero and the block in two; the command line is writable; the
        // startup structure has the size its first field says, and what its attribute list points
        // to is alive: `security` with `held` and `sids`, `handles`, `jobs`.
        let done = unsafe {
            CreateProcessAsUserW(
                token.as_raw_handle(),
                self.application.as_ptr(),
                self.command_line.as_mut_ptr(),
                ptr::null(),
                ptr::null(),
                1,
                EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT,
                self.environment.as_ptr().cast(),
                self.directory.as_ptr(),
                &raw const startup.StartupInfo,
                &raw mut process,
            )
        };
        if done == 0 {
            return Err(setup("start of the process")(io::Error::last_os_error()));
        }
        // Both are ours; the thread is not needed.
        drop(sys::owned(process.hThread));
        sys::owned(process.hProcess).map_err(setup("start of the process"))
    }
}

fn attributes<'a>(
    security: &'a SECURITY_CAPABILITIES,
    handles: &'a [HANDLE; 3],
    jobs: &'a [HANDLE; 1],
    kind: Kind,
) -> io::Result<AttributeList<'a>> {
    let mut list = AttributeList::with_room(4)?;
    list.set(PROC_THREAD_ATTRIBUTE_SECURITY_CAPABILITIES, slice::from_ref(security))?;
    list.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles)?;
    list.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs)?;
    if kind == Kind::LessPrivileged {
        list.set(PROC_THREAD_ATTRIBUTE_ALL_APPLICATION_PACKAGES_POLICY, &OPT_OUT)?;
    }
    Ok(list)
}

fn capability_sids(kind: Kind) -> io::Result<Vec<Sid>> {
    let mut sids = Vec::new();
    for name in capabilities(kind) {
        sids.extend(Sid::of_capability(name)?);
    }
    Ok(sids)
}

/// Opens the program so that nobody else can change it, and checks that it is the approved one.
fn guarded(path: &Path, program: &Program) -> Result<File, SandboxError> {
    let fail = |source| SandboxError::Program { path: path.to_path_buf(), source };
    let guard =
        OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(path).map_err(fail)?;
    if Program::open(path)?.digest() != program.digest() {
        return Err(SandboxError::ProgramChanged { path: path.to_path_buf() });
    }
    Ok(guard)
}

/// Refuses a path that leads elsewhere than it says.
fn check_paths(plan: &SandboxPlan) -> Result<(), SandboxError> {
    let files = plan.files().iter().map(|rule| rule.path.as_path());
    for path in files.chain([plan.working_directory()]) {
        let unreachable = |source| SandboxError::Unreachable { path: path.to_path_buf(), source };
        if !is_real(path).map_err(unreachable)? {
            let why = "it leads through a link, a junction or a short name";
            return Err(SandboxError::Path { path: path.to_path_buf(), why });
        }
    }
    Ok(())
}

fn variables(
    plan: &SandboxPlan,
    given: &[(OsString, OsString)],
) -> Result<Vec<WidePair>, SandboxError> {
    let known = |name: &OsStr| {
        let mut names = plan.environment().iter();
        names.any(|known| OsStr::new(known).eq_ignore_ascii_case(name))
    };
    let mut pairs = Vec::with_capacity(given.len());
    for (name, value) in given {
        if !known(name) {
            return Err(SandboxError::Environment { name: name.to_string_lossy().into_owned() });
        }
        pairs.push((name.encode_wide().collect(), value.encode_wide().collect()));
    }
    Ok(pairs)
}

fn standard(stdio: [Stdio; 3]) -> io::Result<[OwnedHandle; 3]> {
    let [input, output, error] = stdio;
    let inherited = [
        io::stdin().as_handle().try_clone_to_owned(),
        io::stdout().as_handle().try_clone_to_owned(),
        io::stderr().as_handle().try_clone_to_owned(),
    ];
    let [own_input, own_output, own_error] = inherited;
    Ok([leads(input, own_input)?, leads(output, own_output)?, leads(error, own_error)?])
}

fn leads(stdio: Stdio, own: io::Result<OwnedHandle>) -> io::Result<OwnedHandle> {
    let handle = match stdio {
        Stdio::Inherit => own?,
        Stdio::Null => OpenOptions::new().read(true).write(true).open("NUL")?.into(),
        Stdio::Fd(handle) => handle,
    };
    sys::inheritable(handle.as_handle())
}

fn unique_name(plan: &SandboxPlan) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    name(&[
        plan.digest().to_string().as_bytes(),
        &std::process::id().to_le_bytes(),
        &RUNS.fetch_add(1, Ordering::Relaxed).to_le_bytes(),
        &now.as_nanos().to_le_bytes(),
    ])
}

fn unsayable(error: CommandLineError) -> SandboxError {
    refused(error.reason())
}

fn unset(error: EnvironmentError) -> SandboxError {
    refused(error.reason())
}

fn refused(why: &'static str) -> SandboxError {
    SandboxError::Command { why }
}

fn setup(step: &'static str) -> impl FnOnce(io::Error) -> SandboxError {
    move |source| SandboxError::Setup { step, source }
}
