//! Damages bytes in many ways, the same in every run; for the tests of what is read here.

/// Calls `check` with `rounds` damaged copies of `bytes`.
pub(crate) fn each(bytes: &[u8], rounds: u64, mut check: impl FnMut(&[u8])) {
    for seed in 1..=rounds {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 1).unwrap_or(0) % below.max(1)
        };
        let mut damaged = bytes.to_vec();
        for _ in 0..=next(4) {
            let at = next(damaged.len());
            match next(4) {
                0 => damaged.truncate(at),
                1 => damaged.insert(at, u8::try_from(next(256)).unwrap_or(0)),
                2 if !damaged.is_empty() => drop(damaged.remove(at)),
                _ if !damaged.is_empty() => damaged[at] ^= 1 << next(8),
                _ => {}
            }
        }
        check(&damaged);
    }
}
