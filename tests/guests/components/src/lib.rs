//! Nothing: every guest of this crate is an example, because a package may have many of those.
