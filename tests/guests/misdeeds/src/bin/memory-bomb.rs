//! Takes memory and touches it until the host refuses: [MEBIBYTES].

const MEBIBYTE: usize = 1024 * 1024;

fn main() {
    misdeeds::attempt("memory-bomb", |args| {
        let wanted = args.number(0, 3500);
        let mut held: Vec<Vec<u8>> = Vec::new();
        for taken in 0..wanted {
            let mut block = Vec::new();
            if block.try_reserve_exact(MEBIBYTE).is_err() {
                return Err(format!("out of memory after {taken} MiB"));
            }
            block.resize(MEBIBYTE, 1);
            held.push(std::hint::black_box(block));
        }
        Ok(format!("{} MiB", held.len()))
    });
}
