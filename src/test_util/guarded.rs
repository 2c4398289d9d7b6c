//! A check that each route of an application is guarded.

use std::fmt;
use std::future::poll_fn;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

use crate::reject::{Forbidden, Reason, Rejection};
use crate::rules::Probe;

/// Checks that each of these routes needs a key and has a rule: a [rule](crate::rules) that names it, a
/// [`RequireScopeLayer`](crate::RequireScopeLayer) around it, or a handler that rejects a key without its scope.
///
/// Each route is a method and a path; a parameter such as `{id}` is filled in. Each is called without a key, and with `key`, which
/// must have no scopes: that of [`layer`](super::layer). A handler is called if its rule admits any key.
///
/// Name the routes that need a key, not those that are public. The service takes requests with any body, as an axum router does, or with
/// `Full<Bytes>`; another one is adapted by tower's `map_request`: `service.map_request(|request| request.map(Body::new))`.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use axum::{Router, routing::get};
/// use tower_api_key::axum::RouteRules;
/// use tower_api_key::rules::Access;
/// use tower_api_key::{AuthenticateLayer, ConfigError, test_util};
///
/// fn app(authenticate: AuthenticateLayer) -> Result<Router, ConfigError> {
///     let rules = RouteRules::new([
///         ("GET /notes/{id}", Access::scope("notes.read")?),
///         ("/whoami", Access::AnyKey),
///     ])?;
///     Ok(Router::new()
///         .route("/notes/{id}", get("a note"))
///         .route("/whoami", get("a caller"))
///         .route_layer(authenticate.rules(rules)))
/// }
///
/// let app = app(test_util::layer("test", |_| {}))?;
/// test_util::assert_guarded(app, "test", [("GET", "/notes/{id}"), ("GET", "/whoami")]).await;
/// # Ok::<(), ConfigError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// With a list of the routes that answer without a key, admit a key without scopes though no rule says so, have no rule, do not exist, or are
/// outside of the layer; when a method or path is invalid; and when the service fails.
pub async fn assert_guarded<'r, S, ResBody>(
    mut service: S,
    key: &str,
    routes: impl IntoIterator<Item = (&'r str, &'r str)>,
) where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error: fmt::Debug>,
{
    let (mut checked, mut faults) = (0, Vec::new());
    for (method, path) in routes {
        checked += 1;
        let fault = match fault_without_key(&mut service, method, path).await {
            None => fault_with_key(&mut service, method, path, key).await,
            fault => fault,
        };
        faults.extend(fault.map(|fault| format!("\n  {method} {path} {fault}")));
    }
    assert!(checked > 0, "no routes to check: name at least one");
    assert!(faults.is_empty(), "{} of {checked} routes are not guarded:{}", faults.len(), faults.concat());
}

async fn fault_without_key<S, ResBody>(service: &mut S, method: &str, path: &str) -> Option<String>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error: fmt::Debug>,
{
    let response = call(service, request(method, path)).await;
    match reason(&response) {
        Some(Reason::Missing) => None,
        Some(Reason::NotAuthenticated) => {
            Some("did not pass an `AuthenticateLayer`: add the layer after the route".to_owned())
        }
        Some(reason) => Some(format!("rejects a request without a key as `{}`", reason.label())),
        None if response.status() == StatusCode::NOT_FOUND => {
            Some("answers 404 without a key: name a route that exists".to_owned())
        }
        None => Some(format!(
            "answers {} without a key: add `AuthenticateLayer` after the route, or leave out a route that is public",
            response.status().as_u16()
        )),
    }
}

async fn fault_with_key<S, ResBody>(service: &mut S, method: &str, path: &str, key: &str) -> Option<String>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error: fmt::Debug>,
{
    let probe = Probe::default();
    let mut request = request(method, path);
    let credential = format!("Bearer {key}").parse().expect("a key must be visible ASCII");
    request.headers_mut().insert(http::header::AUTHORIZATION, credential);
    request.extensions_mut().insert(probe.clone());
    let response = call(service, request).await;
    match reason(&response) {
        Some(Reason::Forbidden(Forbidden::Undeclared)) => {
            Some("has no rule: add one to the rules of the layer".to_owned())
        }
        Some(Reason::MissingScope(_) | Reason::Forbidden(_)) => None,
        Some(reason) => Some(format!("rejects the key of the test as `{}`", reason.label())),
        None if probe.is_noted() => None,
        None => Some(format!(
            "answers {} to a key without scopes, and no rule says so: add a rule, or a `RequireScopeLayer` around the route",
            response.status().as_u16()
        )),
    }
}

fn request(method: &str, path: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a route must have a valid method");
    *request.uri_mut() = filled(path).parse().expect("a route must have a valid path");
    request
}

/// Replaces each parameter of a template by a text.
fn filled(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, name_and_rest)) = rest.split_once('{') {
        path.push_str(before);
        path.push('1');
        rest = name_and_rest.split_once('}').map_or("", |(_, rest)| rest);
    }
    path + rest
}

async fn call<S, ResBody>(service: &mut S, request: Request<Full<Bytes>>) -> Response<ResBody>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error: fmt::Debug>,
{
    poll_fn(|context| service.poll_ready(context)).await.expect("the service must be ready");
    service.call(request).await.expect("the service must not fail")
}

fn reason<B>(response: &Response<B>) -> Option<&Reason> {
    response.extensions().get::<Rejection>().map(Rejection::reason)
}
