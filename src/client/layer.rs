//! The layer of a client: its settings.

// Layer 10 of 10: rim.

use std::sync::Arc;

use tower_layer::Layer;

use super::attachment::Attachment;
use super::key::ClientKey;
use super::service::AttachKey;
use crate::credential::Source;
use crate::error::ConfigError;

/// Layer that applies [`AttachKey`].
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct AttachKeyLayer {
    attachment: Arc<Attachment>,
}

impl AttachKeyLayer {
    /// Creates a layer that attaches `key`, as `source` reads it, to requests to `origin`. Each request must name the origin by an absolute
    /// URI.
    ///
    /// The origin is a scheme, a host and an optional port: `https://api.example.com`. Plain `http` is accepted for `localhost`,
    /// `127.0.0.0/8` and `[::1]`, which never leave the machine. Scheme and host are compared without regard to case, and the port
    /// defaults to that of the scheme. Other spellings of a host, such as a final dot or other zeros of an IPv6 address, are another
    /// origin.
    ///
    /// ```
    /// use tower_api_key::Source;
    /// use tower_api_key::client::{AttachKeyLayer, ClientKey};
    ///
    /// let layer = |origin| AttachKeyLayer::new(origin, Source::x_api_key(), ClientKey::new("demo_live_123"));
    /// assert!(layer("https://api.example.com").is_ok());
    /// assert!(layer("http://localhost:3000").is_ok());
    /// assert!(layer("http://api.example.com").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// When `origin` is not such an origin, when `source` would reject the key, or when the key has a user and `source` is not
    /// Basic.
    pub fn new(origin: &str, source: Source, key: ClientKey) -> Result<Self, ConfigError> {
        Self::build(origin, false, source, key)
    }

    /// Creates a layer for a service that sends all requests to `origin`, such as a `tonic::transport::Channel`. The layer trusts that
    /// it does: the URI of a request need not name the origin. If it names one, it must be this one.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn for_channel(origin: &str, source: Source, key: ClientKey) -> Result<Self, ConfigError> {
        Self::build(origin, true, source, key)
    }

    fn build(origin: &str, channel: bool, source: Source, key: ClientKey) -> Result<Self, ConfigError> {
        Ok(Self { attachment: Arc::new(Attachment::new(origin, channel, source, key)?) })
    }
}

impl<S> Layer<S> for AttachKeyLayer {
    type Service = AttachKey<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AttachKey::new(inner, Arc::clone(&self.attachment))
    }
}
