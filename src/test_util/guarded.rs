//! A check that each route of an application is guarded.

// Layer 10 of 10: rim.

use std::fmt;
use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower_service::Service;

use crate::reject::{Forbidden, Reason, Rejection};
use crate::rules::Probe;

/// Checks that each of these routes needs a key and has a rule: a [rule](crate::rules) that names it, a
/// [`RequireScopeLayer`](crate::RequireScopeLayer) around it, or a handler that rejects a key without its scope.
///
/// Each route is a method and a path. A parameter is filled in: `{organization}` with `test`, any other with `1`. Each route is called without
/// a key; with `key`, which must have no scopes and belong to an organization that is not disabled, such as that of
/// [`layer`](super::layer); and as a CORS preflight. A handler is called if its rule admits any key, or the layer lets preflights pass.
///
/// It sees one request for each route. So it does not see that `/notes/{id}` is open if `/notes/1` has a guarded route of its own, and not
/// that what a client sends opens a route, such as a header that a layer outside takes for the method. It sees that a route does not exist
/// if a router of axum, with the layers in it, has answered; a layer around a router or another service, which knows no routes, rejects the
/// key before it is known whether one exists.
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
/// With a list of the routes that answer without a key, admit a key without scopes though no rule says so, have no rule or no handler, do not
/// exist, are outside of the layer, reject the key for another reason than a missing scope, or have a handler that a preflight without a key
/// reaches. When the organization of the key is disabled; when a method or path is invalid; and when the service fails.
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
        let mut fault = fault_without_key(&mut service, method, path).await;
        if fault.is_none() {
            fault = fault_with_key(&mut service, method, path, key).await;
        }
        if fault.is_none() {
            fault = fault_of_preflight(&mut service, method, path).await;
        }
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
    request.headers_mut().insert(header::AUTHORIZATION, credential);
    request.extensions_mut().insert(probe.clone());
    let response = call(service, request).await;
    let is_not_found = response.status() == StatusCode::NOT_FOUND;
    match reason(&response) {
        Some(Reason::Forbidden(Forbidden::OrganizationDisabled)) => {
            panic!("the organization of the key is disabled, so no route can be checked: use a key of another one")
        }
        _ if probe.saw_no_route() => Some(
            "has no route: name one that exists. If a layer is outside of a `nest_service` or `fallback_service`, check that service by itself"
                .to_owned(),
        ),
        _ if !is_allowed(&response, method) => {
            Some("has no handler: name a method that the route has".to_owned())
        }
        Some(Reason::Forbidden(Forbidden::Undeclared)) => {
            Some("has no rule: add one to the rules of the layer".to_owned())
        }
        Some(Reason::MissingScope(_)) => None,
        Some(Reason::Forbidden(resource)) => Some(format!(
            "rejects the key as `{}`, whatever its scopes: name the path of a resource that its owner may access, so that a scope is \
             missing",
            resource.label()
        )),
        Some(reason) => Some(format!("rejects the key of the test as `{}`", reason.label())),
        None if probe.saw_any_key() && (probe.saw_route() || !is_not_found) => None,
        None if probe.saw_any_key() => Some("answers 404 to a key: name a route that exists".to_owned()),
        None => Some(format!(
            "answers {} to a key without scopes, and no rule says so: add a rule, or a `RequireScopeLayer` around the route",
            response.status().as_u16()
        )),
    }
}

async fn fault_of_preflight<S, ResBody>(service: &mut S, method: &str, path: &str) -> Option<String>
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error: fmt::Debug>,
{
    let probe = Probe::default();
    let mut request = request("OPTIONS", path);
    let headers = request.headers_mut();
    headers.insert(header::ORIGIN, HeaderValue::from_static("https://origin.example"));
    let method = HeaderValue::from_str(method).expect("a route must have a valid method");
    headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, method);
    request.extensions_mut().insert(probe.clone());
    let response = call(service, request).await;
    let is_refused = reason(&response).is_some()
        || matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    (probe.saw_preflight() && !is_refused && !answers_preflights(&response)).then(|| {
        format!(
            "answers {} to a preflight without a key: restrict its handler to methods, such as `get` instead of `any`, or add a CORS layer",
            response.status().as_u16()
        )
    })
}

/// Returns whether a response is made for preflights. One that refuses an origin names at least the headers that it depends on.
fn answers_preflights<B>(response: &Response<B>) -> bool {
    let is_cors = |name: &[u8]| name.trim_ascii().to_ascii_lowercase().starts_with(b"access-control-");
    let mut vary = response.headers().get_all(header::VARY).iter();
    response.headers().keys().any(|name| is_cors(name.as_str().as_bytes()))
        || vary.any(|line| line.as_bytes().split(|byte| *byte == b',').any(is_cors))
}

/// Returns whether the service has a handler for the method. A router names those that it has in `Allow` if it has none, also where a layer
/// rejects the request.
fn is_allowed<B>(response: &Response<B>, method: &str) -> bool {
    let is_of_router = reason(response).is_some() || response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let Some(allow) = response.headers().get(header::ALLOW).filter(|_| is_of_router) else { return true };
    allow.as_bytes().split(|byte| *byte == b',').any(|allowed| allowed.trim_ascii() == method.as_bytes())
}

fn request(method: &str, path: &str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a route must have a valid method");
    *request.uri_mut() = filled(path).parse().expect("a route must have a valid path");
    request
}

/// Replaces each parameter of a template by a text, and doubled braces by single ones.
fn filled(template: &str) -> String {
    const BRACES: [(&str, &str, &str); 2] = [("{{", "\u{1}", "{"), ("}}", "\u{2}", "}")];
    let template =
        BRACES.iter().fold(template.to_owned(), |text, (doubled, mark, _)| text.replace(doubled, mark));
    let mut path = String::new();
    let mut rest = &*template;
    while let Some((before, name_and_rest)) = rest.split_once('{') {
        let (name, after) = name_and_rest.split_once('}').unwrap_or((name_and_rest, ""));
        path.push_str(before);
        path.push_str(if name == "organization" { "test" } else { "1" });
        rest = after;
    }
    path.push_str(rest);
    BRACES.iter().fold(path, |text, (_, mark, single)| text.replace(mark, single))
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
