//! Ways round the checks of a pull, one at a time: for tests that show what each check is good for.

use super::Options;

/// A check that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Content has the digest it was asked for by.
    Digests,
    /// Content has the size that was announced, and documents are bounded.
    Sizes,
    /// Redirects lead only to encrypted addresses, and to this machine only from this machine.
    Redirects,
    /// Credentials go only to the registry and to hosts named for its tokens.
    Credentials,
    /// A component has exactly one layer.
    Layers,
    /// Documents and layers have the media types of the layout.
    MediaTypes,
    /// What was rebuilt is the file that was pushed.
    WholeFile,
    /// A tag means the digest that stands beside it.
    Moved,
}

/// Returns options with which one check is not made.
///
/// # Security
/// Whoever controls the registry, or the way to it, does what that check would have refused.
#[must_use]
pub fn without(mut options: Options, check: Check) -> Options {
    let guards = &mut options.guards;
    *match check {
        Check::Digests => &mut guards.digests,
        Check::Sizes => &mut guards.sizes,
        Check::Redirects => &mut guards.redirects,
        Check::Credentials => &mut guards.credentials,
        Check::Layers => &mut guards.layers,
        Check::MediaTypes => &mut guards.media_types,
        Check::WholeFile => &mut guards.whole_file,
        Check::Moved => &mut guards.moved,
    } = false;
    options
}
