//! What holds for a set of documents, whatever is done with it.

use std::collections::BTreeMap;

/// Two documents have the same name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("documents {first} and {second} have the same id `{id}`")]
pub struct SameId {
    /// The name.
    pub id: String,
    /// The first document with it, counted from 1.
    pub first: usize,
    /// The second.
    pub second: usize,
}

/// Checks that no two documents have the same name: a citation of it could mean either.
///
/// # Errors
///
/// [`SameId`] names the first two.
pub fn check_ids<'i>(ids: impl IntoIterator<Item = &'i str>) -> Result<(), SameId> {
    let mut seen = BTreeMap::new();
    for (at, id) in (1..).zip(ids) {
        if let Some(first) = seen.insert(id, at) {
            return Err(SameId { id: id.to_owned(), first, second: at });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SameId, check_ids};

    #[test]
    fn documents_with_one_name_are_found() {
        assert_eq!(check_ids(["a", "b", ""]), Ok(()));
        let id = "b".to_owned();
        assert_eq!(check_ids(["a", "b", "c", "b", "b"]), Err(SameId { id, first: 2, second: 4 }));
    }
}
