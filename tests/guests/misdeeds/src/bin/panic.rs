//! Panics: [MESSAGE].

fn main() {
    let message = std::env::args().nth(1).unwrap_or_else(|| "on purpose".to_owned());
    panic!("{message}");
}
