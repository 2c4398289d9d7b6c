//! Requests with every kind of credential, over every protocol, through every variant of the layer.

use std::slice::from_ref;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request};
use tower_api_key::audit::TracingAudit;
use tower_api_key::credential::Source;
use tower_api_key::key::KeyFormat;
use tower_api_key::reject::{Payload, Problem, Reason};
use tower_api_key::{AuthenticateLayer, Authenticator, Environment, MemoryStore, Rejection};

use crate::secrecy::keys::{EMAIL, FOREIGN, INTRUDER, Keys, SESSION, STRAY};
use crate::secrecy::service::{self, PANIC, Presentation};
use crate::secrecy::transcript::Transcript;

const PROTOCOLS: [&str; 3] = ["application/json", "application/grpc", "application/grpc-web-text"];

pub(crate) async fn send(transcript: &Transcript, keys: &Keys) {
    let store = keys.store_in(MemoryStore::new()).await;
    transcript.debug("store", &store);
    for layer in layers(&store, keys) {
        transcript.debug("layer", &layer);
        let service = service::protect(transcript, &layer);
        for content_type in PROTOCOLS {
            for presented in presentations(keys) {
                // Twice: the second answer comes from the cache.
                for _ in 0..2 {
                    service::send(transcript, &service, content_type, "/notes", from_ref(&presented)).await;
                }
            }
            for presented in ambiguous(keys) {
                service::send(transcript, &service, content_type, "/notes", &presented).await;
            }
            let in_the_path = format!("/notes/{}?key={0}", keys.good.text.as_str());
            service::send(transcript, &service, content_type, &in_the_path, &[]).await;
            let good = keys.good.text.as_str();
            for presented in
                [bearer(good), named("x-api-key", good), basic(EMAIL, keys.personal.text.as_str())]
            {
                service::send(transcript, &service, content_type, PANIC, &[presented]).await;
            }
        }
    }
    answer_by_hand(transcript);
}

/// Layers that cover each way to respond and to forward requests.
fn layers(store: &MemoryStore, keys: &Keys) -> Vec<AuthenticateLayer> {
    let builder = || {
        Authenticator::builder(store.clone())
            .digester(keys.digester.clone())
            .environment(Environment::Live)
            .sources(sources())
            .audit(TracingAudit)
    };
    let write_all = |rejection: &Rejection| Payload::json(format!("{rejection:?} {rejection}"));
    let layer = |builder: tower_api_key::AuthenticatorBuilder| {
        AuthenticateLayer::new(builder.build().unwrap()).grpc()
    };
    vec![
        layer(builder()),
        layer(builder().respond(Problem)).optional(),
        layer(builder().respond(write_all)).strip().allow_preflight(),
    ]
}

/// Every kind of source.
pub(crate) fn sources() -> [Source; 4] {
    let format = KeyFormat::new("demo").unwrap();
    [
        Source::bearer().format(format.clone()),
        Source::basic().empty_user(),
        Source::x_api_key(),
        Source::header("Device-Key").unwrap().format(format).foreign(),
    ]
}

/// Every way to present one credential, valid and invalid.
pub(crate) fn presentations(keys: &Keys) -> Vec<Presentation> {
    let good = keys.good.text.as_str();
    let all = [
        &keys.good,
        &keys.powerless,
        &keys.personal,
        &keys.expired,
        &keys.revoked,
        &keys.test,
        &keys.basic_only,
        &keys.unknown,
    ];
    let mut presentations = Vec::new();
    for text in all.map(|minted| minted.text.as_str()) {
        presentations.extend([
            bearer(text),
            named("x-api-key", text),
            named("device-key", text),
            basic(EMAIL, text),
            basic(INTRUDER, text),
            basic("", text),
        ]);
    }
    for text in [FOREIGN, STRAY] {
        presentations.extend([
            bearer(text),
            named("x-api-key", text),
            named("device-key", text),
            basic(EMAIL, text),
        ]);
    }
    let malformed = [
        format!("Bearer {good}x"),
        format!("Bearer {}", &good[..good.len() - 1]),
        format!("Bearer {good} {good}"),
        format!("Bearer {good},{STRAY}"),
        format!("Bearer\t{good}"),
        format!("Bearer {good}é"),
        format!("Bearer {}", good.repeat(20)),
        format!("Basic {good}"),
        format!("Basic {}", STANDARD.encode(good)),
        format!(
            "Basic {}",
            STANDARD.encode(format!("{EMAIL}:{good}")).trim_end_matches('=').to_owned() + "A"
        ),
        format!("Basic {}", STANDARD.encode(format!("{EMAIL}:{}", good.repeat(20)))),
        format!("{good} {good}"),
        good.to_owned(),
    ];
    let bytes = |text: &String| HeaderValue::from_bytes(text.as_bytes()).unwrap();
    for text in &malformed {
        presentations.extend(["authorization", "x-api-key", "device-key"].map(|name| (name, bytes(text))));
    }
    presentations
}

/// Several credentials at once, and headers that are not read.
fn ambiguous(keys: &Keys) -> Vec<Vec<Presentation>> {
    let good = keys.good.text.as_str();
    vec![
        vec![bearer(good), bearer(good)],
        vec![bearer(good), named("x-api-key", STRAY)],
        vec![basic(INTRUDER, good), bearer(FOREIGN)],
        vec![named("x-api-key", good), named("x-api-key", "")],
        vec![bearer(&format!("{good}x")), named("cookie", SESSION), named("proxy-authorization", SESSION)],
        vec![named("cookie", SESSION), named("x-api-key", keys.revoked.text.as_str())],
        vec![named("authorization", &format!("Digest {SESSION}")), named("x-api-key", STRAY)],
    ]
}

fn bearer(text: &str) -> Presentation {
    named("authorization", &format!("Bearer {text}"))
}

fn basic(user: &str, text: &str) -> Presentation {
    named("authorization", &format!("Basic {}", STANDARD.encode(format!("{user}:{text}"))))
}

fn named(name: &'static str, value: &str) -> Presentation {
    (name, HeaderValue::from_str(value).unwrap())
}

/// The responses that frameworks create from a rejection.
fn answer_by_hand(transcript: &Transcript) {
    use axum::extract::FromRequestParts;
    use axum::response::IntoResponse;

    for reason in [Reason::Missing, Reason::Unknown, Reason::Unavailable, Reason::NotAuthenticated] {
        let rejection = Rejection::new(reason);
        let status = tonic::Status::from(rejection.clone());
        transcript.error("tonic status", &status);
        transcript.debug("response", &rejection.into_response());
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    let extracted = output_of(tower_api_key::Principal::from_request_parts(&mut parts, &()));
    let rejection = extracted.unwrap_err();
    transcript.debug("extractor's rejection", &rejection);
    transcript.debug("response", &rejection.into_response());
}

/// Polls a future once.
fn output_of<F: Future>(future: F) -> F::Output {
    use std::task::{Context, Poll, Waker};

    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("it only reads the extensions"),
    }
}
