//! The guard as `wasi:filesystem` 0.2.

use super::GuardedFs;
use super::guard::{Blocking, Refusal, Wanted};
use super::lease::Leased;
use super::paths::has_more_than;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
    OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult, ReaddirIterator};

type Fd = Resource<Descriptor>;
type Listing = Resource<ReaddirIterator>;

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

impl From<Refusal> for FsError {
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

impl preopens::Host for GuardedFs<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        self.preopens()
    }
}

impl Host for GuardedFs<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner().filesystem_error_code(error)
    }
}

impl HostDescriptor for GuardedFs<'_> {
    async fn advise(&mut self, fd: Fd, at: Filesize, len: Filesize, how: Advice) -> FsResult<()> {
        self.inner().advise(fd, at, len, how).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.inner().sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.inner().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.inner().get_type(fd).await
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        self.guard.may_change(fd.rep(), "set-size")?;
        self.inner().set_size(fd, size).await
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.guard.may_change(fd.rep(), "set-times")?;
        self.inner().set_times(fd, accessed, modified).await
    }

    async fn read(&mut self, fd: Fd, len: Filesize, at: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.inner().read(fd, len, at).await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, at: Filesize) -> FsResult<Filesize> {
        self.guard.may_change(fd.rep(), "write")?;
        self.inner().write(fd, bytes, at).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Listing> {
        let lease = self.guard.may_list(fd.rep())?;
        self.guard.may_hold_listing(fd.rep())?;
        let (dir, most) = (self.dir(&fd)?, self.guard.max_listed);
        let too_many = match self.guard.blocking {
            Blocking::Here => has_more_than(&dir, most),
            Blocking::Elsewhere => {
                let counted = tokio::task::spawn_blocking(move || has_more_than(&dir, most)).await;
                counted.unwrap_or_else(|error| Err(std::io::Error::other(error)))
            }
        };
        self.guard.may_hold_entries(fd.rep(), too_many.map_err(|_| Refusal::Io)?)?;
        let listing = self.inner().read_directory(fd).await?;
        self.guard.keep_lease(listing.rep(), lease);
        Ok(listing)
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.inner().sync(fd).await
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.at(&fd, &path, |guard, at| guard.may_alter(at, false, "create-directory"))?;
        self.inner().create_directory_at(fd, path).await
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.inner().stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.guard.may_look(fd.rep(), &path)?;
        self.inner().stat_at(fd, flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.at(&fd, &path, |guard, at| guard.may_alter(at, follows(flags), "set-times"))?;
        self.inner().set_times_at(fd, flags, path, accessed, modified).await
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        self.at_both((&fd, &path), (&new_fd, &new_path), "link")?;
        self.inner().link_at(fd, flags, path, new_fd, new_path).await
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
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
        let opening = self.at(&fd, &path, |guard, at| guard.may_open(at, wanted))?;
        let (open, flags) = settled(wanted, open, flags);
        let opened = self.inner().open_at(fd, path_flags, path, open, flags).await?;
        self.opened(&opened, opening)?;
        if wanted.truncate {
            let file = Resource::new_borrow(opened.rep());
            if let Err(error) = self.inner().set_size(file, 0).await {
                HostDescriptor::drop(self, opened).map_err(FsError::trap)?;
                return Err(error);
            }
        }
        Ok(opened)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.guard.untrack(fd.rep());
        HostDescriptor::drop(&mut self.inner(), fd)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.guard.may_look(fd.rep(), &path)?;
        self.inner().readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.at(&fd, &path, |guard, at| guard.may_alter(at, false, "remove-directory"))?;
        self.inner().remove_directory_at(fd, path).await
    }

    async fn rename_at(
        &mut self,
        fd: Fd,
        path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        self.at_both((&fd, &path), (&new_fd, &new_path), "rename")?;
        self.inner().rename_at(fd, path, new_fd, new_path).await
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        self.at(&fd, &path, |guard, at| guard.may_symlink(at, &target))?;
        self.inner().symlink_at(fd, target, path).await
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.at(&fd, &path, |guard, at| guard.may_alter(at, false, "remove"))?;
        self.inner().unlink_file_at(fd, path).await
    }

    fn read_via_stream(&mut self, fd: Fd, at: Filesize) -> FsResult<Resource<DynInputStream>> {
        let lease = self.guard.node(fd.rep())?.lease.clone();
        let stream = self.inner().read_via_stream(fd, at)?;
        let stream = self.table.delete(stream)?;
        let leased: DynInputStream = Box::new(Leased { stream, _lease: lease });
        Ok(self.table.push(leased)?)
    }

    fn write_via_stream(&mut self, fd: Fd, at: Filesize) -> FsResult<Resource<DynOutputStream>> {
        self.guard.may_change(fd.rep(), "write")?;
        let lease = self.guard.node(fd.rep())?.lease.clone();
        let stream = self.inner().write_via_stream(fd, at)?;
        let stream = self.table.delete(stream)?;
        let leased: DynOutputStream = Box::new(Leased { stream, _lease: lease });
        Ok(self.table.push(leased)?)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.guard.may_change(fd.rep(), "append")?;
        let lease = self.guard.node(fd.rep())?.lease.clone();
        let stream = self.inner().append_via_stream(fd)?;
        let stream = self.table.delete(stream)?;
        let leased: DynOutputStream = Box::new(Leased { stream, _lease: lease });
        Ok(self.table.push(leased)?)
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        self.inner().is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.inner().metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.guard.may_look(fd.rep(), &path)?;
        self.inner().metadata_hash_at(fd, flags, path).await
    }
}

impl HostDirectoryEntryStream for GuardedFs<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.inner().read_directory_entry(listing).await
    }

    fn drop(&mut self, listing: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.guard.drop_lease(listing.rep());
        HostDirectoryEntryStream::drop(&mut self.inner(), listing)
    }
}
