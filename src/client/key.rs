//! The keys of a client.

// Layer 10 of 10: rim.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::{AttachKeyError, BoxError};
use super::file::KeyFile;
use crate::clock::{Clock, SystemClock};

/// The key of a client: a value, a file or a function.
///
/// Its `Debug` text does not show the key, which is wiped when dropped.
///
/// ```
/// use tower_api_key::Source;
/// use tower_api_key::client::{AttachKeyLayer, ClientKey};
///
/// let key = ClientKey::new("demo_live_123");
/// assert_eq!(format!("{key:?}"), "ClientKey(value)");
///
/// let layer = AttachKeyLayer::new("https://api.example.com", Source::bearer(), key);
/// assert!(layer.is_ok());
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[must_use]
pub struct ClientKey {
    pub(super) text: KeyText,
    pub(super) user: String,
    pub(super) clock: Arc<dyn Clock>,
}

pub(super) enum KeyText {
    Value(Zeroizing<String>),
    /// A file, and the text that was read from it.
    File(KeyFile, Zeroizing<String>),
    Function(KeyFunction),
}

/// A function that returns the key for a request.
pub(super) type KeyFunction = Box<dyn Fn() -> BoxedKey + Send + Sync>;

type BoxedKey = Pin<Box<dyn Future<Output = Result<Zeroizing<String>, BoxError>> + Send>>;

impl ClientKey {
    /// Creates a key from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::from_text(KeyText::Value(Zeroizing::new(text.into())))
    }

    /// Reads a key from a file, which may end with line breaks.
    ///
    /// The layer reads the file again for the next request that is sent a second or more after the last read, and for the next
    /// request after an answer that rejects the key: status 401, or `grpc-status: 16` among the headers. It sends no request twice. While the
    /// file cannot be read, or holds no key, requests fail. Replace the file by renaming a complete one, as Kubernetes does.
    ///
    /// Permissions are not checked: Docker and Kubernetes mount secrets readable by all users of their container.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::client::{AttachKeyErrorKind, ClientKey};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("api-key");
    /// let error = ClientKey::file(&path).await.unwrap_err();
    /// assert_eq!(error.kind(), AttachKeyErrorKind::KeyUnavailable);
    ///
    /// std::fs::write(&path, "demo_live_123\n")?;
    /// assert!(ClientKey::file(&path).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When `path` is no regular file, cannot be read, holds more than 1 KiB, or is not UTF-8.
    ///
    /// # Panics
    ///
    /// When called outside of a Tokio runtime.
    pub async fn file(path: impl Into<PathBuf>) -> Result<Self, AttachKeyError> {
        let file = KeyFile::new(path.into());
        let text = file.read().await?;
        Ok(Self::from_text(KeyText::File(file, text)))
    }

    /// Creates a key that `function` returns, for example from a secret manager. It is called for each request, so it caches the key
    /// itself where that is slow.
    ///
    /// ```
    /// use tower_api_key::client::ClientKey;
    ///
    /// let key = ClientKey::from_fn(|| async { std::env::var("API_KEY") });
    /// assert_eq!(format!("{key:?}"), "ClientKey(function)");
    /// ```
    pub fn from_fn<F, R, E>(function: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let function = move || -> BoxedKey {
            let key = function();
            Box::pin(async { key.await.map(Zeroizing::new).map_err(Into::into) })
        };
        Self::from_text(KeyText::Function(Box::new(function)))
    }

    fn from_text(text: KeyText) -> Self {
        Self { text, user: String::new(), clock: Arc::new(SystemClock::new()) }
    }

    /// Sets the user of a Basic credential, the e-mail of the key's owner.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the clock that decides when a file is read again. Default: the system's.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.text {
            KeyText::Value(_) => "ClientKey(value)",
            KeyText::File(..) => "ClientKey(file)",
            KeyText::Function(_) => "ClientKey(function)",
        })
    }
}
