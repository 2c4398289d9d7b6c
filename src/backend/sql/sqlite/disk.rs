//! File system queries, which may hang: the file may be on a network.

// Layer 3 of 10: storage.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// The device and inode of a file.
pub(super) type FileId = (u64, u64);

/// Queries the file system on a blocking thread, one query at a time: a file system that hangs must not occupy one thread for
/// each query.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<()>>);

impl Disk {
    /// Returns the id of the file at a path, see [`file_id`].
    pub(super) async fn file_id(&self, file: &Path) -> io::Result<Option<FileId>> {
        let (turn, file) = (Arc::clone(&self.0).lock_owned().await, file.to_path_buf());
        let query = spawn_blocking(move || {
            // The query continues if the caller is dropped.
            let _turn = turn;
            file_id(&file)
        });
        query.await.unwrap_or_else(|error| Err(error.into()))
    }
}

#[cfg(unix)]
pub(super) fn file_id(file: &Path) -> io::Result<Option<FileId>> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(file).map(|metadata| Some((metadata.dev(), metadata.ino())))
}

/// Other systems do not let an open file be replaced.
#[cfg(not(unix))]
pub(super) fn file_id(file: &Path) -> io::Result<Option<FileId>> {
    fs::metadata(file).map(|_| None)
}
