//! Sample records.

use std::time::Duration;

use http::HeaderName;
use tower_api_key::backend::{Grace, KeyChange, Rotation};
use tower_api_key::credential::Scheme;
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::key::RetrievableKey;
use tower_api_key::record::{Disabling, Revocation};
use tower_api_key::{Environment, KeyId, Owner, Record, Scopes, Timestamp};

pub fn id(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

/// The text of the key called `name`, as its owner presents it.
pub fn text(name: &str) -> String {
    format!("text-of-{name}")
}

pub fn digest(name: &str) -> Digest {
    Digester::sha256().digest(text(name).as_bytes())
}

/// A record with the required fields only.
pub fn plain(name: &str) -> Record {
    Record::imported(id(name), digest(name), Owner::organization("acme"))
}

/// A record with a value in every field.
pub fn full(name: &str) -> Record {
    let mut record = plain(name);
    record.hint = "demo_test_a1b2c3...".into();
    record.name = "Schlüssel für \"O'Brien\" -- 鍵 \\ %_;\n".into();
    record.environment = Environment::Test;
    record.scopes = Scopes::new(["notes.read", "notes:*", "*", "a'b;--", "%_"]).unwrap();
    record.sources = every_scheme();
    record.created_at = Some(Timestamp::from_unix_millis(1_800_000_000_000));
    record.created_by = Some("ada@example.com".into());
    record.expires_at = Some(Timestamp::from_unix_millis(1_900_000_000_000));
    record.revoked = Some(revocation(1_850_000_000_000, "lost, says Åsa: 'on the train'"));
    record.disabled =
        Some(disabling(1_845_000_000_000, "seen in a \"Repo\"").by("grace@example.com").unlocked());
    record.rotated_from = Some(id("key_before"));
    record.first_rotated_from = Some(id("key_first"));
    record.rotated_to = Some(id("key_after"));
    record.last_used_at = Some(Timestamp::from_unix_millis(1_840_000_000_000));
    record.retrievable = Some(RetrievableKey::new(text(name)));
    record.metadata = [
        ("plan", "pro"),
        ("größe", "naïve \u{1f511} \u{202e}"),
        ("quotes", r#"{"a": 'b', \}"#),
        ("lines", "one\r\ntwo\ttab"),
        ("", ""),
    ]
    .map(|(key, value)| (key.into(), value.into()))
    .into();
    record.labels =
        [("team", "größer \"als\" 'x'"), ("", "")].map(|(key, value)| (key.into(), value.into())).into();
    record.limits = "burst=31000000/31s/owner daily=1/day monthly=4294967295/month/owner".parse().unwrap();
    record
}

/// Every kind of source, and headers whose names resemble schemes.
fn every_scheme() -> Box<[Scheme]> {
    let header = |name| Scheme::Header(HeaderName::from_static(name));
    [
        Scheme::Bearer,
        Scheme::Basic,
        header("x-api-key"),
        header("memfault-project-key"),
        header("bearer"),
        header("basic"),
        header("x'y|z*"),
    ]
    .into()
}

/// How long a key stays valid after it was rotated.
pub const GRACE: Duration = Duration::from_secs(5);

/// The rotation to the key called `name`.
pub fn rotation(name: &str, millis: i64, grace: Grace) -> Rotation {
    let at = Timestamp::from_unix_millis(millis);
    let mut rotation = Rotation::new(id(name), digest(name), format!("hint of {name}"), at);
    rotation.grace = grace;
    rotation
}

pub fn rotate(old: &str, name: &str, millis: i64, grace: Grace) -> KeyChange {
    KeyChange::rotate(&id(old), rotation(name, millis, grace))
}

pub fn revocation(millis: i64, reason: &str) -> Revocation {
    Revocation::new(Timestamp::from_unix_millis(millis), reason)
}

pub fn disabling(millis: i64, reason: &str) -> Disabling {
    Disabling::new(Timestamp::from_unix_millis(millis), reason)
}

pub fn revoke(name: &str, millis: i64, reason: &str) -> KeyChange {
    KeyChange::revoke(&id(name), revocation(millis, reason))
}
