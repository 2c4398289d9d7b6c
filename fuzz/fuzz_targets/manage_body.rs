//! Bodies that create, change or rotate a key: a valid body is applied, an invalid one is rejected by the names of its fields and
//! changes nothing.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::backend::{KeyChange, KeyFilter, KeyStore};
use tower_api_key::clock::{ManualClock, Timestamp};
use tower_api_key::digest::Digest;
use tower_api_key::manage::{KeyManager, routes};
use tower_api_key::{Environment, KeyFormat, KeyId, MemoryStore, Owner, Record, Scopes};
use tower_api_key_fuzz::ask::{NOW, ask, run_now, scopes};
use tower_api_key_fuzz::body::{BodyFields, BodyKind, Rejected, read};
use tower_api_key_fuzz::calendar;
use tower_api_key_fuzz::json::Json;

/// The key that is changed or rotated.
const TARGET: &str = "key_target";

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((kind, body)) = data.split_first() else { return Corpus::Reject };
    let (kind, method, uri) = match kind {
        b'k' => (BodyKind::Key, Method::POST, "/keys"),
        b'u' => (BodyKind::Update, Method::PATCH, "/keys/key_target"),
        b'r' => (BodyKind::Rotation, Method::POST, "/keys/key_target/rotate"),
        _ => return Corpus::Reject,
    };
    let store = MemoryStore::new();
    let before = target();
    run_now(store.change(KeyChange::insert(before.clone()))).expect("a new key");
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").expect("a prefix")).with_clock(clock);
    let (status, answer) = ask(routes(manager, scopes()), method, uri, body);
    let keys = run_now(store.list(&KeyFilter::all(), None, usize::MAX)).expect("keys");
    let changed = keys.iter().find(|key| key.id == before.id).expect("the target");
    let made = keys.iter().find(|key| key.id != before.id);

    match (read(kind, body, NOW), kind) {
        (Err(rejected), _) => {
            assert_eq!(rejection(status, &answer), rejected);
            assert_eq!((changed, made), (&before, None));
        }
        (Ok(said), BodyKind::Key) => {
            assert_eq!((status, changed), (201, &before), "{answer:?}");
            assert_fields(
                made.expect("a key"),
                said,
                &Record::imported(before.id.clone(), before.digest, own()),
            );
            assert_shown(&answer, made.expect("a key"));
        }
        (Ok(said), BodyKind::Update) => {
            assert_eq!((status, made), (200, None), "{answer:?}");
            assert_fields(changed, said, &before);
            assert_shown(&answer, changed);
        }
        (Ok(said), BodyKind::Rotation) => {
            assert_eq!(status, 201, "{answer:?}");
            let made = made.expect("a key");
            let end = BodyFields { expires_at: said.expires_at, ..BodyFields::default() };
            assert_fields(made, end, &before);
            assert_shown(&answer, made);
            let grace = said.grace_seconds.map(Duration::from_secs);
            let from_first_use = grace.filter(|_| said.grace_from_first_use == Some(true));
            let from_now = grace.filter(|grace| from_first_use.is_none() && !grace.is_zero());
            assert_eq!(made.first_use_grace, from_first_use);
            assert_eq!(changed.expires_at, from_now.map(|grace| at(NOW).saturating_add(grace)));
            let ends_at_once = from_first_use.is_none() && from_now.is_none();
            assert_eq!(changed.revoked.is_some(), ends_at_once);
        }
    }
    Corpus::Keep
});

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn own() -> Owner {
    Owner::organization("test")
}

fn target() -> Record {
    let id = KeyId::new(TARGET).expect("an id");
    let mut target = Record::imported(id, Digest::from_bytes([7; 32]), own());
    target.name = "target".into();
    target.environment = Environment::Live;
    target.scopes = Scopes::parse("a b").expect("scopes");
    target.labels.insert("team".to_owned(), "infra".to_owned());
    target
}

/// Reads the reason for a rejection.
fn rejection(status: u16, answer: &Json) -> Rejected {
    match status {
        400 => Rejected::Unreadable,
        403 => Rejected::Forbidden,
        422 => {
            let field = |error: &Json| {
                let found = error.get("field")?.text()?.to_owned();
                NAMES.into_iter().find(|name| *name == found)
            };
            let errors = answer.get("errors").and_then(Json::items).expect("errors");
            let mut fields: Vec<_> = errors.iter().map(|error| field(error).expect("a field")).collect();
            fields.sort_unstable();
            fields.dedup();
            Rejected::Fields(fields)
        }
        other => panic!("{other} {answer:?}"),
    }
}

const NAMES: [&str; 7] =
    ["body", "name", "scopes", "expires_at", "labels", "grace_seconds", "grace_from_first_use"];

/// Checks that a key has the properties of a body, and otherwise those of another key.
fn assert_fields(key: &Record, said: BodyFields, like: &Record) {
    let scopes = |key: &Record| key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(*key.name, *said.name.unwrap_or_else(|| like.name.to_string()));
    assert_eq!(scopes(key), said.scopes.unwrap_or_else(|| scopes(like)));
    let end = said.expires_at.unwrap_or_else(|| like.expires_at.map(Timestamp::unix_millis));
    assert_eq!(key.expires_at.map(Timestamp::unix_millis), end);
    assert_eq!(key.labels, said.labels.unwrap_or_else(|| like.labels.clone()));
}

/// Checks that an answer describes a key.
fn assert_shown(answer: &Json, key: &Record) {
    let text = |name| answer.get(name).and_then(Json::text);
    assert_eq!(text("id"), Some(key.id.as_str()));
    assert_eq!(text("name"), Some(&*key.name));
    assert_eq!(text("expires_at").map(calendar::time), key.expires_at.map(|end| Some(end.unix_millis())));
    assert_eq!(answer.get("labels").and_then(Json::texts).as_ref(), Some(&key.labels));
    let scopes = answer.get("scopes").and_then(Json::items).expect("scopes");
    assert!(scopes.iter().map(Json::text).eq(key.scopes.iter().map(|scope| Some(scope.as_str()))));
}
