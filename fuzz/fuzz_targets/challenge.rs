//! Arbitrary realms, header names and scopes: those that a challenge cannot hold are rejected when the authenticator is built; all
//! others are read back unchanged from the challenges.

#![no_main]

use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use libfuzzer_sys::{Corpus, fuzz_target};
use tokio::runtime::{Builder, Runtime};
use tower_api_key::backend::{Backend, BackendError};
use tower_api_key::credential::Source;
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::reject::{Forbidden, Reason};
use tower_api_key::{Authenticator, ConfigError, KeyId, Owner, Record, Rejection, Requirement};
use tower_api_key_fuzz::challenge::{Challenge, parse, test_parser};

const KEY: &str = "key";

/// Headers with another meaning.
const TAKEN: [&str; 11] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "connection",
    "content-length",
    "content-type",
    "origin",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A backend with one key.
struct OneKey;

impl Backend for OneKey {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let known = Digester::sha256().digest(KEY.as_bytes());
        let id = KeyId::new("key_1").map_err(BackendError::invalid)?;
        Ok((*digest == known).then(|| Record::imported(id, known, Owner::user("u", []))))
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

// The input is a line of sources, separated by commas; a line of scopes, separated by spaces; and a realm, of any number of
// lines.
fuzz_target!(init: test_parser(), |data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let mut parts = text.splitn(3, '\n');
    let (Some(sources), Some(scopes), Some(realm)) = (parts.next(), parts.next(), parts.next()) else {
        return Corpus::Reject;
    };
    let names: Vec<String> = sources.split(',').map(str::to_ascii_lowercase).collect();
    let wrong = [
        (ConfigErrorKind::Sources, !names.iter().all(|name| is_source(name)) || has_twins(&names)),
        (ConfigErrorKind::Realm, !realm.chars().all(|c| (' '..='~').contains(&c))),
    ];
    match build(sources, realm) {
        Ok(authenticator) => {
            assert!(!wrong.iter().any(|(_, is_wrong)| *is_wrong), "{wrong:?}");
            reject(&authenticator, &names, scopes, realm);
        }
        Err(error) => assert!(wrong.contains(&(error.kind(), true)), "{wrong:?}, {error}"),
    }
    Corpus::Keep
});

fn is_source(name: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_symbol) && !TAKEN.contains(&name)
}

fn has_twins(names: &[String]) -> bool {
    names.iter().enumerate().any(|(index, name)| names[..index].contains(name))
}

fn build(sources: &str, realm: &str) -> Result<Authenticator, ConfigError> {
    let source = |name: &str| match &*name.to_ascii_lowercase() {
        "bearer" => Ok(Source::bearer()),
        "basic" => Ok(Source::basic()),
        _ => Source::header(name),
    };
    let sources: Vec<Source> = sources.split(',').map(source).collect::<Result<_, _>>()?;
    // A cache without capacity is quick to build; the long deadline keeps a busy machine from causing findings.
    let builder = Authenticator::builder(OneKey).positive_capacity(0).negative_capacity(0);
    builder.deadline(std::time::Duration::from_secs(60)).sources(sources).realm(realm).build()
}

fn reject(authenticator: &Authenticator, names: &[String], scopes: &str, realm: &str) {
    // Basic is offered last, for clients that take the last challenge.
    let (basic, mut offered): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| name == "basic");
    offered.extend(basic);
    let missing = rejection(authenticator, &[]);
    assert_eq!(missing.reason(), &Reason::Missing);
    check(missing, 401, realm, &offered, None, None);

    let requirement = Requirement::all_of(scopes.split(' '));
    let is_scope = |scope: &str| {
        !scope.is_empty() && scope.chars().all(|c| ('!'..='~').contains(&c) && c != '"' && c != '\\')
    };
    assert_eq!(requirement.is_ok(), scopes.split(' ').all(is_scope), "{scopes:?}");

    for (index, name) in names.iter().enumerate() {
        let one = &names[index..=index];
        let malformed = rejection(authenticator, &[line(name, "")]);
        assert_eq!(malformed.reason(), &Reason::Malformed);
        check(malformed, 401, realm, one, Some("invalid_token"), None);

        let key = if name == "basic" { "dTprZXk=" } else { KEY };
        let twice = [line(name, key), line(name, key)];
        let ambiguous = rejection(authenticator, &twice);
        assert_eq!(ambiguous.reason(), &Reason::Ambiguous);
        check(ambiguous, 400, realm, &offered, Some("invalid_request"), None);

        let principal = decide(authenticator, &twice[..1]).expect("a principal");
        let forbidden = principal.reject(Reason::Forbidden(Forbidden::Project));
        check(forbidden, 403, realm, one, Some("insufficient_scope"), None);
        if let Ok(requirement) = &requirement {
            let lacking = principal.reject(Reason::MissingScope(requirement.clone()));
            check(lacking, 403, realm, one, Some("insufficient_scope"), Some(&each_once(scopes)));
        }
    }
}

/// Returns a header that presents `key` in this way.
fn line(name: &str, key: &str) -> (HeaderName, HeaderValue) {
    let (field, value) = match name {
        "bearer" => ("authorization", format!("Bearer {key}")),
        "basic" => ("authorization", format!("Basic {key}")),
        name => (name, key.to_owned()),
    };
    let field = HeaderName::from_bytes(field.as_bytes()).expect("a header name");
    (field, HeaderValue::try_from(value).expect("a header value"))
}

fn decide(
    authenticator: &Authenticator,
    lines: &[(HeaderName, HeaderValue)],
) -> Result<tower_api_key::Principal, Rejection> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, value.clone());
    }
    RUNTIME.with(|runtime| runtime.block_on(authenticator.authenticate(&headers)))
}

fn rejection(authenticator: &Authenticator, lines: &[(HeaderName, HeaderValue)]) -> Rejection {
    decide(authenticator, lines).expect_err("a rejection")
}

/// Returns the scopes as a requirement has them: each once, in the order of first occurrences.
fn each_once(scopes: &str) -> String {
    let mut named: Vec<_> = Vec::new();
    for scope in scopes.split(' ') {
        if !named.contains(&scope) {
            named.push(scope);
        }
    }
    named.join(" ")
}

/// Checks the answer to a rejection: one challenge for each of `names`, a line each, with exactly these parameters.
fn check(
    rejection: Rejection,
    status: u16,
    realm: &str,
    names: &[String],
    error: Option<&str>,
    scope: Option<&str>,
) {
    let response = rejection.into_response();
    assert_eq!(response.status(), StatusCode::from_u16(status).expect("a status"));
    let lines: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert_eq!(lines.len(), names.len());
    for (name, line) in names.iter().zip(lines) {
        let challenge =
            parse(line.as_bytes()).unwrap_or_else(|| panic!("expected one challenge, found {line:?}"));
        let (scheme, own) = match &**name {
            "bearer" => ("Bearer", None),
            "basic" => ("Basic", Some(("charset", "UTF-8"))),
            name => ("ApiKey", Some(("header", name))),
        };
        assert_eq!(challenge.scheme, scheme);
        let said = [
            Some(("realm", realm)),
            own,
            error.map(|error| ("error", error)),
            scope.map(|scope| ("scope", scope)),
        ];
        assert_params(&challenge, &said.into_iter().flatten().collect::<Vec<_>>());
    }
}

fn assert_params(challenge: &Challenge, expected: &[(&str, &str)]) {
    let params =
        challenge.params.iter().map(|(name, _)| (&**name, challenge.quoted(name).expect("a quoted string")));
    assert_eq!(params.collect::<Vec<_>>(), expected);
}
