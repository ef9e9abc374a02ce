//! Calls the host again and again, cheaply: [COUNT].

use misdeeds::wasi::cli::stdout::get_stdout;

fn main() {
    misdeeds::attempt("host-call-storm", |args| {
        let count = args.number(0, u64::MAX);
        let stdout = get_stdout();
        for _ in 0..count {
            stdout.check_write().map_err(|error| misdeeds::code(&error))?;
        }
        Ok(format!("{count} calls"))
    });
}
