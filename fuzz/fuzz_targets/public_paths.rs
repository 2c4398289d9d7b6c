//! The paths that the layer opens, compared with axum's routing: without a key, a request never reaches a handler that is not
//! declared public, wherever the layer is applied.

#![no_main]

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::{MethodRouter, get};
use http::{Request, Response, StatusCode, Uri};
use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service, ServiceExt};
use tower_api_key::authenticate::Authenticate;
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};

/// The paths declared public. Each has a route of its own below; all other routes are protected.
const EXACT: [&str; 5] = ["/", "/health", "/files/readme", "/api/health", "/api/v2/status"];
const PREFIXES: [&str; 3] = ["/docs", "/static", "/api/open"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Public,
    Protected,
}

/// The positions of a layer.
struct Apps {
    around: Authenticate<Router>,
    inside: Router,
    nested: Router,
    nested_twice: Router,
    nested_service: Router,
}

thread_local! {
    static APPS: Apps = Apps::new(&layer());
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(target) = Uri::try_from(data) else { return Corpus::Reject };
    APPS.with(|apps| apps.check(&target));
    Corpus::Keep
});

fn layer() -> AuthenticateLayer {
    let authenticator = Authenticator::builder(MemoryStore::new()).build().expect("an authenticator");
    let layer = AuthenticateLayer::new(authenticator);
    let layer = EXACT.iter().fold(layer, |layer, path| layer.public(path).expect("a public path"));
    PREFIXES.iter().fold(layer, |layer, prefix| layer.public_prefix(prefix).expect("a public prefix"))
}

fn handler(area: Area) -> MethodRouter {
    get(async move || Extension(area))
}

fn routes(area: Area, paths: &[&str]) -> Router {
    paths.iter().fold(Router::new(), |router, path| router.route(path, handler(area)))
}

fn top() -> Router {
    let docs = ["/docs", "/docs/", "/docs/{*rest}", "/static", "/static/", "/static/{*rest}"];
    let near =
        ["/{name}", "/Health", "/health/", "/health/{*rest}", "/docs-internal", "/docs-internal/{*rest}"];
    routes(Area::Public, &["/", "/health", "/files/readme"])
        .merge(routes(Area::Public, &docs))
        .merge(routes(Area::Protected, &near))
        .merge(routes(Area::Protected, &["/files/{*path}", "/v1/{id}"]))
}

fn api() -> Router {
    routes(Area::Public, &["/health", "/open", "/open/", "/open/{*rest}"])
        .merge(routes(Area::Protected, &["/", "/{name}", "/keys/{id}"]))
        .nest("/v2", v2())
}

fn v2() -> Router {
    routes(Area::Public, &["/status"]).merge(routes(Area::Protected, &["/", "/{*rest}"]))
}

/// Routes that look public in the remaining path alone.
fn inner() -> Router {
    let decoys =
        ["/", "/health", "/docs", "/docs/{*rest}", "/files/readme", "/api/health", "/api/open/{*rest}"];
    routes(Area::Protected, &decoys)
}

impl Apps {
    fn new(layer: &AuthenticateLayer) -> Self {
        let whole = || {
            let nested = top().nest("/api", api()).nest("/inner", inner());
            nested.fallback_service(handler(Area::Protected))
        };
        let layer = || layer.clone();
        let nested = Router::new().nest("/api", api().layer(layer())).nest("/inner", inner().layer(layer()));
        let v2 = Router::new().nest("/v2", v2().layer(layer()));
        let services = Router::new().nest_service("/api", layer().layer(api()));
        Self {
            around: layer().layer(whole()),
            inside: whole().layer(layer()),
            nested,
            nested_twice: Router::new().nest("/api", v2),
            nested_service: services.nest_service("/inner", layer().layer(inner())),
        }
    }

    fn check(&self, target: &Uri) {
        let path = target.path();
        let expected = is_declared(path).then_some(Area::Public);
        assert_eq!(reached(&self.around, target), expected, "{path:?}, around the router");
        assert_eq!(reached(&self.inside, target), expected, "{path:?}, inside the router");

        let (api, v2) = (path.starts_with("/api/"), path.starts_with("/api/v2/"));
        let nested = expected.filter(|_| api);
        assert_eq!(reached(&self.nested, target), nested, "{path:?}, nested");
        assert_eq!(reached(&self.nested_service, target), nested, "{path:?}, nested as a service");
        assert_eq!(reached(&self.nested_twice, target), expected.filter(|_| v2), "{path:?}, nested twice");

        if expected.is_some() {
            assert_eq!(cleaned(path), path.trim_end_matches('/'), "read in two ways");
        }
    }
}

/// Returns the kind of handler that a request without a key reaches.
fn reached<S>(app: &S, target: &Uri) -> Option<Area>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let request = Request::get(target.clone()).body(Body::empty()).expect("a request");
    let response = RUNTIME.with(|runtime| runtime.block_on(app.clone().oneshot(request)));
    let response = response.unwrap_or_else(|never| match never {});
    let area = response.extensions().get().copied();
    let turned_away = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND);
    assert_eq!(area.is_none(), turned_away, "{}", response.status());
    area
}

/// Returns whether a path is declared public and has no part with an ambiguous reading.
fn is_declared(path: &str) -> bool {
    let suspicious = |byte: u8| !(b'!'..=b'~').contains(&byte) || b"%;\\?#".contains(&byte);
    let Some(segments) = path.strip_prefix('/') else { return false };
    let (directories, last) = segments.rsplit_once('/').unwrap_or(("x", segments));
    let is_dots = |name: &str| name == "." || name == "..";
    let empty_or_dots = directories.split('/').any(|name| name.is_empty() || is_dots(name));
    if path.bytes().any(suspicious) || empty_or_dots || is_dots(last) {
        return false;
    }
    EXACT.contains(&path)
        || PREFIXES.iter().any(|prefix| path == *prefix || path.starts_with(&format!("{prefix}/")))
}

/// Returns the path as a server reads it that decodes it, drops parameters, takes `\` for `/`, and resolves `.`, `..` and `//`.
fn cleaned(path: &str) -> String {
    let mut bytes = path.as_bytes().to_vec();
    while let Some(place) = bytes.windows(3).position(|three| hex(three).is_some()) {
        let byte = hex(&bytes[place..place + 3]).unwrap_or_default();
        bytes.splice(place..place + 3, [byte]);
    }
    let text = String::from_utf8_lossy(&bytes).replace('\\', "/");
    let mut names: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment.split([';', '?', '#', '\0']).next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.iter().map(|name| format!("/{name}")).collect()
}

/// Decodes `%` and two hexadecimal digits.
fn hex(three: &[u8]) -> Option<u8> {
    let digits = three.strip_prefix(b"%").and_then(|digits| std::str::from_utf8(digits).ok())?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}
