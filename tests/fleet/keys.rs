//! Keys, each identified by a number.

use http::{HeaderMap, HeaderValue};
use tower_api_key::digest::Digester;
use tower_api_key::record::Revocation;
use tower_api_key::{KeyId, Owner, Record, Timestamp};

pub(crate) fn id(number: usize) -> KeyId {
    KeyId::new(&format!("key_{number}")).unwrap()
}

pub(crate) fn record(number: usize) -> Record {
    Record::imported(
        id(number),
        Digester::sha256().digest(text(number).as_bytes()),
        Owner::organization("acme"),
    )
}

/// Returns the digester to which nodes change.
pub(crate) fn new_digester() -> Digester {
    Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap()
}

pub(crate) fn revocation() -> Revocation {
    Revocation::new(Timestamp::from_unix_millis(1), "lost")
}

/// Returns the headers of a request with the key.
pub(crate) fn headers(number: usize) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("x-api-key"),
        HeaderValue::try_from(text(number)).unwrap(),
    )])
}

fn text(number: usize) -> String {
    format!("text-of-key-{number}")
}
