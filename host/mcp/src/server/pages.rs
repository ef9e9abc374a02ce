//! Lists in pages. A cursor is the place of the next entry and the catalogue it counts in: after a
//! change it is refused, so that no client misses a tool without knowing.

use crate::message::{RpcError, code};

/// Returns the page of `all` that `cursor` stands for, and the cursor of the next.
pub(super) fn page<'t, T>(
    all: &'t [T],
    cursor: Option<&str>,
    most: usize,
    revision: u64,
) -> Result<(&'t [T], Option<String>), RpcError> {
    let start = match cursor {
        None => 0,
        Some(cursor) => {
            read(cursor, revision).filter(|start| *start < all.len()).ok_or_else(|| {
                RpcError::new(code::INVALID_PARAMS, "the cursor is none of this list as it is now")
            })?
        }
    };
    let end = start.saturating_add(most.max(1)).min(all.len());
    let next = (end < all.len()).then(|| format!("{revision:x}-{end:x}"));
    Ok((all.get(start..end).unwrap_or_default(), next))
}

fn read(cursor: &str, revision: u64) -> Option<usize> {
    let (of, start) = cursor.split_once('-')?;
    let of = u64::from_str_radix(of, 16).ok()?;
    usize::from_str_radix(start, 16).ok().filter(|_| of == revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_everything_once_and_in_order() {
        let all: Vec<u32> = (0..7).collect();
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = page(&all, cursor.as_deref(), 3, 9).unwrap();
            seen.extend_from_slice(page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert_eq!(page(&[0u8; 0], None, 3, 9).unwrap(), (&[][..], None));
    }

    #[test]
    fn a_cursor_of_another_catalogue_or_of_no_list_is_refused() {
        for cursor in ["", "x", "8-3", "9-7", "9-ffffffffffffffff", "9-99999999999999999999", "-"] {
            assert!(page(&[1, 2, 3, 4, 5, 6, 7], Some(cursor), 3, 9).is_err(), "{cursor}");
        }
    }
}
