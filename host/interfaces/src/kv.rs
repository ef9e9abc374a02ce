//! `wasi:keyvalue` (both drafts) over one `SQLite` file that many host processes share.
//!
//! Invariants: a bucket exists only for a granted namespace, and every statement names it; what a
//! namespace holds (keys, values, rows) is counted in the transaction that changes it, so no number of
//! processes together passes its quota; one key, value and page are bounded; what a guest is told
//! about a failure is one of a few fixed texts. The file is opened when a bucket is first used.
//!
//! Start with [`KvCtx::new`] and [`add_to_linker`].

mod database;
mod draft;
mod draft2;
#[cfg(test)]
mod tests;

use crate::{Effect, Effects};
use database::Database;
use ringfence_capability::{Capability, GrantSet, Kind, Limit, Name};
use ringfence_engine::Meter;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

/// The key-value store of one run.
pub struct KvCtx {
    /// The granted namespaces and what each may hold.
    quotas: BTreeMap<String, u64>,
    path: PathBuf,
    database: Arc<Mutex<Option<Database>>>,
    meter: Arc<Meter>,
    effects: Effects,
}

impl std::fmt::Debug for KvCtx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KvCtx").field("quotas", &self.quotas).finish_non_exhaustive()
    }
}

impl KvCtx {
    /// Returns the store of one run with the namespaces that `grants` give, kept in the file at
    /// `path`. Its directory must exist when the guest first opens a bucket.
    pub fn new(
        grants: &GrantSet,
        path: impl Into<PathBuf>,
        meter: Arc<Meter>,
        effects: Effects,
    ) -> Self {
        let mut quotas: BTreeMap<String, u64> = BTreeMap::new();
        for capability in grants.of_kind(Kind::Kv) {
            if let Capability::Kv { namespace, size_bytes } = capability {
                let quota = quotas.entry(namespace.to_string()).or_default();
                *quota = (*quota).max(*size_bytes);
            }
        }
        let database = Arc::new(Mutex::new(None));
        Self { quotas, path: path.into(), database, meter, effects }
    }

    fn bucket(&self, identifier: &str) -> Result<Bucket, KvError> {
        if identifier.parse::<Name>().is_err() {
            return Err(KvError::NoSuchStore);
        }
        if let Some(quota) = self.quotas.get(identifier) {
            return Ok(Bucket { namespace: identifier.to_owned(), quota: *quota });
        }
        let reason = "the namespace was not granted";
        // It is refused whether or not that could be recorded.
        let _ = self.effects.record(Effect::refused(Kind::Kv, "open", identifier, reason));
        Err(KvError::AccessDenied)
    }

    /// Records a change before it happens.
    fn record(&self, operation: &str, bucket: &Bucket) -> Result<(), KvError> {
        let effect = Effect::done(Kind::Kv, operation, bucket.namespace.clone());
        self.effects.record(effect).map_err(|_| KvError::NotRecorded)
    }

    /// Runs `work` on the database, on a thread that may block.
    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<R, KvError> + Send + 'static,
    ) -> Result<R, KvError> {
        let (database, path) = (Arc::clone(&self.database), self.path.clone());
        let task = tokio::task::spawn_blocking(move || {
            let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
            let open = match database.take() {
                Some(open) => open,
                None => Database::open(&path)?,
            };
            work(database.insert(open))
        });
        task.await.map_err(|_| KvError::Unusable)?
    }

    /// Returns how many bytes one answer may hold.
    fn answer_bytes(&self) -> u64 {
        self.meter.limits().of(Limit::HostCallBytes)
    }
}

/// A namespace the guest opened.
#[derive(Debug, Clone)]
pub struct Bucket {
    namespace: String,
    quota: u64,
}

/// A value as it was when the guest looked, to be replaced only if it still is. Only its version is
/// kept: a guest can hold many of these, and a value is large.
#[derive(Debug)]
pub struct Cas {
    bucket: Bucket,
    key: String,
    seen: Option<i64>,
}

/// Why an operation was not done. The texts are fixed: nothing of the machine shows in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// No namespace has such a name.
    #[error("there is no such store")]
    NoSuchStore,
    /// The namespace was not granted.
    #[error("the store was not granted")]
    AccessDenied,
    /// The namespace would hold more than it may.
    #[error("the quota of the store is reached")]
    Full,
    /// The key is empty or too long.
    #[error("the key is empty or longer than {} bytes", database::MAX_KEY_BYTES)]
    BadKey,
    /// The value is too large.
    #[error("the value is larger than {} bytes", database::MAX_VALUE_BYTES)]
    LargeValue,
    /// A batch names too many keys.
    #[error("a batch has at most {} keys", database::MAX_BATCH_KEYS)]
    LargeBatch,
    /// Too much was asked for at once.
    #[error("the answer would be too large; ask for fewer keys")]
    LargeAnswer,
    /// The value is no integer, or would pass the range of one.
    #[error("the value is not an integer, or would pass its range")]
    NotInteger,
    /// The cursor is not one that was given out.
    #[error("the cursor is not one of this store")]
    BadCursor,
    /// Other processes kept the store locked.
    #[error("the store is busy: other processes kept it locked for {} seconds", database::BUSY.as_secs())]
    Busy,
    /// The file cannot be read or written.
    #[error("the store cannot be used")]
    Unusable,
    /// The audit log could not be written.
    #[error("the change could not be recorded")]
    NotRecorded,
}

