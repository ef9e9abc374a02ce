//! Writes to standard output without end, instead of an outcome: [MEBIBYTES].

use std::io::Write;

fn main() {
    let mebibytes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let block = vec![b'x'; 1024 * 1024];
    let mut out = std::io::stdout().lock();
    for done in 0..mebibytes {
        if let Err(error) = out.write_all(&block) {
            eprintln!("refused after {done} MiB: {error}");
            std::process::exit(1);
        }
    }
}
