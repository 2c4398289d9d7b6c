//! A service behind the middlewares, whose handler notes each request in full.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_api_key::authenticate::Authenticate;
use tower_api_key::require_scope::RequireScope;
use tower_api_key::{AuthenticateLayer, Principal, Rejection, RequireScopeLayer, Requirement};

use crate::secrecy::transcript::{PLANNED, Transcript};

/// A header that presents a credential.
pub(crate) type Presentation = (&'static str, HeaderValue);

pub(crate) type Protected = Authenticate<RequireScope<Handler>>;

/// The path of a handler that panics.
pub(crate) const PANIC: &str = "/panic";

#[derive(Clone)]
pub(crate) struct Handler(Transcript);

impl Handler {
    pub(crate) fn noting_in(transcript: &Transcript) -> Self {
        Self(transcript.clone())
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handler")
    }
}

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.0.debug("handler", &request.headers());
        self.0.debug("handler", &request.extensions());
        self.0.debug("handler", &request.extensions().get::<Principal>());
        if request.uri().path() == PANIC {
            panic!("{PLANNED} over {request:?}");
        }
        ready(Ok(Response::default()))
    }
}

pub(crate) fn protect(transcript: &Transcript, layer: &AuthenticateLayer) -> Protected {
    let requirement = Requirement::all_of(["notes.read"]).unwrap();
    let service = layer.layer(RequireScopeLayer::new(requirement).layer(Handler::noting_in(transcript)));
    transcript.debug("service", &service);
    service
}

/// Sends a request that presents these credentials, and notes the response in full.
pub(crate) async fn send(
    transcript: &Transcript,
    service: &Protected,
    content_type: &'static str,
    path: &str,
    presented: &[Presentation],
) {
    let mut request = Request::post(path).body(Full::from("a body")).unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    *request.version_mut() = http::Version::HTTP_2;
    for (name, value) in presented {
        request.headers_mut().append(*name, value.clone());
    }
    let (mut service, noted) = (service.clone(), transcript.clone());
    // In a task of its own, as in a server, so that a panic ends there.
    let task = tokio::spawn(async move {
        let call = service.ready().await.unwrap().call(request);
        noted.debug("future", &call);
        call.await
    });
    match task.await {
        Ok(response) => note_response(transcript, response.unwrap()).await,
        Err(panic) => transcript.error("end of a task", &panic),
    }
}

async fn note_response(transcript: &Transcript, response: Response<Full<Bytes>>) {
    transcript.debug("response", &response);
    let (parts, body) = response.into_parts();
    transcript.note("response", parts.status);
    transcript.note("response", spelled_out(&parts.headers));
    if let Some(rejection) = parts.extensions.get::<Rejection>() {
        transcript.error("rejection", rejection);
    }
    let body = body.collect().await.unwrap().to_bytes();
    transcript.note("response", String::from_utf8_lossy(&body));
}

/// Writes headers as they go over the wire, sensitive or not.
fn spelled_out(headers: &HeaderMap) -> String {
    let line =
        |(name, value): (_, &HeaderValue)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(line).collect()
}
