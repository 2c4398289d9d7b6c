//! Cases that need no socket, or cannot use one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};
use tower_api_key::credential::{Credential, Source, Sources};
use tower_api_key::key::KeyId;
use tower_api_key::{Principal, test_util};

use crate::conformance::answer::Answer;
use crate::conformance::cases::Case;
use crate::conformance::message::Message;
use crate::conformance::run::Outcome;
use crate::conformance::world::{Visits, World, layer};

pub(crate) async fn run(case: &Case, world: World) -> Outcome {
    let request = case.request.as_ref().expect("a request");
    let message = Message::new(request, &world.fixtures);
    match case.id.as_str() {
        "P01" | "P02" => {
            let extracted = Some(extract_basic(encoded(&message).headers()));
            Outcome { extracted, ..Outcome::of(world, Vec::new()) }
        }
        "S01" => {
            assert_eq!(world.config.inner.as_deref(), Some("ReadyChecked"));
            let answer = serve(&world, encoded(&message)).await;
            Outcome::of(world, vec![answer])
        }
        "S02" => {
            let wanted = BTreeMap::from([("Principal".to_owned(), "forged".to_owned())]);
            assert_eq!(request.extensions.as_ref(), Some(&wanted));
            let public = Message::plain("GET", &world.config.public[0]);
            assert_eq!(serve(&world, forged(encoded(&public))).await.key_id(), None);
            let answer = serve(&world, forged(encoded(&message))).await;
            Outcome::of(world, vec![answer])
        }
        other => panic!("no case {other} in process"),
    }
}

fn extract_basic(headers: &HeaderMap) -> Vec<String> {
    let sources = Sources::new([Source::basic()]).unwrap();
    let pair = |credential: Credential<'_>| {
        let password = String::from_utf8(credential.expose_secret().to_vec()).unwrap();
        vec![credential.user().expect("a user").to_owned(), password]
    };
    sources.extract(headers, pair).unwrap().expect("a credential")
}

fn encoded(message: &Message) -> Request<Body> {
    let path = std::str::from_utf8(&message.path).unwrap();
    let mut request =
        Request::builder().method(message.method.as_str()).uri(path).body(Body::empty()).unwrap();
    for (name, value) in &message.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    request
}

/// Adds a principal to a request, as an outer layer might.
fn forged(mut request: Request<Body>) -> Request<Body> {
    let principal = test_util::principal(|record| record.id = KeyId::new("forged").unwrap());
    request.extensions_mut().insert(principal);
    request
}

/// Passes a request through the layer to a service that requires `poll_ready`.
async fn serve(world: &World, request: Request<Body>) -> Answer {
    let inner = ReadyChecked { visits: world.visits.clone(), is_ready: false };
    let layer = layer(&world.authenticator, &world.config).unwrap();
    let response = layer.layer(ConcurrencyLimit::new(inner, 1)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        interim: Vec::new(),
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
        end_stream_on_headers: None,
        took: Duration::ZERO,
    }
}

/// A service that panics when it is called without being ready, and answers with the id of the key.
struct ReadyChecked {
    visits: Visits,
    is_ready: bool,
}

/// Only the polled instance is ready.
impl Clone for ReadyChecked {
    fn clone(&self) -> Self {
        Self { visits: self.visits.clone(), is_ready: false }
    }
}

impl Service<Request<Body>> for ReadyChecked {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(mem::take(&mut self.is_ready), "called before it was ready");
        self.visits.note(request.headers().clone());
        let id = request.extensions().get::<Principal>().map(|principal| principal.key_id().to_string());
        ready(Ok(Response::new(Body::from(id.unwrap_or_default()))))
    }
}
