//! What holds for any bytes as a bundle.

use crate::told::{plain, told};
use ringfence_bundle::archive::{self, Sealed};

/// Reads a bundle; returns whether it was accepted, panics when a promise is broken.
pub(crate) fn archive(bytes: &[u8]) -> bool {
    match archive::read(bytes, "fuzz.rfz") {
        Err(error) => {
            plain(&told(&error));
            false
        }
        Ok(sealed) => {
            assert!(sealed.files().count() <= archive::MAX_FILES, "too many files");
            assert!(sealed.signatures().count() <= archive::MAX_SIGNATURES, "too many signatures");
            // One encoding: what was read is what would be written.
            let mut again = Vec::new();
            assert!(sealed.write(&mut again).is_ok(), "it is written");
            assert!(again == bytes, "there are two encodings of one bundle");
            assert!(archive::read(again.as_slice(), "fuzz.rfz").is_ok_and(|same| same == sealed));
            rebuilt(&sealed);
            true
        }
    }
}

/// Makes the bundle of its files again, by the two other ways there are.
fn rebuilt(sealed: &Sealed) {
    let owned = |(path, bytes): (&str, &[u8])| (path.to_owned(), bytes.to_vec());
    let made = archive::seal(sealed.files().map(owned).collect(), "fuzz.rfz");
    assert!(made.is_ok_and(|made| made == sealed.clone().without_signatures()), "made again");
    let list = (archive::SUMS_FILE, sealed.sums());
    let all = sealed.files().chain(sealed.signatures()).chain([list]).map(owned).collect();
    assert!(Sealed::from_files(all, "fuzz.rfz").is_ok_and(|same| same == *sealed), "from files");
}
