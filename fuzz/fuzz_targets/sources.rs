//! Header maps against several sets of sources: no credential, one, or several, in any order of lines.

#![no_main]

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::credential::{CredentialErrorKind, Sources};
use tower_api_key::reject::{Reason, Rejection};
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};
use tower_api_key_fuzz::credential::Pair;
use tower_api_key_fuzz::sources::{At, Line, Place, Presented, authorization, presented};

const BEARER: Place = Place::any(At::Bearer);
const BASIC: Place = Place::any(At::Basic);
const X_API_KEY: Place = Place::any(At::Header("x-api-key"));

/// The sets of sources. The input begins with the number of one.
const SETS: [&[Place]; 7] = [
    &[BEARER, X_API_KEY],
    &[BEARER, BASIC, X_API_KEY, Place::any(At::Header("memfault-project-key"))],
    &[X_API_KEY, Place { empty_user: true, ..BASIC }],
    &[Place { formats: &["demo"], foreign: false, ..BEARER }, Place { formats: &["mem", "demo"], ..BASIC }],
    &[Place::any(At::Header("device-key")), Place { formats: &["demo"], ..X_API_KEY }],
    &[Place::any(At::Header("x_api_key"))],
    &[Place { formats: &["mem", "mem_pool"], foreign: false, ..BEARER }],
];

/// One set of sources, alone and in a layer.
struct World {
    places: &'static [Place],
    sources: Sources,
    layer: AuthenticateLayer,
    stripping: AuthenticateLayer,
}

/// The headers that the inner service received.
#[derive(Clone)]
struct Seen(HeaderMap);

thread_local! {
    static WORLDS: [World; 7] = SETS.map(World::new);
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((choice, text)) = data.split_first() else { return Corpus::Reject };
    let lines: Vec<Line> = text.split(|&byte| byte == b'\n').filter_map(line).collect();
    let number = usize::from(choice.wrapping_sub(b'0')) % SETS.len();
    WORLDS.with(|worlds| worlds[number].check(&lines));
    Corpus::Keep
});

/// Parses `name:value`.
fn line(text: &[u8]) -> Option<Line> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&text[..colon]).ok()?;
    let value = HeaderValue::from_bytes(&text[colon + 1..]).ok()?;
    Some((name.as_str().to_owned(), value.as_bytes().to_vec()))
}

fn headers<'l>(lines: impl IntoIterator<Item = &'l Line>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    headers
}

impl World {
    fn new(places: &'static [Place]) -> Self {
        let sources = || places.iter().map(Place::source);
        let authenticator =
            Authenticator::builder(MemoryStore::new()).sources(sources()).negative_capacity(0);
        // The long deadline keeps a busy machine from causing findings.
        let authenticator = authenticator.deadline(std::time::Duration::from_secs(60)).build();
        let layer = AuthenticateLayer::new(authenticator.expect("an authenticator"));
        let layer = layer.public("/public").expect("a public path").optional();
        let stripping = layer.clone().strip();
        Self { places, sources: Sources::new(sources()).expect("different sources"), layer, stripping }
    }

    fn check(&self, lines: &[Line]) {
        let expected = presented(self.places, lines);
        self.extracts(&headers(lines), &expected);
        self.extracts(&headers(lines.iter().rev()), &expected);

        let headers = headers(lines);
        self.decides(&headers, &expected);
        self.marks(&headers);
        self.strips(&headers);
    }

    fn extracts(&self, headers: &HeaderMap, expected: &Presented) {
        let found = self.sources.extract(headers, |credential| Pair {
            user: credential.user().map(str::to_owned),
            secret: credential.expose_secret().to_vec(),
        });
        let found = found.map_err(|error| error.kind());
        let expected = match expected {
            Presented::Nothing => Ok(None),
            Presented::Several => Err(CredentialErrorKind::Ambiguous),
            Presented::Malformed(_) => Err(CredentialErrorKind::Malformed),
            Presented::Credential(_, pair) => Ok(Some(pair.clone())),
        };
        assert_eq!(found, expected);
    }

    /// Checks that the middleware agrees, and answers to the source that was used. Its store is empty.
    fn decides(&self, headers: &HeaderMap, expected: &Presented) {
        let response = call(&self.layer, "/", headers);
        let rejection = response.extensions().get::<Rejection>();
        let reason = rejection.map(Rejection::reason);
        let position = match expected {
            Presented::Nothing => return assert_eq!(reason, None),
            Presented::Several => return assert_eq!(reason, Some(&Reason::Ambiguous)),
            Presented::Malformed(position) => {
                assert_eq!(reason, Some(&Reason::Malformed));
                position
            }
            Presented::Credential(position, _) => {
                assert_eq!(reason, Some(&Reason::Unknown));
                position
            }
        };
        let scheme = rejection.and_then(Rejection::scheme).expect("the scheme that was presented");
        assert!(self.places[*position].has_scheme(scheme), "{scheme}");
    }

    /// Checks that possible credentials are marked as sensitive, and otherwise unchanged.
    fn marks(&self, sent: &HeaderMap) {
        let seen = seen(&self.layer, sent);
        assert_eq!(&seen, sent);
        for (name, value) in &seen {
            assert_eq!(value.is_sensitive(), name == "authorization" || self.is_named(name), "{name}");
        }
    }

    /// Checks that credentials are removed, and all other headers kept.
    fn strips(&self, sent: &HeaderMap) {
        let reads = |value: &&HeaderValue| authorization(self.places, value.as_bytes()).0.is_some();
        let mut expected = sent.clone();
        expected.remove("authorization");
        for value in sent.get_all("authorization").iter().filter(|value| !reads(value)) {
            expected.append("authorization", value.clone());
        }
        for name in sent.keys().filter(|name| self.is_named(name)) {
            expected.remove(name);
        }
        assert_eq!(seen(&self.stripping, sent), expected);
    }

    fn is_named(&self, name: &HeaderName) -> bool {
        self.places.iter().any(|place| matches!(place.at, At::Header(own) if own == name.as_str()))
    }
}

/// Returns the headers that the inner service receives on a public path.
fn seen(layer: &AuthenticateLayer, sent: &HeaderMap) -> HeaderMap {
    let response = call(layer, "/public", sent);
    response.extensions().get::<Seen>().expect("an answer of the inner service").0.clone()
}

fn call(layer: &AuthenticateLayer, path: &'static str, headers: &HeaderMap) -> Response<Body> {
    let service = layer.layer(service_fn(async |request: Request<Body>| {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Seen(request.into_parts().0.headers));
        Ok::<_, Infallible>(response)
    }));
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    *request.headers_mut() = headers.clone();
    RUNTIME.with(|runtime| runtime.block_on(service.oneshot(request))).unwrap_or_else(|never| match never {})
}
