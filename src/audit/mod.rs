//! Who did what to which key, and when: a hook that is told, by ids only.
//!
//! `manage::KeyManager::audit` tells of changes after the store has acknowledged them, and
//! [`AuthenticatorBuilder::audit`](crate::AuthenticatorBuilder::audit) of refusals as they are answered. Admissions are not
//! told. If whoever asked for a change goes away before it is acknowledged, the change may be made without the hook hearing
//! of it: what is exact is the log that the SQL stores write in the transaction of each change, see
//! [`AuditLog`](crate::backend::AuditLog).
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::mpsc;
//!
//! use http::{HeaderMap, HeaderValue};
//! use tower_api_key::audit::{Action, AuditEvent};
//! use tower_api_key::{Authenticator, MemoryStore};
//!
//! let (told, heard) = mpsc::channel();
//! let authenticator = Authenticator::builder(MemoryStore::new())
//!     .audit(move |event: &AuditEvent| told.send(event.clone()).unwrap_or_default())
//!     .build()?;
//! # use tower::{Layer, Service, ServiceExt, service_fn};
//! # let layer = tower_api_key::AuthenticateLayer::new(authenticator);
//! # let mut service = layer.layer(service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
//! # }));
//! # service.ready().await?.call(http::Request::new(())).await?;
//!
//! // After a request without a key:
//! assert_eq!(heard.try_recv()?.action, Action::Refused { reason: "missing" });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod event;
#[cfg(feature = "tracing")]
mod traced;

pub use event::{Action, AuditEvent};
#[cfg(feature = "tracing")]
pub use traced::TracingAudit;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Trait for whoever is told what is done to keys, and with them. A closure will do.
///
/// It is called on the thread that answers the request or makes the change, so it must not block: to write to a file or to
/// another service, send the event to a task. A panic in it harms neither the request nor the change.
pub trait Audit: Send + Sync + 'static {
    /// Takes note of an event.
    fn record(&self, event: &AuditEvent);
}

impl<F> Audit for F
where
    F: Fn(&AuditEvent) + Send + Sync + 'static,
{
    fn record(&self, event: &AuditEvent) {
        self(event);
    }
}

/// Someone's hook, kept from doing harm.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Audit>);

impl Hook {
    pub(crate) fn new(audit: impl Audit) -> Self {
        Self(Arc::new(audit))
    }

    pub(crate) fn tell(&self, event: &AuditEvent) {
        // What there is to say of a panic, the panic hook of the process has said.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.record(event)));
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(..)")
    }
}
