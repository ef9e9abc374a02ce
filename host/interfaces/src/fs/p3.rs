//! The guard as `wasi:filesystem` 0.3.

use super::guard::{Refusal, Wanted};
use super::lease::Lease;
use super::{GuardedFilesystem, GuardedFs, GuardedFsView};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime::component::{
    Access, Accessor, FutureConsumer, FutureReader, HasData, Resource, Source, StreamReader,
};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemCtxView};
use wasmtime_wasi::p3::bindings::filesystem::preopens;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, Filesize,
    Host, HostDescriptor, HostDescriptorWithStore, MetadataHashValue, NewTimestamp, OpenFlags,
    PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

type Fd = Resource<Descriptor>;
type Outcome = Result<(), ErrorCode>;
/// What does the work.
type Wasi = WasiFilesystem;

impl From<Refusal> for ErrorCode {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ReadOnly => Self::ReadOnly,
            Refusal::NotPermitted => Self::NotPermitted,
            Refusal::Access => Self::Access,
            Refusal::Quota => Self::Quota,
            Refusal::Io => Self::Io,
            Refusal::NoEntry => Self::NoEntry,
            Refusal::Exist => Self::Exist,
            Refusal::Invalid => Self::Invalid,
            Refusal::NoDevice => Self::NoDevice,
            Refusal::NotDirectory => Self::NotDirectory,
        }
    }
}

impl From<Refusal> for FilesystemError {
    fn from(refusal: Refusal) -> Self {
        ErrorCode::from(refusal).into()
    }
}

/// Returns the flags to open with once the guard has found or made the file: it neither makes nor
/// truncates anything then, but can do to the file what it could otherwise.
fn settled(
    wanted: Wanted,
    open: OpenFlags,
    flags: DescriptorFlags,
) -> (OpenFlags, DescriptorFlags) {
    if !wanted.changes() {
        return (open, flags);
    }
    let both = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let asked = flags.contains(DescriptorFlags::WRITE);
    (open & OpenFlags::DIRECTORY, if asked { flags } else { flags | both })
}

fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

fn inner<T: GuardedFsView>(data: &mut T) -> <Wasi as HasData>::Data<'_> {
    let GuardedFs { ctx, table, .. } = data.guarded_fs();
    WasiFilesystemCtxView { ctx, table }
}

/// Decides, with the store at hand.
fn decide<T: GuardedFsView, R>(
    store: &Accessor<T, GuardedFilesystem>,
    decide: impl FnOnce(&mut GuardedFs<'_>) -> Result<R, Refusal>,
) -> FilesystemResult<R> {
    Ok(store.with(|mut store| decide(&mut store.get()))?)
}

/// Passes on how a stream ended. The lease of its file is held until then.
struct Relay {
    outcome: Option<oneshot::Sender<Outcome>>,
    /// Only held.
    _lease: Arc<Lease>,
}

impl<D> FutureConsumer<D> for Relay {
    type Item = Outcome;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        mut source: Source<'_, Outcome>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut outcome = None;
        source.read(store, &mut outcome)?;
        if let (Some(outcome), Some(guest)) = (outcome, self.outcome.take()) {
            // A guest that does not wait for the outcome is not told.
            let _ = guest.send(outcome);
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns a future for the guest that ends as `outcome` does, holding `lease` meanwhile.
fn relay<T: 'static>(
    store: &mut Access<'_, T, GuardedFilesystem>,
    outcome: FutureReader<Outcome>,
    lease: Arc<Lease>,
) -> wasmtime::Result<FutureReader<Outcome>> {
    let (sender, receiver) = oneshot::channel();
    outcome.pipe(&mut *store, Relay { outcome: Some(sender), _lease: lease })?;
    // The sender is dropped unsent only when the store ends.
    FutureReader::new(store, async move {
        wasmtime::error::Ok(receiver.await.unwrap_or(Err(ErrorCode::Io)))
    })
}

fn refused<T: 'static>(
    store: &mut Access<'_, T, GuardedFilesystem>,
    refusal: Refusal,
) -> wasmtime::Result<FutureReader<Outcome>> {
    FutureReader::new(store, async move { wasmtime::error::Ok(Err(refusal.into())) })
}

fn delegate<'a, T: GuardedFsView>(
    store: &'a mut Access<'_, T, GuardedFilesystem>,
) -> Access<'a, T, Wasi> {
    Access::<T, Wasi>::new(store.as_context_mut(), inner::<T>)
}

