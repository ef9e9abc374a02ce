//! Reads one configuration value it may not have been given, then all of them: NAME.

use misdeeds::wasi::config::store::{get, get_all};

fn main() {
    misdeeds::attempt("config-reader", |args| {
        let one = get(args.text(0, "NAME")).map_err(|error| misdeeds::code(&error))?;
        let mut all: Vec<_> = get_all()
            .map_err(|error| misdeeds::code(&error))?
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        all.sort();
        match one {
            Some(value) => Ok(format!("{value} of [{}]", all.join(","))),
            None => Err(format!("not given, of [{}]", all.join(","))),
        }
    });
}
