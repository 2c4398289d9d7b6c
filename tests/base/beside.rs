//! Keys beside other credentials in the same headers.

use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use proptest::prelude::*;
use support::{Body, Key};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::credential::{Credential, CredentialErrorKind, Source, Sources};
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Principal, Reason};

const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";

fn bearer() -> Source {
    Source::bearer().prefix("demo_").unwrap()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

type Extracted = Result<Option<Vec<u8>>, CredentialErrorKind>;

fn extract(sources: &Sources, lines: &[(&str, &str)]) -> Extracted {
    let secret = |credential: Credential<'_>| credential.expose_secret().to_vec();
    sources.extract(&headers(lines), secret).map_err(|error| error.kind())
}

const NONE: Extracted = Ok(None);
const AMBIGUOUS: Extracted = Err(CredentialErrorKind::Ambiguous);
const MALFORMED: Extracted = Err(CredentialErrorKind::Malformed);

fn found(secret: &str) -> Extracted {
    Ok(Some(secret.as_bytes().to_vec()))
}

#[test]
fn a_credential_without_the_prefix_does_not_count() {
    let sources = Sources::new([bearer(), Source::x_api_key()]).unwrap();
    let jwt = format!("Bearer {JWT}");
    assert_eq!(extract(&sources, &[("authorization", &jwt)]), NONE);
    assert_eq!(extract(&sources, &[("authorization", &jwt), ("x-api-key", "abc")]), found("abc"));
    assert_eq!(extract(&sources, &[("x-api-key", "abc"), ("authorization", &jwt)]), found("abc"));
    assert_eq!(extract(&sources, &[("authorization", "Bearer demo_1")]), found("demo_1"));
    // Longer than any key, in another grammar, or none at all.
    let long = format!("Bearer {}", "e".repeat(4000));
    for other in
        [&*long, "Bearer 1|secret", "Bearer", "Bearer ", "bearer DEMO_1", "Bearer xdemo_1", "Bearer demo-1"]
    {
        assert_eq!(extract(&sources, &[("authorization", other)]), NONE, "{other:?}");
    }
}

#[test]
fn a_credential_with_the_prefix_counts_whatever_follows() {
    let sources =
        Sources::new([bearer().format(KeyFormat::new("demo").unwrap()), Source::x_api_key()]).unwrap();
    for own in
        ["Bearer demo_", "Bearer demo_1", "bearer  demo_1!", "Bearer demo_1, demo_2", "Bearer demo_\u{e9}"]
    {
        assert_eq!(extract(&sources, &[("authorization", own)]), MALFORMED, "{own:?}");
        assert_eq!(extract(&sources, &[("authorization", own), ("x-api-key", "abc")]), AMBIGUOUS, "{own:?}");
    }
}

#[test]
fn a_value_that_readers_could_take_apart_differently_counts() {
    let sources = Sources::new([bearer(), Source::x_api_key()]).unwrap();
    for own in [
        // Two values that a proxy has joined, in either order.
        &*format!("Bearer {JWT}, Bearer demo_1"),
        &format!("Bearer {JWT},demo_1"),
        "Bearer \"demo_1\"",
        "Bearer x;demo_1",
        "Bearer token=demo_1",
        "Bearer <demo_1>",
        "Bearer x|demo_1",
        // Joined values of which the first has another scheme.
        "DPoP x, Bearer demo_1",
        ", Bearer demo_1",
        "\u{a0}Bearer demo_1",
        "\"Bearer demo_1\"",
        "Bearer \tdemo_1",
        "Bearer \u{a0}demo_1",
        // No space ends the scheme.
        "Bearer\tdemo_1",
        "Bearer:demo_1",
        "Bearer,x",
    ] {
        assert_eq!(extract(&sources, &[("authorization", own)]), MALFORMED, "{own:?}");
        assert_eq!(extract(&sources, &[("authorization", own), ("x-api-key", "abc")]), AMBIGUOUS, "{own:?}");
    }
    // Two lines of a singleton field are an error, whatever they hold.
    let two = [("authorization", "Bearer demo_1"), ("authorization", "Bearer x")];
    assert_eq!(extract(&sources, &two), AMBIGUOUS);
    assert_eq!(extract(&sources, &[two[1], two[1]]), AMBIGUOUS);
}

#[test]
fn each_of_several_prefixes_is_enough() {
    let source = bearer().prefix("old_").unwrap();
    let sources = Sources::new([source]).unwrap();
    assert_eq!(extract(&sources, &[("authorization", "Bearer old_1")]), found("old_1"));
    assert_eq!(extract(&sources, &[("authorization", "Bearer demo_1")]), found("demo_1"));
    assert_eq!(extract(&sources, &[("authorization", "Bearer new_1")]), NONE);
}

#[test]
fn the_order_of_the_settings_does_not_matter() {
    let format = || KeyFormat::new("demo").unwrap();
    let valid = format!("Bearer {}", Key::mint().text);
    for source in [
        bearer().format(format()).foreign(),
        Source::bearer().format(format()).foreign().prefix("demo_").unwrap().prefix("pat_").unwrap(),
        Source::bearer().format(format()).prefix("demo_").unwrap().foreign(),
    ] {
        let sources = Sources::new([source]).unwrap();
        assert!(matches!(extract(&sources, &[("authorization", &valid)]), Ok(Some(_))));
        assert_eq!(extract(&sources, &[("authorization", "Bearer demo_1")]), MALFORMED);
        assert_eq!(extract(&sources, &[("authorization", "Bearer other")]), NONE);
    }
}

#[test]
fn a_header_may_hold_keys_of_another_service() {
    let sources = Sources::new([Source::x_api_key().prefix("demo_").unwrap(), Source::bearer()]).unwrap();
    assert_eq!(extract(&sources, &[("x-api-key", "other")]), NONE);
    assert_eq!(extract(&sources, &[("x-api-key", "")]), NONE);
    assert_eq!(extract(&sources, &[("x-api-key", "other"), ("x-api-key", "demo_1")]), found("demo_1"));
    assert_eq!(extract(&sources, &[("x-api-key", "demo_1"), ("x-api-key", "demo_1")]), AMBIGUOUS);
    for own in ["other, demo_1", "key=demo_1", "'demo_1'", "x:demo_1"] {
        assert_eq!(extract(&sources, &[("x-api-key", own)]), MALFORMED, "{own:?}");
    }
    assert_eq!(extract(&sources, &[("x-api-key", "other"), ("authorization", "Bearer a")]), found("a"));
}

#[test]
fn with_basic_the_prefix_is_that_of_the_password() {
    let source = Source::basic().empty_user().prefix("demo_").unwrap();
    let sources = Sources::new([source, Source::x_api_key()]).unwrap();
    let extract = |value: &str| extract(&sources, &[("authorization", value)]);
    assert_eq!(extract(&basic("ann@example.com:demo_1")), found("demo_1"));
    assert_eq!(extract(&basic(":demo_1")), found("demo_1"));
    assert_eq!(extract(&basic("demo_1:secret")), NONE);
    for own in ["ann: demo_1", "ann:\"demo_1\"", "ann:\u{a0}demo_1", "ann:x,demo_1", "ann:secret:demo_1"] {
        assert_eq!(extract(&basic(own)), MALFORMED, "{own:?}");
    }
    assert_eq!(extract(&basic("ann:")), NONE);
    // Pairs that another service accepts: longer than any key.
    assert_eq!(extract(&basic(&format!("AWS:{}", "x".repeat(3000)))), NONE);
    assert_eq!(extract(&basic(&format!("AWS:demo_{}", "x".repeat(3000)))), MALFORMED);
    // The user leaves the place of a prefix open, or part of it.
    for user in [378, 379, 380, 381, 382, 383, 384, 500] {
        let pair = format!("{}:demo_1", "u".repeat(user));
        assert_eq!(extract(&basic(&pair)), MALFORMED, "{user}");
    }
    assert_eq!(extract(&basic(&format!("{}:other", "u".repeat(378)))), NONE);
    // Some reader might decode these.
    for unclear in
        ["Basic", "Basic @@@@", "Basic dTprZQ", "Basic YW5u", "Basic\tdTprZQ==", "Basic dTprZQ==, x"]
    {
        assert_eq!(extract(unclear), MALFORMED, "{unclear:?}");
    }
    assert_eq!(extract("Basic YTpkZW1vXwE="), MALFORMED, "a control character behind the prefix");
}

#[test]
fn a_prefix_that_could_not_match_is_an_error() {
    for prefix in ["", "demo ", "a,b", "a=", "d\u{e9}mo", "a\n", &"a".repeat(512)] {
        let error = Source::bearer().prefix(prefix).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Sources, "{prefix:?}");
    }
    assert!(Source::bearer().prefix(&"a".repeat(511)).is_ok());
    assert!(Source::basic().prefix(&"a".repeat(382)).is_ok());
    assert!(Source::basic().prefix(&"a".repeat(383)).is_err());

    let memo = KeyFormat::new("memo").unwrap();
    let error = Sources::new([bearer().format(memo.clone())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sources are invalid: Bearer has a prefix that keys of the format `memo` lack: add `memo_`"
    );
    assert!(Sources::new([bearer().prefix("memo").unwrap().format(memo)]).is_ok());
}

#[cfg(feature = "password")]
#[test]
fn a_prefix_of_passwords_is_an_error() {
    use tower_api_key::password::Passwords;

    let builder = |source| {
        let passwords = Passwords::new().unwrap();
        Authenticator::builder(MemoryStore::new()).sources([source, bearer()]).passwords(passwords)
    };
    let error = builder(Source::basic().prefix("demo_").unwrap()).build().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Sources);
    assert!(builder(Source::basic()).build().is_ok());
}

