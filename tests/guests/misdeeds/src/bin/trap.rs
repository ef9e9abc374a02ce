//! Executes an unreachable instruction, without a word.

fn main() {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}
