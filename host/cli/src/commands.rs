//! One module per command.

mod agents;
mod approvals;
mod attack;
mod audit;
mod command;
mod diff;
mod doctor;
mod event_loop;
mod exec;
mod explain;
mod inspect;
mod keys;
mod mcp;
mod models;
mod native;
mod pack;
mod policy;
#[cfg(feature = "oci")]
mod registry;
mod research;
mod run;
mod serve;
mod sign;
mod store;
mod trust;
mod verify;

pub(crate) use store::lockfile;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::print::Printer;

/// What was begun for the command before its arguments were read.
pub(crate) type Ahead = Option<std::sync::Arc<dyn ringfence::sandbox::SandboxExecutor>>;

/// Begins what takes long, first of all, where the command line looks as if it will be needed.
pub(crate) fn fork_ahead(words: &[std::ffi::OsString]) -> Ahead {
    let mut words = words.iter().skip(1).take_while(|word| *word != "--");
    let runs = words.next().is_some_and(|word| word == "exec")
        && !words.any(|word| ["undo", "--plan", "--help", "-h"].iter().any(|other| word == *other));
    if runs { ringfence::sandbox::forking_ahead() } else { None }
}

/// Runs the command and returns its exit code.
pub(crate) fn dispatch(args: Args, ahead: Ahead, printer: &Printer) -> Result<u8, CliError> {
    let global = &args.global;
    match args.command {
        Command::Run(run) => run::run(&run, global, printer),
        Command::Call(call) => run::call(&call, global, printer),
        Command::Serve(serve) => serve::serve(&serve, global, printer),
        Command::Agents(args) => agents::agents(&args.command, global, printer),
        Command::Models(args) => models::models(&args.command, global, printer),
        Command::Mcp(args) => mcp::mcp(&args.command, global, printer),
        Command::Research(args) => research::research(&args, global, printer),
        Command::Inspect(inspect) => inspect::inspect(&inspect, global, printer),
        Command::Explain(explain) => explain::explain(&explain, global, printer),
        Command::Pack(pack) => pack::pack(&pack, printer),
        Command::Sign(sign) => sign::sign(&sign, printer),
        Command::Verify(verify) => verify::verify(&verify, global, printer),
        Command::Keys(keys) => keys::keys(keys.command, printer),
        Command::Trust(trust) => trust::trust(trust.command, global, printer),
        Command::Diff(args) => diff::diff(&args, global, printer),
        Command::Install(args) => store::install(&args, global, printer),
        Command::List(args) => store::list(&args, global, printer),
        Command::Update(args) => store::update(&args, global, printer),
        Command::Remove(args) => store::remove(&args, global, printer),
        Command::Lock(args) => store::lock(&args, global, printer),
        #[cfg(feature = "oci")]
        Command::Push(push) => registry::push(&push, printer),
        #[cfg(feature = "oci")]
        Command::Pull(pull) => registry::pull(&pull, global, printer),
        Command::Exec(exec) => exec::exec(&exec, ahead, global, printer),
        Command::Approvals(approvals) => approvals::approvals(approvals.command, global, printer),
        Command::Audit(audit) => audit::audit(audit.command, global, printer),
        Command::Policy(policy) => policy::policy(policy.command, printer),
        Command::Doctor(doctor) if doctor.attack => attack::attack(global, printer),
        Command::Doctor(_) => Ok(doctor::doctor(global, printer)),
        Command::AttackFromInside { name } => attack::inside(&name),
        Command::Completions { shell } => {
            let mut command = <Args as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "ringfence", &mut script);
            printer.line(String::from_utf8_lossy(&script).trim_end());
            Ok(0)
        }
    }
}
