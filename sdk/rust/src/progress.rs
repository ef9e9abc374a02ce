//! Progress of the running call.

/// Reports that `done` steps are finished, of `total` when that is known, and what is being done now.
pub fn report(done: f64, total: Option<f64>, note: &str) {
    imp(done, total, note);
}

#[cfg(target_family = "wasm")]
fn imp(done: f64, total: Option<f64>, note: &str) {
    crate::bindings::ringfence::host::progress::report(done, total, note);
}

#[cfg(not(target_family = "wasm"))]
fn imp(_done: f64, _total: Option<f64>, _note: &str) {}
