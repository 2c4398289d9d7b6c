//! The lines that tower-http's `TraceLayer` writes around the layer, with the headers of requests.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use support::captured::Log;
use support::{authenticator, build};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::credential::Source;
use tower_api_key::{AuthenticateLayer, Authenticator, MarkSensitiveLayer, MemoryStore};
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

type Body = Full<Bytes>;

/// The same for each scheme, so that a line that shows it can be found.
const SECRET: &str = "c2VjcmV0OnNlY3JldA";

async fn lines<S>(service: S, log: &Log, header: (&str, &str)) -> String
where
    S: Service<Request<Body>, Error: std::fmt::Debug> + Clone,
{
    let request = Request::builder().header(header.0, header.1).header("x-request-id", "request-7");
    service.oneshot(request.body(Body::default()).unwrap()).await.expect("a response");
    log.lines().concat()
}

/// One test: each callsite of tower-http belongs to the subscriber of this thread.
#[tokio::test]
async fn a_trace_outside_the_layer_shows_whole_keys_unless_they_are_marked_outside_of_it() {
    let sources = [
        Source::bearer(),
        Source::basic(),
        Source::x_api_key(),
        Source::memfault_project_key(),
        Source::header("Device-Key").unwrap(),
    ];
    let (authenticator, _) = build(Authenticator::builder(MemoryStore::new()).sources(sources));
    let trace = || {
        TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::INFO).include_headers(true))
            .on_response(DefaultOnResponse::new().level(Level::INFO))
    };
    let inner = || {
        service_fn(async |_: Request<Body>| Ok::<_, std::convert::Infallible>(Response::new(Body::default())))
    };
    let layer = AuthenticateLayer::new(authenticator.clone());
    let unmarked = ServiceBuilder::new().layer(trace()).layer(layer.clone()).service(inner());
    let marked = ServiceBuilder::new()
        .layer(MarkSensitiveLayer::new(&authenticator))
        .layer(trace())
        .layer(layer)
        .service(inner());

    let (log, _guard) = Log::begin();
    for (name, scheme) in [
        ("authorization", "Bearer "),
        ("Authorization", "Basic "),
        ("authorization", "Digest "),
        ("x-api-key", ""),
        ("Memfault-Project-Key", ""),
        ("device-key", ""),
    ] {
        let value = format!("{scheme}{SECRET}");
        let shown = lines(unmarked.clone(), &log, (name, &value)).await;
        assert!(shown.contains(&value), "the trace shows headers: {shown}");
        let hidden = lines(marked.clone(), &log, (name, &value)).await;
        assert!(!hidden.contains(SECRET), "{hidden}");
        assert!(hidden.contains("Sensitive") && hidden.contains("request-7"), "{hidden}");
    }
}

#[tokio::test]
async fn a_header_of_several_lines_is_marked_as_a_whole() {
    let (authenticator, _) = authenticator(MemoryStore::new());
    let service = ServiceBuilder::new()
        .layer(MarkSensitiveLayer::new(&authenticator))
        .service(service_fn(async |request: Request<()>| Ok::<_, std::convert::Infallible>(request)));
    let request = Request::builder().header("x-api-key", "a").header("x-api-key", "b").header("cookie", "c");
    let request = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let marked = |name| request.headers().get_all(name).iter().all(http::HeaderValue::is_sensitive);
    assert!(marked("x-api-key"));
    assert!(!marked("cookie"), "cookies are left to the application");
}