/// Decides whether `fd` may be written through, and returns its lease.
fn may_write<T: GuardedFsView>(
    store: &mut Access<'_, T, GuardedFilesystem>,
    fd: &Fd,
    operation: &str,
) -> Result<Arc<Lease>, Refusal> {
    let guard = store.get().guard;
    guard.may_change(fd.rep(), operation)?;
    Ok(guard.node(fd.rep())?.lease.clone())
}

impl Host for GuardedFs<'_> {
    fn convert_error_code(&mut self, error: FilesystemError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }
}

impl preopens::Host for GuardedFs<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        self.preopens()
    }
}

impl HostDescriptor for GuardedFs<'_> {
    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.guard.untrack(fd.rep());
        HostDescriptor::drop(&mut self.inner(), fd)
    }
}

/// What the implementation below is called with.
macro_rules! wasi {
    ($store:ident) => {
        &$store.with_getter::<Wasi>(inner::<T>)
    };
}

impl<T: GuardedFsView> HostDescriptorWithStore<T> for GuardedFilesystem {
    fn read_via_stream(
        mut store: Access<'_, T, Self>,
        fd: Fd,
        at: Filesize,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Outcome>)> {
        let lease = store.get().guard.node(fd.rep()).map(|node| node.lease.clone());
        let Ok(lease) = lease else {
            let nothing = StreamReader::new(&mut store, Vec::new())?;
            return Ok((nothing, refused(&mut store, Refusal::NotPermitted)?));
        };
        let (stream, outcome) = Wasi::read_via_stream(delegate(&mut store), fd, at)?;
        Ok((stream, relay(&mut store, outcome, lease)?))
    }

    fn write_via_stream(
        mut store: Access<'_, T, Self>,
        fd: Fd,
        mut data: StreamReader<u8>,
        at: Filesize,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        match may_write(&mut store, &fd, "write") {
            Ok(lease) => {
                let outcome = Wasi::write_via_stream(delegate(&mut store), fd, data, at)?;
                relay(&mut store, outcome, lease)
            }
            Err(refusal) => {
                data.close(&mut store)?;
                refused(&mut store, refusal)
            }
        }
    }

    fn append_via_stream(
        mut store: Access<'_, T, Self>,
        fd: Fd,
        mut data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Outcome>> {
        match may_write(&mut store, &fd, "append") {
            Ok(lease) => {
                let outcome = Wasi::append_via_stream(delegate(&mut store), fd, data)?;
                relay(&mut store, outcome, lease)
            }
            Err(refusal) => {
                data.close(&mut store)?;
                refused(&mut store, refusal)
            }
        }
    }

    fn read_directory(
        mut store: Access<'_, T, Self>,
        fd: Fd,
    ) -> wasmtime::Result<(StreamReader<DirectoryEntry>, FutureReader<Outcome>)> {
        match store.get().guard.may_list(fd.rep()) {
            Ok(lease) => {
                let (stream, outcome) = Wasi::read_directory(delegate(&mut store), fd)?;
                Ok((stream, relay(&mut store, outcome, lease)?))
            }
            Err(refusal) => {
                let nothing = StreamReader::new(&mut store, Vec::new())?;
                Ok((nothing, refused(&mut store, refusal)?))
            }
        }
    }

    async fn advise(
        store: &Accessor<T, Self>,
        fd: Fd,
        at: Filesize,
        len: Filesize,
        how: Advice,
    ) -> FilesystemResult<()> {
        Wasi::advise(wasi!(store), fd, at, len, how).await
    }

    async fn sync_data(store: &Accessor<T, Self>, fd: Fd) -> FilesystemResult<()> {
        Wasi::sync_data(wasi!(store), fd).await
    }

    async fn get_flags(store: &Accessor<T, Self>, fd: Fd) -> FilesystemResult<DescriptorFlags> {
        Wasi::get_flags(wasi!(store), fd).await
    }

    async fn get_type(store: &Accessor<T, Self>, fd: Fd) -> FilesystemResult<DescriptorType> {
        Wasi::get_type(wasi!(store), fd).await
    }

    async fn set_size(store: &Accessor<T, Self>, fd: Fd, size: Filesize) -> FilesystemResult<()> {
        decide(store, |fs| fs.guard.may_change(fd.rep(), "set-size"))?;
        Wasi::set_size(wasi!(store), fd, size).await
    }

    async fn set_times(
        store: &Accessor<T, Self>,
        fd: Fd,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FilesystemResult<()> {
        decide(store, |fs| fs.guard.may_change(fd.rep(), "set-times"))?;
        Wasi::set_times(wasi!(store), fd, accessed, modified).await
    }

    async fn sync(store: &Accessor<T, Self>, fd: Fd) -> FilesystemResult<()> {
        Wasi::sync(wasi!(store), fd).await
    }

    async fn create_directory_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| {
            fs.at(&fd, &path, |guard, at| guard.may_alter(at, false, "create-directory"))
        })?;
        Wasi::create_directory_at(wasi!(store), fd, path).await
    }

