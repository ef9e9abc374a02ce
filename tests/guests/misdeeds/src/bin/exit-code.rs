//! Ends with the code it was told: CODE.

fn main() {
    let code = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    std::process::exit(code);
}
