//! `wasi:keyvalue` 0.2.0-draft, the draft that wasmtime's own crate and most guests use.

use super::{Handle, KvError, KvView};
use wit::store::{Error, KeyResponse};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft",
        world: "wasi:keyvalue/host",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::kv::Bucket },
    });
}
pub(super) use generated::wasi::keyvalue as wit;

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        match error {
            KvError::NoSuchStore => Self::NoSuchStore,
            KvError::AccessDenied => Self::AccessDenied,
            other => Self::Other(other.to_string()),
        }
    }
}

/// What an operation of the interface gives back.
type Done<T> = wasmtime::Result<Result<T, Error>>;

#[expect(clippy::unnecessary_wraps, reason = "the form every operation returns")]
fn done<T>(result: Result<T, KvError>) -> Done<T> {
    Ok(result.map_err(Error::from))
}

impl wit::store::Host for KvView<'_> {
    async fn open(&mut self, identifier: String) -> Done<Handle> {
        done(KvView::open(self, &identifier)?)
    }
}

impl wit::store::HostBucket for KvView<'_> {
    async fn get(&mut self, bucket: Handle, key: String) -> Done<Option<Vec<u8>>> {
        done(self.read(&bucket, move |database, bucket| database.get(bucket, &key)).await?)
    }

    async fn set(&mut self, bucket: Handle, key: String, value: Vec<u8>) -> Done<()> {
        let entry = [(key, value)];
        done(
            self.change(&bucket, "set", move |database, bucket| database.set(bucket, &entry))
                .await?,
        )
    }

    async fn delete(&mut self, bucket: Handle, key: String) -> Done<()> {
        let key = [key];
        let delete = self.change(&bucket, "delete", move |db, bucket| db.delete(bucket, &key));
        done(delete.await?)
    }

    async fn exists(&mut self, bucket: Handle, key: String) -> Done<bool> {
        done(self.read(&bucket, move |database, bucket| database.exists(bucket, &key)).await?)
    }

    async fn list_keys(&mut self, bucket: Handle, cursor: Option<u64>) -> Done<KeyResponse> {
        let skip = cursor.unwrap_or(0);
        let page = self.read(&bucket, move |database, bucket| database.keys_from(bucket, skip));
        done(page.await?.map(|(keys, more)| {
            let cursor = more.then(|| skip.saturating_add(keys.len() as u64));
            KeyResponse { keys, cursor }
        }))
    }

    async fn drop(&mut self, bucket: Handle) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl wit::atomics::Host for KvView<'_> {
    async fn increment(&mut self, bucket: Handle, key: String, delta: u64) -> Done<u64> {
        let add = move |before: u64| before.checked_add(delta);
        let work = self.change(&bucket, "increment", move |db, b| db.increment(b, &key, add));
        done(work.await?)
    }
}

impl wit::batch::Host for KvView<'_> {
    async fn get_many(
        &mut self,
        bucket: Handle,
        keys: Vec<String>,
    ) -> Done<Vec<Option<(String, Vec<u8>)>>> {
        let found = KvView::get_many(self, &bucket, keys).await?;
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        done(found.map(|found| found.into_iter().map(pair).collect()))
    }

    async fn set_many(&mut self, bucket: Handle, entries: Vec<(String, Vec<u8>)>) -> Done<()> {
        done(self.change(&bucket, "set", move |db, bucket| db.set(bucket, &entries)).await?)
    }

    async fn delete_many(&mut self, bucket: Handle, keys: Vec<String>) -> Done<()> {
        done(self.change(&bucket, "delete", move |db, bucket| db.delete(bucket, &keys)).await?)
    }
}
