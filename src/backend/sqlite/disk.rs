//! Questions to the file system, which may hang: the file may lie on a network.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// The device and the number of a file.
pub(super) type FileId = (u64, u64);

/// Asks the file system on a thread that may wait for it, one question at a time: a file system that hangs must not take one thread for
/// each question.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<()>>);

impl Disk {
    /// Returns the file_id of the file that a name leads to, as [`file_id`] does.
    pub(super) async fn file_id(&self, file: &Path) -> io::Result<Option<FileId>> {
        let (turn, file) = (Arc::clone(&self.0).lock_owned().await, file.to_path_buf());
        let asking = spawn_blocking(move || {
            // A caller that gives up does not end the question.
            let _turn = turn;
            file_id(&file)
        });
        asking.await.unwrap_or_else(|error| Err(error.into()))
    }
}

#[cfg(unix)]
pub(super) fn file_id(file: &Path) -> io::Result<Option<FileId>> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(file).map(|metadata| Some((metadata.dev(), metadata.ino())))
}

/// Other systems do not let a file be replaced that is open.
#[cfg(not(unix))]
pub(super) fn file_id(file: &Path) -> io::Result<Option<FileId>> {
    fs::metadata(file).map(|_| None)
}
