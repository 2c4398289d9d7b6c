//! Responses that are no pages of keys: problems, the base, the style and the script.

// Layer 10 of 10: rim.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, OriginalUri, RawQuery, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, FORWARDED, HOST, VIA};
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::ProtectionError;

use super::look::SCRIPT;
use super::page::{Problem, redirect, respond, root};
use super::shared::{Shared, SharedState};
use crate::trace::{self, Once};

/// Most slashes of the path of a page.
const DEEPEST: usize = 4;

/// Headers that proxies add.
const OF_PROXIES: [HeaderName; 6] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// Writes the page of a problem, within the frame of the console.
pub(super) async fn frame<S: Send + Sync + 'static>(
    State(shared): State<Arc<Shared<S>>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(host) = &shared.only_local
        && !is_local(&request, host)
    {
        let text = "In development, these pages are for the browser of the machine that serves them, at the address that it prints.";
        let problem = Problem::new(StatusCode::FORBIDDEN, "These pages are in development", text);
        return problem.as_text();
    }
    let path = request.uri().path();
    // No page is as deep: a relative path to the base would multiply the path.
    let root = (path.matches('/').count() <= DEEPEST).then(|| root(path));
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    let Some(root) = root else { return problem.as_text() };
    let shell = shared.shell(root);
    let mut page = problem.render(shell);
    if let Some(methods) = response.headers().get(ALLOW) {
        page.headers_mut().insert(ALLOW, methods.clone());
    }
    page
}

/// Returns whether a request comes from this machine, and from a page of it: another site may have its name resolved to this address.
fn is_local(request: &Request, host: &str) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // Proxies that name no client speak HTTP/1.0, as nginx does by default; browsers do not.
    let is_forwarded = request.version() < Version::HTTP_11
        || OF_PROXIES.iter().any(|name| request.headers().contains_key(name));
    let mut named = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let names =
        authority.or_else(|| named.next()).is_some_and(|named| named.eq_ignore_ascii_case(host.as_bytes()));
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback()) && !is_forwarded && names
}

/// Redirects from the base to the list.
pub(super) async fn home(OriginalUri(base): OriginalUri) -> Response {
    match base.path().rsplit('/').next() {
        None | Some("") => redirect("./keys"),
        Some(last) => redirect(&format!("./{last}/keys")),
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "No such page", "The link may be incomplete.")
}

/// Responds to other methods of a page. The router adds the `Allow` header.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This page takes no such request", "Go back to the keys.")
}

/// Responds to a form that a page of another origin sends. So does each form look behind a proxy that changes `Host`: the operator is told once.
pub(super) fn cross_origin() -> impl FnMut(ProtectionError) -> Response + Clone {
    let reported = Arc::new(Once::new());
    move |error| {
        if reported.is_first() {
            trace::cross_origin_form(&error);
        }
        other_origin().into_response()
    }
}

fn other_origin() -> Problem {
    let text = "It came from a page of another site. Open the keys in a tab of their own, and make the change there.";
    Problem::new(StatusCode::FORBIDDEN, "The change was not made", text)
}

pub(super) async fn style<S>(State(shared): SharedState<S>, RawQuery(query): RawQuery) -> Response {
    asset("text/css; charset=utf-8", shared.style.clone(), &shared, &query)
}

pub(super) async fn script<S>(State(shared): SharedState<S>, RawQuery(query): RawQuery) -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT.to_owned(), &shared, &query)
}

/// Returns a file whose address changes with its content. During a deployment, a node with another version may be asked for it: browsers keep only
/// what the address names.
fn asset<S>(
    content_type: &'static str,
    text: String,
    shared: &Shared<S>,
    query: &Option<String>,
) -> Response {
    let mut response = respond(StatusCode::OK, content_type, text);
    if query.as_deref().and_then(|query| query.strip_prefix("v=")) != Some(&*shared.version) {
        return response;
    }
    let value = HeaderValue::from_static("private, max-age=604800, immutable");
    response.headers_mut().insert(CACHE_CONTROL, value);
    response
}
