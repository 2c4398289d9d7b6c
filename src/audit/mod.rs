//! A hook that receives audit events: changes of keys and rejected requests, with ids only.
//!
//! `manage::KeyManager::audit` reports changes after the store has acknowledged them, and
//! [`AuthenticatorBuilder::audit`](crate::AuthenticatorBuilder::audit) reports rejections when they are answered. Admissions are not
//! reported. If the caller of a change is cancelled before the store acknowledges it, the change may be made without an event. The exact
//! record is the [`AuditLog`](crate::backend::AuditLog), which stores write in the transaction of each change.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::mpsc;
//!
//! use http::{HeaderMap, HeaderValue};
//! use tower_api_key::audit::{Action, AuditEvent};
//! use tower_api_key::{Authenticator, MemoryStore};
//!
//! let (sender, events) = mpsc::channel();
//! let authenticator = Authenticator::builder(MemoryStore::new())
//!     .audit(move |event: &AuditEvent| sender.send(event.clone()).unwrap_or_default())
//!     .build()?;
//! # use tower::{Layer, Service, ServiceExt, service_fn};
//! # let layer = tower_api_key::AuthenticateLayer::new(authenticator);
//! # let mut service = layer.layer(service_fn(|_: http::Request<()>| async {
//! #     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
//! # }));
//! # service.ready().await?.call(http::Request::new(())).await?;
//!
//! // After a request without a key:
//! assert_eq!(events.try_recv()?.action, Action::Rejected { reason: "missing" });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 2 of 10: support.
// Above `record` and `reason`; below `backend` and `reject`. Bottom to top, a file importing only those before it: `event`, `self`, `traced`.

mod event;
#[cfg(feature = "tracing")]
mod traced;

pub use event::{Action, AuditEvent};
#[cfg(feature = "tracing")]
pub use traced::TracingAudit;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Trait for receivers of audit events. Closures implement it.
///
/// It is called on the thread that answers the request or makes the change, so it must not block: to write to a file or to
/// another service, send the event to a task. A panic in it affects neither the request nor the change.
pub trait Audit: Send + Sync + 'static {
    /// Records an event.
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

/// A shared [`Audit`] whose panics are caught.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Audit>);

impl Hook {
    pub(crate) fn new(audit: impl Audit) -> Self {
        Self(Arc::new(audit))
    }

    pub(crate) fn record(&self, event: &AuditEvent) {
        // The panic hook of the process has reported the panic already.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.record(event)));
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(..)")
    }
}
