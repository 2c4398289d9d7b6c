//! Rules by path and by route: who may call what, wherever the layer is added and whatever the client sends.

mod admitted_as_public;
mod built;
mod grpc;
mod guarded;
mod logged;
mod methods;
mod places;
mod properties;
mod rewritten;
mod wire;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use tower::ServiceExt;
use tower_api_key::rules::Access;
use tower_api_key::{AuthenticateLayer, Scopes, test_util};

/// A layer that admits the key `test`, which has these scopes.
fn layer(scopes: &str) -> AuthenticateLayer {
    let scopes = Scopes::parse(scopes).unwrap();
    test_util::layer("test", |record| record.scopes = scopes)
}

fn scope(scope: &str) -> Access {
    Access::scope(scope).unwrap()
}

fn request(method: &str, path: &str, key: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.body(Body::empty()).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.unwrap()
}

/// Returns the statuses without a key, with the key `test`, and with a bad key.
async fn statuses(app: &Router, method: &str, path: &str) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, key) in statuses.iter_mut().zip([None, Some("test"), Some("bad")]) {
        *status = send(app, request(method, path, key)).await.status().as_u16();
    }
    statuses
}
