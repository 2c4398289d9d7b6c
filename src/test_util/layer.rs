//! A layer with one known key.

// Layer 10 of 10: rim.

use crate::authenticate::AuthenticateLayer;
use crate::authenticator::Authenticator;
use crate::backend::{Backend, BackendError};
use crate::digest::{Digest, Digester};
use crate::record::Record;

/// Creates a layer that admits one key, whose text is `key` and whose record `describe` has completed: for tests of an application over HTTP.
///
/// The record is that of [`principal`](super::principal): a key of the organization `test` without scopes. The layer has the default sources,
/// so requests present the key as `Authorization: Bearer KEY` or `X-API-Key: KEY`. Pass the layer to the function that builds the
/// application, in place of the one that it has in production.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
/// use tower_api_key::{AuthenticateLayer, Owner, Principal, test_util};
///
/// fn app(authenticate: AuthenticateLayer) -> Router {
///     let whoami = async |principal: Principal| principal.owner().organizations().next().unwrap().id.to_string();
///     Router::new().route("/whoami", get(whoami)).route_layer(authenticate)
/// }
///
/// let app = app(test_util::layer("test", |record| record.owner = Owner::organization("acme")));
/// let request = Request::get("/whoami").header("authorization", "Bearer test").body(Body::empty())?;
/// assert_eq!(app.clone().oneshot(request).await?.status(), 200);
/// let request = Request::get("/whoami").header("authorization", "Bearer other").body(Body::empty())?;
/// assert_eq!(app.oneshot(request).await?.status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// When `describe` does.
pub fn layer(key: &str, describe: impl FnOnce(&mut Record)) -> AuthenticateLayer {
    let mut record = super::record(Digester::sha256().digest(key.as_bytes()));
    describe(&mut record);
    let authenticator = Authenticator::builder(OneKey(record)).build();
    AuthenticateLayer::new(authenticator.expect("the default configuration is valid"))
}

/// A backend with a single key, which does not change.
struct OneKey(Record);

impl Backend for OneKey {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        Ok((self.0.digest == *digest).then(|| self.0.clone()))
    }
}