#[test]
fn a_client_presents_no_key_that_a_source_would_leave_to_others() {
    use tower_api_key::client::{AttachKeyLayer, ClientKey};

    let layer = |key| AttachKeyLayer::new("https://api.example.com", bearer(), ClientKey::new(key));
    assert!(layer("demo_1").is_ok());
    assert_eq!(layer("other").unwrap_err().kind(), ConfigErrorKind::ClientKey);
}

/// Answers with the id of the key, or `anonymous`, and with the headers that are left and those of them that are not marked.
async fn describe(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let principal = request.extensions().get::<Principal>();
    let name = principal.map_or("anonymous".to_owned(), |principal| principal.key_id().to_string());
    let left = request.headers().iter().map(|(name, value)| {
        let mark = if value.is_sensitive() { "" } else { " unmarked" };
        format!("|{name}: {}{mark}", String::from_utf8_lossy(value.as_bytes()))
    });
    Ok(Response::new(Body::from(name + &left.collect::<String>())))
}

async fn call(layer: &AuthenticateLayer, lines: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::new(Body::default());
    *request.headers_mut() = headers(lines);
    let response = layer.layer(service_fn(describe)).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn authenticator() -> (Authenticator, Key) {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let format = KeyFormat::new("demo").unwrap();
    let sources = [bearer().format(format.clone()), Source::x_api_key().format(format)];
    (Authenticator::builder(store).sources(sources).build().unwrap(), key)
}

#[tokio::test]
async fn a_jwt_stays_where_it_is_and_is_marked_as_sensitive() {
    let (authenticator, key) = authenticator().await;
    let (jwt, own) = (format!("Bearer {JWT}"), format!("Bearer {}", key.text));
    let optional = AuthenticateLayer::new(authenticator.clone()).optional();
    let alone = format!("anonymous|authorization: {jwt}");
    let beside = format!("{}|authorization: {jwt}", key.id());
    for layer in [optional.clone(), optional.clone().strip()] {
        assert_eq!(call(&layer, &[("authorization", &jwt)]).await, (StatusCode::OK, alone.clone()));
    }
    for layer in [AuthenticateLayer::new(authenticator).strip(), optional.strip()] {
        // A miss, and a hit.
        for _ in 0..2 {
            let both = call(&layer, &[("authorization", &jwt), ("x-api-key", &key.text)]).await;
            assert_eq!(both, (StatusCode::OK, beside.clone()));
        }
        let alone = call(&layer, &[("authorization", &own)]).await;
        assert_eq!(alone, (StatusCode::OK, key.id().to_string()));
        let two = call(&layer, &[("authorization", &own), ("x-api-key", &key.text)]).await;
        assert_eq!(two.0, StatusCode::BAD_REQUEST);
        let bad = call(&layer, &[("authorization", "Bearer demo_live_1")]).await;
        assert_eq!(bad.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_jwt_alone_is_no_key() {
    let (authenticator, key) = authenticator().await;
    let rejection =
        authenticator.authenticate(&headers(&[("authorization", "Bearer eyJ")])).await.unwrap_err();
    assert_eq!((rejection.reason(), rejection.scheme()), (&Reason::Missing, None));
    let both = headers(&[("authorization", "Bearer eyJ"), ("x-api-key", &key.text)]);
    assert_eq!(authenticator.authenticate(&both).await.unwrap().key_id(), key.id());
    assert_eq!(authenticator.verify(JWT).await.unwrap_err().reason(), &Reason::Malformed);
}

#[tokio::test]
async fn only_own_lines_are_stripped() {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let sources = [Source::x_api_key().prefix("demo_").unwrap(), Source::basic().prefix("demo_").unwrap()];
    let authenticator = Authenticator::builder(store).sources(sources).build().unwrap();
    let layer = AuthenticateLayer::new(authenticator).public("/").unwrap().strip();
    let foreign = basic("ann:secret");
    let lines =
        [("x-api-key", "a"), ("x-api-key", &*key.text), ("x-api-key", "b"), ("authorization", &*foreign)];
    let left = format!("anonymous|authorization: {foreign}|x-api-key: a|x-api-key: b");
    assert_eq!(call(&layer, &lines).await, (StatusCode::OK, left));
    let own = basic(&format!("ann:{}", key.text));
    assert_eq!(call(&layer, &[("authorization", &own)]).await.1, "anonymous");
}

proptest! {
    /// Any value counts as it does without a prefix, or does not count at all; which of the two, its start decides.
    #[test]
    fn a_prefix_decides_what_counts_and_nothing_else(
        start in prop_oneof![Just("Bearer "), Just("bearer"), Just("Basic "), Just("")],
        rest in "(demo_|eyJ|)[ -~\t]{0,20}",
        beside in any::<bool>(),
    ) {
        let with = Sources::new([bearer(), Source::x_api_key()]).unwrap();
        let without = Sources::new([Source::bearer(), Source::x_api_key()]).unwrap();
        let value = format!("{start}{rest}");
        let mut lines = vec![("authorization", &*value)];
        lines.extend(beside.then_some(("x-api-key", "abc")));
        let (with, without) = (extract(&with, &lines), extract(&without, &lines));
        let alone = if beside { found("abc") } else { NONE };
        prop_assert!(with == without || with == alone, "{with:?} {without:?}");
        if start == "Bearer " && rest.trim_start_matches(' ').starts_with("demo_") {
            prop_assert_eq!(with, without);
        }
    }
}