/// The store of a run, as one host call sees it.
#[derive(Debug)]
pub struct KvView<'a> {
    /// The store.
    pub ctx: &'a mut KvCtx,
    /// The store's resources.
    pub table: &'a mut ResourceTable,
}

/// A store's data that has a key-value store.
pub trait KvHost: Send + 'static {
    /// Returns it.
    fn kv(&mut self) -> KvView<'_>;
}

/// Names [`KvView`] to the linker.
struct HasKv;

impl HasData for HasKv {
    type Data<'a> = KvView<'a>;
}

/// Adds `wasi:keyvalue` 0.2.0-draft and 0.2.0-draft2.
///
/// # Errors
/// When the linker already has one of them.
pub fn add_to_linker<T: KvHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    link_store(linker)?;
    link_atomics(linker)?;
    link_batch(linker)
}

/// Adds `wasi:keyvalue/store`, both drafts.
///
/// # Errors
/// When the linker already has one of them.
pub fn link_store<T: KvHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    draft::wit::store::add_to_linker::<T, HasKv>(linker, T::kv)?;
    draft2::wit::store::add_to_linker::<T, HasKv>(linker, T::kv)
}

/// Adds `wasi:keyvalue/atomics`, both drafts.
///
/// # Errors
/// When the linker already has one of them.
pub fn link_atomics<T: KvHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    draft::wit::atomics::add_to_linker::<T, HasKv>(linker, T::kv)?;
    draft2::wit::atomics::add_to_linker::<T, HasKv>(linker, T::kv)
}

/// Adds `wasi:keyvalue/batch`, both drafts.
///
/// # Errors
/// When the linker already has one of them.
pub fn link_batch<T: KvHost>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    draft::wit::batch::add_to_linker::<T, HasKv>(linker, T::kv)?;
    draft2::wit::batch::add_to_linker::<T, HasKv>(linker, T::kv)
}

type Handle = Resource<Bucket>;

/// What both drafts share. The outer result is for a handle that does not exist, which a component
/// cannot hold: a broken invariant.
impl KvView<'_> {
    fn open(&mut self, identifier: &str) -> wasmtime::Result<Result<Handle, KvError>> {
        match self.ctx.bucket(identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn bucket(&self, handle: &Handle) -> wasmtime::Result<Bucket> {
        Ok(self.table.get(handle)?.clone())
    }

    /// Runs work that only reads.
    async fn read<R: Send + 'static>(
        &mut self,
        handle: &Handle,
        work: impl FnOnce(&mut Database, &Bucket) -> Result<R, KvError> + Send + 'static,
    ) -> wasmtime::Result<Result<R, KvError>> {
        let bucket = self.bucket(handle)?;
        Ok(self.ctx.run(move |database| work(database, &bucket)).await)
    }

    /// Runs work that changes something, recorded first.
    async fn change<R: Send + 'static>(
        &mut self,
        handle: &Handle,
        operation: &str,
        work: impl FnOnce(&mut Database, &Bucket) -> Result<R, KvError> + Send + 'static,
    ) -> wasmtime::Result<Result<R, KvError>> {
        let bucket = self.bucket(handle)?;
        if let Err(error) = self.ctx.record(operation, &bucket) {
            return Ok(Err(error));
        }
        let done = self.ctx.run({
            let bucket = bucket.clone();
            move |database| work(database, &bucket)
        });
        let done = done.await;
        if let Err(KvError::Full) = done {
            let reason = "the quota of the namespace is reached";
            let refused = Effect::refused(Kind::Kv, operation, bucket.namespace, reason);
            let _ = self.ctx.effects.record(refused);
        }
        Ok(done)
    }

    async fn get_many(
        &mut self,
        handle: &Handle,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, KvError>> {
        let most = self.ctx.answer_bytes();
        self.read(handle, move |database, bucket| {
            database::check_batch(keys.len())?;
            let mut left = most;
            let read = |key: String| {
                let value = database.get(bucket, &key)?;
                let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
                left = left.checked_sub(bytes as u64).ok_or(KvError::LargeAnswer)?;
                Ok((key, value))
            };
            keys.into_iter().map(read).collect()
        })
        .await
    }
}
