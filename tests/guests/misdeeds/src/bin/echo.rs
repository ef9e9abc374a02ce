//! A good command: shows its arguments, standard input, environment and directories as one line of JSON.

use std::io::Read;

use misdeeds::json;
use misdeeds::wasi::cli::environment::get_environment;
use misdeeds::wasi::filesystem::preopens::get_directories;

fn main() {
    let mut stdin = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut stdin) {
        eprintln!("stdin: {error}");
        std::process::exit(1);
    }
    let args: Vec<_> = std::env::args().skip(1).map(|text| json(&text)).collect();
    let env: Vec<_> = get_environment()
        .iter()
        .map(|(name, value)| format!("{}:{}", json(name), json(value)))
        .collect();
    let dirs: Vec<_> = get_directories().iter().map(|(_, path)| json(path)).collect();
    println!(
        "{{\"args\":[{}],\"stdin\":{},\"env\":{{{}}},\"dirs\":[{}]}}",
        args.join(","),
        json(&stdin),
        env.join(","),
        dirs.join(",")
    );
}
