//! `wasi:keyvalue` 0.2.0-draft2: as the first draft, with cursors that are keys and a
//! compare-and-swap.

use super::{Cas, Handle, KvError, KvView};
use wasmtime::component::Resource;
use wit::atomics::CasError;
use wit::store::{Error, KeyResponse};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft2",
        world: "wasi:keyvalue/host",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::kv::Bucket,
            "wasi:keyvalue/atomics.cas": crate::kv::Cas,
        },
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

    async fn list_keys(&mut self, bucket: Handle, cursor: Option<String>) -> Done<KeyResponse> {
        let page = self
            .read(&bucket, move |database, bucket| database.keys_after(bucket, cursor.as_deref()));
        done(page.await?.map(|(keys, more)| {
            let cursor = keys.last().filter(|_| more).cloned();
            KeyResponse { keys, cursor }
        }))
    }

    async fn drop(&mut self, bucket: Handle) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl wit::atomics::HostCas for KvView<'_> {
    async fn new(&mut self, handle: Handle, key: String) -> Done<Resource<Cas>> {
        let bucket = self.bucket(&handle)?;
        let look = key.clone();
        let found = self.read(&handle, move |db, bucket| db.get_versioned(bucket, &look)).await?;
        match found {
            Ok(found) => {
                let seen = found.map(|(_, version)| version);
                Ok(Ok(self.table.push(Cas { bucket, key, seen })?))
            }
            Err(error) => done(Err(error)),
        }
    }

    /// Looks again: the handle then stands for what is returned.
    async fn current(&mut self, handle: Resource<Cas>) -> Done<Option<Vec<u8>>> {
        let Cas { bucket, key, .. } = self.table.get(&handle)?;
        let (bucket, key) = (bucket.clone(), key.clone());
        match self.ctx.run(move |database| database.get_versioned(&bucket, &key)).await {
            Ok(found) => {
                let (value, version) = found.unzip();
                self.table.get_mut(&handle)?.seen = version;
                Ok(Ok(value))
            }
            Err(error) => done(Err(error)),
        }
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl wit::atomics::Host for KvView<'_> {
    async fn increment(&mut self, bucket: Handle, key: String, delta: i64) -> Done<i64> {
        let add = move |before: i64| before.checked_add(delta);
        let work = self.change(&bucket, "increment", move |db, b| db.increment(b, &key, add));
        done(work.await?)
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { bucket, key, seen } = self.table.delete(cas)?;
        if let Err(error) = self.ctx.record("swap", &bucket) {
            return Ok(Err(CasError::StoreError(error.into())));
        }
        let (namespace, name) = (bucket.clone(), key.clone());
        let swap = self.ctx.run(move |database| database.swap(&namespace, &name, seen, &value));
        match swap.await {
            Ok(Ok(())) => Ok(Ok(())),
            // The guest gets a handle on what is there now, to try again.
            Ok(Err(seen)) => {
                let again = self.table.push(Cas { bucket, key, seen })?;
                Ok(Err(CasError::CasFailed(again)))
            }
            Err(error) => Ok(Err(CasError::StoreError(error.into()))),
        }
    }
}

impl wit::batch::Host for KvView<'_> {
    async fn get_many(
        &mut self,
        bucket: Handle,
        keys: Vec<String>,
    ) -> Done<Vec<(String, Option<Vec<u8>>)>> {
        done(KvView::get_many(self, &bucket, keys).await?)
    }

    async fn set_many(&mut self, bucket: Handle, entries: Vec<(String, Vec<u8>)>) -> Done<()> {
        done(self.change(&bucket, "set", move |db, bucket| db.set(bucket, &entries)).await?)
    }

    async fn delete_many(&mut self, bucket: Handle, keys: Vec<String>) -> Done<()> {
        done(self.change(&bucket, "delete", move |db, bucket| db.delete(bucket, &keys)).await?)
    }
}
