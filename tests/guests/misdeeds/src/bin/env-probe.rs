//! Shows what it can learn of its surroundings: environment, working directory, arguments, terminal.

use misdeeds::wasi::cli::environment::{get_environment, initial_cwd};

fn main() {
    misdeeds::attempt("env-probe", |args| {
        let environment = get_environment();
        let names: Vec<_> =
            environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let detail = format!(
            "env[{}] cwd[{}] args[{}]",
            names.join(","),
            initial_cwd().unwrap_or_default(),
            args.all().len()
        );
        if environment.is_empty() { Err(detail) } else { Ok(detail) }
    });
}
