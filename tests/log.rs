//! What the log of an operator says, and how often.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use support::store_with_key;
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::axum::ReachLayer;
use tower_api_key::manage::{KeyManager, ManageSettings, routes};
use tower_api_key::{AuthenticateLayer, KeyFormat, MemoryStore, Principal, RequireScopeLayer, Requirement};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// What was logged by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Begins to log. Ends when the guard is dropped.
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
        (log.clone(), tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines of a level so far, and forgets everything.
    fn take(&self, level: &str) -> Vec<String> {
        let log = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        log.lines().map(str::trim).filter(|line| line.starts_with(level)).map(str::to_owned).collect()
    }
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_layer_that_is_missing_is_named_to_the_operator_and_not_to_the_client() {
    async fn whoami(principal: Principal) -> String {
        principal.key_id().to_string()
    }

    let (log, _guard) = Log::begin();
    let needed = Requirement::all_of(["keys.manage"]).unwrap();
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let app = Router::new()
        .route("/extracted", get(whoami))
        .route("/reached/{organization}", get("here").route_layer(ReachLayer::new(needed.clone())))
        .route("/scoped", get("here").route_layer(RequireScopeLayer::new(needed.clone())))
        .nest("/admin", routes(manager, ManageSettings::new(needed.clone(), needed)));
    for (path, needs) in [
        ("/extracted", "a `Principal`"),
        ("/reached/acme", "`ReachLayer`"),
        ("/scoped", "`RequireScopeLayer`"),
        ("/admin/keys", "the management routes"),
    ] {
        let (status, body) = send(&app, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(body, r#"{"detail":"Internal server error"}"#, "{path}");
        let errors = log.take("ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(needs) && errors[0].contains("add `AuthenticateLayer`"), "{}", errors[0]);
    }

    let call = tonic::Request::new(());
    let status = tower_api_key::tonic::principal(&call).unwrap_err();
    assert_eq!(status.message(), "Internal server error");
    assert!(log.take("ERROR")[0].contains("add `AuthenticateLayer`"));
}

#[tokio::test]
async fn layers_in_the_wrong_order_are_told_to_the_operator() {
    let (log, _guard) = Log::begin();
    let (store, key) = store_with_key().await;
    let key = key.scopes("a");
    let authenticate = AuthenticateLayer::new(support::authenticator(store).0);
    let scope = RequireScopeLayer::scope("a").unwrap();
    let service = scope.layer(authenticate.layer(service_fn(support::ok)));
    assert_eq!(service.oneshot(key.bearer()).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    let errors = log.take("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("`RequireScopeLayer` found no caller"), "{}", errors[0]);
    assert!(errors[0].contains("outside of it"), "{}", errors[0]);
}
