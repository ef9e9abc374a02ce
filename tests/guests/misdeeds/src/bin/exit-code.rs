//! Ends with the code it was told, by `std`, which passes on only whether it was 0: CODE.

fn main() {
    let code = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    std::process::exit(code);
}
