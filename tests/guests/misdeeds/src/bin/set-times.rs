//! Changes the time stamps of a file, in a directory that may be read only: DIR PATH.

use misdeeds::wasi::clocks::wall_clock::Datetime;
use misdeeds::wasi::filesystem::types::NewTimestamp;

fn main() {
    misdeeds::attempt("set-times", |args| {
        let dir = misdeeds::fs::directory(args.text(0, "DIR"))?;
        let path = args.text(1, "PATH");
        let long_ago = NewTimestamp::Timestamp(Datetime { seconds: 1, nanoseconds: 0 });
        dir.set_times_at(misdeeds::fs::PathFlags::empty(), path, long_ago, long_ago)
            .map_err(|error| misdeeds::code(&error))?;
        Ok(format!("{path} is from 1970"))
    });
}
