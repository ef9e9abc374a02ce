//! Why an operation of the key-value store failed. The texts reach the guest: no path, no key, no
//! value, nothing of SQLite's own words is in them.

use ringfence_capability::Limit;
use rusqlite::ErrorCode;

use crate::NotRecorded;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("a key has at most {}", size(super::store::KEY_BYTES as u64))]
    KeyTooLong,
    #[error("a value has at most {}", size(super::store::VALUE_BYTES as u64))]
    ValueTooLong,
    #[error("a batch has at most {} keys", super::store::BATCH_KEYS)]
    TooManyKeys,
    #[error("a batch has at most {}", size(super::store::BATCH_BYTES as u64))]
    BatchTooLarge,
    #[error("quota of {} reached", size(*size_bytes))]
    Quota { size_bytes: u64 },
    #[error("the value is no decimal number of 64 bits")]
    NotANumber,
    #[error("the number would pass 64 bits")]
    Overflow,
    #[error("the store is busy")]
    Busy,
    #[error("the store is damaged")]
    Damaged,
    #[error("the store has the format of another version of ringfence")]
    Version,
    #[error("the disk is full")]
    Full,
    #[error("the store cannot be used")]
    Unavailable,
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
}

impl StoreError {
    /// Tells whether the store said no to what was asked, rather than failed at it.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::KeyTooLong
            | Self::ValueTooLong
            | Self::TooManyKeys
            | Self::BatchTooLarge
            | Self::Quota { .. } => true,
            Self::NotANumber
            | Self::Overflow
            | Self::Busy
            | Self::Damaged
            | Self::Version
            | Self::Full
            | Self::Unavailable
            | Self::NotRecorded(_) => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(_) => Self::Unavailable,
            // A row that is missing or has another shape than this store writes.
            None => Self::Damaged,
        }
    }
}

/// Writes a size as manifests do; every limit in bytes is written alike.
fn size(bytes: u64) -> String {
    Limit::Memory.format(bytes)
}
