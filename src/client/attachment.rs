//! What a layer attaches to which requests.

// Layer 10 of 10: rim.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::spawn;
use tokio::sync::Mutex;

use super::error::{AttachKeyError, AttachKeyErrorKind, INVALID_KEY};
use super::file::KeyFile;
use super::key::{ClientKey, KeyFunction, KeyText};
use super::origin::Origin;
use crate::clock::{Clock, Moment};
use crate::credential::Source;
use crate::error::{ConfigError, ConfigErrorKind};

/// The time after which a file is read again.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// The methods that address a proxy, or whose answer echoes the key (RFC 9110 §9.3.8). Some servers know `TRACE` as `TRACK`, or ignore case.
const METHODS_REFUSED: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

const INVALID_USER: &str =
    "user is invalid: `Source::basic` needs one without a colon, or `empty_user`; other sources accept none";

/// The origin, the header and the key of a layer, which all clones of its services share.
pub(super) struct Attachment {
    origin: Origin,
    /// Whether the requests go through a channel to the origin, and need not name it.
    channel: bool,
    header: HeaderName,
    presenter: Presenter,
    key: Key,
}

/// The source by which keys are presented, and the user of a Basic credential.
#[derive(Clone)]
struct Presenter {
    source: Source,
    user: String,
}

/// A key, presented by the source where it is known.
enum Key {
    Value(HeaderValue),
    File(Arc<FileKey>),
    Function(KeyFunction),
}

/// The key in a file, and the last one that was read.
struct FileKey {
    file: KeyFile,
    presenter: Presenter,
    clock: Arc<dyn Clock>,
    /// The last key and the time before it was read. `None` before the first read, during one, and after one that failed.
    last: Mutex<Option<(HeaderValue, Moment)>>,
    /// Whether the server has rejected a key since the last read began.
    rejected: AtomicBool,
}

impl Attachment {
    pub(super) fn new(
        origin: &str,
        channel: bool,
        source: Source,
        key: ClientKey,
    ) -> Result<Self, ConfigError> {
        let origin = Origin::parse(origin)?;
        let ClientKey { text, user, clock } = key;
        let invalid = |message| ConfigError::new(ConfigErrorKind::ClientKey, message);
        if !source.accepts_user(&user) {
            return Err(invalid(INVALID_USER));
        }
        let (header, presenter) = (source.header_name(), Presenter { source, user });
        let present = |secret: &str| presenter.present(secret).map_err(|_| invalid(INVALID_KEY));
        let key = match text {
            KeyText::Value(text) => Key::Value(present(&text)?),
            KeyText::File(file, text) => {
                present(&text)?;
                let (last, rejected) = (Mutex::new(None), AtomicBool::new(false));
                let presenter = presenter.clone();
                Key::File(Arc::new(FileKey { file, presenter, clock, last, rejected }))
            }
            KeyText::Function(function) => Key::Function(function),
        };
        Ok(Self { origin, channel, header, presenter, key })
    }

    /// Returns an error unless the request goes to the origin and has no such header yet.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), AttachKeyError> {
        let uri = request.uri();
        let kind =
            if METHODS_REFUSED.iter().any(|method| request.method().as_str().eq_ignore_ascii_case(method)) {
                AttachKeyErrorKind::Method
            } else if !self.channel && (uri.scheme().is_none() || uri.authority().is_none()) {
                AttachKeyErrorKind::NoOrigin
            } else if !self.origin.agrees_with(uri) || !self.origin.agrees_with_host(request.headers()) {
                AttachKeyErrorKind::OtherOrigin
            } else if request.headers().contains_key(&self.header) {
                AttachKeyErrorKind::HeaderPresent
            } else {
                return Ok(());
            };
        Err(AttachKeyError::new(kind))
    }

    pub(super) fn attach(&self, value: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), value);
    }

    /// Returns the header value that is known without waiting, if any.
    pub(super) fn header_in_memory(&self) -> Option<HeaderValue> {
        match &self.key {
            Key::Value(value) => Some(value.clone()),
            Key::File(file) => file.fresh(&*file.last.try_lock().ok()?),
            Key::Function(_) => None,
        }
    }

    /// Gets the header value for a request: reads the file if it must be read again, and keeps what it read, or calls the function.
    pub(super) async fn read_header(self: Arc<Self>) -> Result<HeaderValue, AttachKeyError> {
        match &self.key {
            Key::Value(value) => Ok(value.clone()),
            Key::File(file) => {
                // A task, so that no request waits for another one to be polled.
                spawn(Arc::clone(file).read()).await.map_err(AttachKeyError::unavailable)?
            }
            Key::Function(function) => {
                self.presenter.present(&function().await.map_err(AttachKeyError::unavailable)?)
            }
        }
    }

    /// Notes a response that rejects the key.
    pub(super) fn note_rejection<B>(&self, response: &Response<B>) {
        let is_unauthenticated =
            || response.headers().get("grpc-status").is_some_and(|status| status.as_bytes() == b"16");
        if let Key::File(file) = &self.key
            && (response.status() == StatusCode::UNAUTHORIZED || is_unauthenticated())
        {
            file.rejected.store(true, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Attachment");
        fields.field("origin", &self.origin).field("channel", &self.channel).field("header", &self.header);
        fields.finish_non_exhaustive()
    }
}

impl Presenter {
    fn present(&self, secret: &str) -> Result<HeaderValue, AttachKeyError> {
        let value = self.source.present(&self.user, secret);
        value.ok_or_else(|| AttachKeyError::new(AttachKeyErrorKind::InvalidKey))
    }
}

impl FileKey {
    /// Reads the key, unless another request has read it meanwhile.
    async fn read(self: Arc<Self>) -> Result<HeaderValue, AttachKeyError> {
        let mut last = self.last.lock().await;
        if let Some(value) = self.fresh(&last) {
            return Ok(value);
        }
        *last = None;
        self.rejected.store(false, Ordering::SeqCst);
        let read_at = self.clock.monotonic();
        let value = self.presenter.present(&self.file.read().await?)?;
        *last = Some((value.clone(), read_at));
        Ok(value)
    }

    fn fresh(&self, last: &Option<(HeaderValue, Moment)>) -> Option<HeaderValue> {
        let (value, read_at) = last.as_ref()?;
        let age = self.clock.monotonic().saturating_since(*read_at);
        (age < READ_INTERVAL && !self.rejected.load(Ordering::SeqCst)).then(|| value.clone())
    }
}
