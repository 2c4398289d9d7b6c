//! Several authenticators in one layer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use support::probe::{Fault, Probe};
use support::{Body, Key};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::audit::AuditEvent;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::reject::{Payload, RequestHead, Respond};
use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, MemoryStore, Principal, Reason, Rejection,
    RequireScopeLayer, Source,
};

fn prefixed(prefix: &str) -> Source {
    Source::bearer().prefix(prefix).unwrap()
}

/// People present keys as Bearer or Basic, devices in two headers, of which one is Bearer as well.
async fn people_and_devices() -> ([AuthenticatorBuilder; 2], [Key; 2]) {
    let stores = [MemoryStore::new(), MemoryStore::new()];
    let person = Key::foreign("person_0123456789").insert_into(&stores[0]).await;
    let device = Key::foreign("device_0123456789").insert_into(&stores[1]).await;
    let [people, devices] = stores.map(Authenticator::builder);
    let people = people.sources([Source::basic().empty_user(), prefixed("person_")]).realm("people");
    let devices =
        devices.sources([prefixed("device_"), Source::header("device-key").unwrap()]).realm("devices");
    ([people, devices], [person, device])
}

fn layer(builders: [AuthenticatorBuilder; 2]) -> AuthenticateLayer {
    AuthenticateLayer::any_of(builders.map(|builder| builder.build().unwrap())).unwrap()
}

fn request(lines: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().uri("/");
    let request = lines.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::default()).unwrap()
}

/// Answers with the id of the key, or `anonymous`, and with the headers that are left and those of them that are not marked.
async fn describe(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let principal = request.extensions().get::<Principal>();
    let name = principal.map_or("anonymous".to_owned(), |principal| principal.key_id().to_string());
    let left = request.headers().iter().map(|(name, value)| {
        let mark = if value.is_sensitive() { "" } else { " unmarked" };
        format!("|{name}{mark}")
    });
    Ok(Response::new(Body::from(name + &left.collect::<String>())))
}

struct Answer {
    response: Response<()>,
    body: String,
}

impl Answer {
    fn status(&self) -> StatusCode {
        self.response.status()
    }

