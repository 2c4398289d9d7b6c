//! One `Authorization` value: the crate and the grammar read it equally.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::credential::{CredentialErrorKind, Source, Sources};
use tower_api_key_fuzz::credential::Pair;
use tower_api_key_fuzz::sources::{At, Place, Presented, presented};

const PLACES: [Place; 2] = [Place::any(At::Bearer), Place::any(At::Basic)];

static SOURCES: LazyLock<Sources> =
    LazyLock::new(|| Sources::new([Source::bearer(), Source::basic()]).expect("two places"));

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(value) = HeaderValue::from_bytes(data) else { return Corpus::Reject };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let found = SOURCES.extract(&headers, |credential| Pair {
        user: credential.user().map(str::to_owned),
        secret: credential.expose_secret().to_vec(),
    });
    match (found, presented(&PLACES, &[("authorization".to_owned(), data.to_vec())])) {
        (Ok(None), Presented::Nothing) => {}
        (Ok(Some(found)), Presented::Credential(_, expected)) => assert_eq!(found, expected),
        (Err(error), Presented::Malformed(_)) => assert_eq!(error.kind(), CredentialErrorKind::Malformed),
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
    Corpus::Keep
});
