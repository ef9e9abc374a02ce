//! Ends with the code it was told, by the call of WASI 0.2 that can carry one: CODE. Only some hosts link it.

fn main() {
    let code = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    misdeeds::wasi::cli::exit::exit_with_code(code);
}
