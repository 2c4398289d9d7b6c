//! A file that holds a key.

// Layer 10 of 10: rim.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::error::AttachKeyError;

/// The longest file, in bytes. No [`Source`](crate::Source) of a server accepts a longer key.
const MAX_BYTES: usize = 1024;

/// The path of a file that holds a key.
pub(super) struct KeyFile(Arc<Path>);

impl KeyFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Reads the file on a thread that may block, and returns its text without line breaks at the end.
    pub(super) async fn read(&self) -> Result<Zeroizing<String>, AttachKeyError> {
        let path = Arc::clone(&self.0);
        let text = spawn_blocking(move || read(&path)).await.map_err(AttachKeyError::unavailable)?;
        text.map_err(AttachKeyError::unavailable)
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let invalid = |rule| io::Error::new(io::ErrorKind::InvalidData, rule);
    // A pipe would block, and holds its key only once.
    if !fs::metadata(path)?.is_file() {
        return Err(invalid("the file of the key must be a regular file"));
    }
    // Never filled, as a buffer that grows leaves unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_BYTES));
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(invalid("the file of the key must have at most 1024 bytes"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid("the file of the key must be UTF-8"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