    fn reason(&self) -> &Reason {
        self.response.extensions().get::<Rejection>().unwrap().reason()
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

async fn call(layer: &AuthenticateLayer, request: Request<Body>) -> Answer {
    let response = layer.layer(service_fn(describe)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { response: Response::from_parts(parts, ()), body: String::from_utf8(body.to_vec()).unwrap() }
}

const PERSON: (&str, &str) = ("authorization", "Bearer person_0123456789");
const DEVICE: (&str, &str) = ("authorization", "Bearer device_0123456789");
const DEVICE_KEY: (&str, &str) = ("device-key", "device_0123456789");
const VARY: &str = "authorization, device-key";

#[tokio::test]
async fn each_admits_its_own_callers() {
    let (builders, [person, device]) = people_and_devices().await;
    let layer = layer(builders);
    for (line, key) in [(PERSON, &person), (DEVICE, &device), (DEVICE_KEY, &device)] {
        // A miss, and a hit.
        for _ in 0..2 {
            let answer = call(&layer, request(&[line])).await;
            assert_eq!((answer.status(), answer.body), (StatusCode::OK, format!("{}|{}", key.id(), line.0)));
            let [vary, caching] =
                ["vary", "cache-control"].map(|name| answer.response.headers()[name].to_str().unwrap());
            assert_eq!((vary, caching), (VARY, "private"));
        }
    }
}

#[tokio::test]
async fn the_owner_of_a_credential_alone_rejects_it() {
    let (builders, _) = people_and_devices().await;
    let layer = layer(builders);
    for (line, challenge) in [
        (("authorization", "Bearer person_x"), r#"Bearer realm="people", error="invalid_token""#),
        (("authorization", "Bearer device_x"), r#"Bearer realm="devices", error="invalid_token""#),
        // The key of a person, known to the other store only.
        (
            ("device-key", "person_0123456789"),
            r#"ApiKey realm="devices", header="device-key", error="invalid_token""#,
        ),
        (("authorization", "Basic @"), r#"Basic realm="people", charset="UTF-8", error="invalid_token""#),
    ] {
        let answer = call(&layer, request(&[line])).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{line:?}");
        assert_eq!(answer.all("www-authenticate"), [challenge]);
        assert_eq!(answer.all("vary"), [VARY]);
    }
}

#[tokio::test]
async fn without_a_credential_all_challenges_are_listed_basic_last() {
    let (builders, _) = people_and_devices().await;
    let layer = layer(builders);
    for line in [&[][..], &[("authorization", "Bearer eyJ")]] {
        let answer = call(&layer, request(line)).await;
        assert_eq!((answer.status(), answer.reason()), (StatusCode::UNAUTHORIZED, &Reason::Missing));
        let expected = [
            r#"Bearer realm="people""#,
            r#"Bearer realm="devices""#,
            r#"ApiKey realm="devices", header="device-key""#,
            r#"Basic realm="people", charset="UTF-8""#,
        ];
        assert_eq!(answer.all("www-authenticate"), expected);
        assert_eq!(answer.all("vary"), [VARY]);
    }
}

#[tokio::test]
async fn an_equal_challenge_is_listed_once() {
    let builders =
        ["a_", "b_"].map(|prefix| Authenticator::builder(MemoryStore::new()).sources([prefixed(prefix)]));
    let answer = call(&layer(builders), request(&[])).await;
    assert_eq!(answer.all("www-authenticate"), [r#"Bearer realm="api""#]);
}

#[tokio::test]
async fn two_credentials_are_ambiguous_however_good_they_are() {
    let (builders, _) = people_and_devices().await;
    let layer = layer(builders);
    for lines in [
        &[PERSON, DEVICE_KEY][..],
        &[DEVICE_KEY, PERSON],
        // Of one authenticator.
        &[DEVICE, DEVICE_KEY],
        &[DEVICE_KEY, DEVICE_KEY],
        &[PERSON, PERSON],
        &[PERSON, DEVICE],
        // One is bad, malformed or empty.
        &[("authorization", "Bearer person_x"), DEVICE_KEY],
        &[("authorization", "Basic @"), DEVICE_KEY],
        &[PERSON, ("device-key", "")],
        // A value that a proxy joined.
        &[("authorization", "Bearer person_0123456789, Bearer device_0123456789")],
    ] {
        let answer = call(&layer, request(lines)).await;
        assert_eq!(
            (answer.status(), answer.reason()),
            (StatusCode::BAD_REQUEST, &Reason::Ambiguous),
            "{lines:?}"
        );
        assert_eq!(answer.all("www-authenticate").len(), 4, "{lines:?}");
    }
    let beside_a_jwt = call(&layer, request(&[("authorization", "Bearer eyJ"), DEVICE_KEY])).await;
    assert_eq!(beside_a_jwt.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_outage_of_one_concerns_its_own_credentials_only() {
    let (probe, store) = (Probe::empty(), MemoryStore::new());
    let device = Key::foreign("device_0123456789").insert_into(&store).await;
    probe.set(Fault::Unavailable("gone"));
    let people = Authenticator::builder(probe.clone()).sources([Source::bearer()]);
    let devices = Authenticator::builder(store).sources([Source::header("device-key").unwrap()]);
    let layer = layer([people, devices]);
    let own = call(&layer, request(&[PERSON])).await;
    assert_eq!((own.status(), own.reason()), (StatusCode::SERVICE_UNAVAILABLE, &Reason::Unavailable));
    let other = call(&layer, request(&[DEVICE_KEY])).await;
    assert_eq!((other.status(), other.body), (StatusCode::OK, format!("{}|device-key", device.id())));
    // No fallback: the request would present two.
    assert_eq!(call(&layer, request(&[PERSON, DEVICE_KEY])).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_first_answers_what_concerns_no_single_one() {
    let (builders, _) = people_and_devices().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut names = ["people", "devices"].into_iter();
    let builders = builders.map(|builder| {
        let (name, seen) = (names.next().unwrap(), Arc::clone(&seen));
        let body = move |_: &Rejection| Payload::json(format!("{name:?}"));
        builder.respond(body).audit(move |_: &AuditEvent| seen.lock().unwrap().push(name))
    });
    let layer = layer(builders);
    for (lines, body) in [
        (&[][..], "\"people\""),
        (&[PERSON, DEVICE_KEY], "\"people\""),
        (&[("device-key", "x")], "\"devices\""),
    ] {
        assert_eq!(call(&layer, request(lines)).await.body, body, "{lines:?}");
    }
    assert_eq!(*seen.lock().unwrap(), ["people", "people", "devices"]);
}

#[tokio::test]
async fn headers_of_all_are_marked_and_stripped() {
    let (builders, [person, _]) = people_and_devices().await;
    let layer = layer(builders).optional().public("/public").unwrap().allow_preflight();
    let lines = [("authorization", "Basic @"), ("device-key", "x"), ("accept", "*/*")];
    let public = || {
        let mut public = request(&lines);
        *public.uri_mut() = "/public".parse().unwrap();
        public
    };
    assert_eq!(call(&layer, public()).await.body, "anonymous|authorization|device-key|accept unmarked");
    let mut preflight = request(&lines);
    *preflight.method_mut() = http::Method::OPTIONS;
    for name in ["origin", "access-control-request-method"] {
        preflight.headers_mut().insert(name, "x".parse().unwrap());
    }
    let answer = call(&layer, preflight).await;
    assert!(answer.body.starts_with("anonymous|authorization|device-key|"), "{}", answer.body);

    let foreign = ("authorization", "Bearer eyJ");
    assert_eq!(call(&layer, request(&[foreign])).await.body, "anonymous|authorization");
    let rejected = call(&layer, request(&[("device-key", "x")])).await;
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);

    let layer = layer.strip();
    assert_eq!(call(&layer, public()).await.body, "anonymous|accept unmarked");
    assert_eq!(call(&layer, request(&[PERSON])).await.body, person.id().to_string());
    assert_eq!(call(&layer, request(&[foreign])).await.body, "anonymous|authorization");
}

#[tokio::test]
async fn layers_inside_answer_as_the_owner_or_with_all_challenges() {
    let (builders, _) = people_and_devices().await;
    let layer = layer(builders).optional();
    let inside = RequireScopeLayer::scope("notes.read").unwrap();
    let service = layer.layer(inside.layer(service_fn(describe)));
    let response = service.clone().oneshot(request(&[DEVICE_KEY])).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with(r#"ApiKey realm="devices""#), "{challenge}");
    let response = service.oneshot(request(&[])).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers().get_all("www-authenticate").iter().count(), 4);
}

#[test]
fn authenticators_that_read_the_same_credentials_are_an_error() {
    let error = |sources: [Vec<Source>; 2]| {
        let all = sources
            .map(|sources| Authenticator::builder(MemoryStore::new()).sources(sources).build().unwrap());
        AuthenticateLayer::any_of(all).err().map(|error| {
            assert_eq!(error.kind(), ConfigErrorKind::Sources);
            error.to_string()
        })
    };
    let bearer = "authenticators are invalid: two read Bearer, each needs a prefix of its own there";
    for (one, other) in [
        (Source::bearer(), Source::bearer()),
        (Source::bearer(), prefixed("a_")),
        (prefixed("a_"), prefixed("a_")),
        (prefixed("a_"), prefixed("a_b_")),
        (prefixed("a_b_"), prefixed("a_")),
        (prefixed("a_").prefix("b_").unwrap(), prefixed("c_").prefix("b_").unwrap()),
    ] {
        assert_eq!(error([vec![Source::x_api_key(), one], vec![other]]).as_deref(), Some(bearer));
    }
    assert_eq!(error([vec![prefixed("a_")], vec![prefixed("b_")]]), None);
    assert_eq!(error([vec![Source::bearer()], vec![Source::basic(), Source::x_api_key()]]), None);
    let same = Source::header("X-Api-Key").unwrap();
    assert!(error([vec![Source::x_api_key()], vec![same]]).unwrap().contains("x-api-key"));

    let none = AuthenticateLayer::any_of([]).unwrap_err();
    assert_eq!(none.to_string(), "authenticators are invalid: at least one is required");
}

#[tokio::test]
async fn no_body_repeats_a_header_of_any_source() {
    struct Repeats;

    impl Respond for Repeats {
        fn respond(&self, _: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
            let shown = ["authorization", "device-key", "accept"]
                .into_iter()
                .filter_map(|name| request?.header(name)?.to_str().ok())
                .collect::<Vec<_>>();
            Payload::json(shown.concat())
        }
    }
    let (builders, _) = people_and_devices().await;
    let layer = layer(builders.map(|builder| builder.respond(Repeats)));
    for lines in [&[PERSON, DEVICE_KEY][..], &[("device-key", "x"), ("authorization", "Bearer eyJ")]] {
        let answer = call(&layer, request(&[lines, &[("accept", "*/*")]].concat())).await;
        assert!(answer.status().is_client_error());
        assert_eq!(answer.body, "*/*", "{lines:?}");
    }
}