    async fn stat(store: &Accessor<T, Self>, fd: Fd) -> FilesystemResult<DescriptorStat> {
        Wasi::stat(wasi!(store), fd).await
    }

    async fn stat_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<DescriptorStat> {
        decide(store, |fs| fs.guard.may_look(fd.rep(), &path))?;
        Wasi::stat_at(wasi!(store), fd, flags, path).await
    }

    async fn set_times_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FilesystemResult<()> {
        decide(store, |fs| {
            fs.at(&fd, &path, |guard, at| guard.may_alter(at, follows(flags), "set-times"))
        })?;
        Wasi::set_times_at(wasi!(store), fd, flags, path, accessed, modified).await
    }

    async fn link_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| fs.at_both((&fd, &path), (&new_fd, &new_path), "link"))?;
        Wasi::link_at(wasi!(store), fd, flags, path, new_fd, new_path).await
    }

    async fn open_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FilesystemResult<Fd> {
        let wanted = Wanted {
            follow: follows(path_flags),
            create: open.contains(OpenFlags::CREATE),
            exclusive: open.contains(OpenFlags::EXCLUSIVE),
            truncate: open.contains(OpenFlags::TRUNCATE),
            write: flags.contains(DescriptorFlags::WRITE),
            mutate: flags.contains(DescriptorFlags::MUTATE_DIRECTORY),
        };
        if open.contains(OpenFlags::DIRECTORY) && wanted.remakes() {
            return Err(ErrorCode::Invalid.into());
        }
        let opening =
            decide(store, |fs| fs.at(&fd, &path, |guard, at| guard.may_open(at, wanted)))?;
        let (open, flags) = settled(wanted, open, flags);
        let opened = Wasi::open_at(wasi!(store), fd, path_flags, path, open, flags).await?;
        decide(store, |fs| fs.opened(&opened, opening))?;
        if wanted.truncate {
            let file = Resource::new_borrow(opened.rep());
            if let Err(error) = Wasi::set_size(wasi!(store), file, 0).await {
                let dropped =
                    store.with(|mut store| HostDescriptor::drop(&mut store.get(), opened));
                return Err(dropped.map_or_else(FilesystemError::trap, |()| error));
            }
        }
        Ok(opened)
    }

    async fn readlink_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<String> {
        decide(store, |fs| fs.guard.may_look(fd.rep(), &path))?;
        Wasi::readlink_at(wasi!(store), fd, path).await
    }

    async fn remove_directory_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| {
            fs.at(&fd, &path, |guard, at| guard.may_alter(at, false, "remove-directory"))
        })?;
        Wasi::remove_directory_at(wasi!(store), fd, path).await
    }

    async fn rename_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| fs.at_both((&fd, &path), (&new_fd, &new_path), "rename"))?;
        Wasi::rename_at(wasi!(store), fd, path, new_fd, new_path).await
    }

    async fn symlink_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        target: String,
        path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| fs.at(&fd, &path, |guard, at| guard.may_symlink(at, &target)))?;
        Wasi::symlink_at(wasi!(store), fd, target, path).await
    }

    async fn unlink_file_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        path: String,
    ) -> FilesystemResult<()> {
        decide(store, |fs| fs.at(&fd, &path, |guard, at| guard.may_alter(at, false, "remove")))?;
        Wasi::unlink_file_at(wasi!(store), fd, path).await
    }

    async fn is_same_object(
        store: &Accessor<T, Self>,
        fd: Fd,
        other: Fd,
    ) -> wasmtime::Result<bool> {
        Wasi::is_same_object(wasi!(store), fd, other).await
    }

    async fn metadata_hash(
        store: &Accessor<T, Self>,
        fd: Fd,
    ) -> FilesystemResult<MetadataHashValue> {
        Wasi::metadata_hash(wasi!(store), fd).await
    }

    async fn metadata_hash_at(
        store: &Accessor<T, Self>,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<MetadataHashValue> {
        decide(store, |fs| fs.guard.may_look(fd.rep(), &path))?;
        Wasi::metadata_hash_at(wasi!(store), fd, flags, path).await
    }
}
