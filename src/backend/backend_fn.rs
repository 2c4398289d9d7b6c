//! A backend from a function.

// Layer 3 of 10: storage.

use std::fmt;
use std::future::Future;

use super::{Backend, BackendError};
use crate::digest::Digest;
use crate::record::Record;

/// Creates a backend that looks records up by a function, as tower's `service_fn` creates a service.
///
/// For keys from a configuration or a table of the application. What the function no longer returns may be accepted for the time to live of
/// the cache, and in an outage for the stale grace beyond it, also by [`Principal::recheck`](crate::Principal::recheck): a backend that
/// changes implements [`Backend`], which has invalidations and a change feed.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::collections::HashMap;
/// use std::future::ready;
///
/// use tower_api_key::backend::backend_fn;
/// use tower_api_key::digest::Digester;
/// use tower_api_key::{Authenticator, Owner, Record};
///
/// let digest = Digester::sha256().digest(b"text-of-the-first-key");
/// let record = Record::imported("build-server".parse()?, digest, Owner::organization("acme"));
/// let keys = HashMap::from([(digest, record)]);
///
/// let authenticator = Authenticator::new(backend_fn(move |digest| ready(Ok(keys.get(&digest).cloned()))));
/// assert!(authenticator.verify("text-of-the-first-key").await.is_ok());
/// assert!(authenticator.verify("text-of-another-key").await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn backend_fn<F, R>(find: F) -> BackendFn<F>
where
    F: Fn(Digest) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<Record>, BackendError>> + Send,
{
    BackendFn(find)
}

/// The backend that [`backend_fn`] creates.
#[derive(Clone, Copy)]
pub struct BackendFn<F>(F);

impl<F, R> Backend for BackendFn<F>
where
    F: Fn(Digest) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<Record>, BackendError>> + Send,
{
    fn find(&self, digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send {
        (self.0)(*digest)
    }
}

impl<F> fmt::Debug for BackendFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendFn").finish_non_exhaustive()
    }
}
