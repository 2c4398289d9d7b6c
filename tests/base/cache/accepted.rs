//! A source that has accepted a key does not check its text again. No other source inherits that, and no other text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use support::probe::Probe;
use support::{Body, Key, build, request, revocation};
use tower::{Layer, ServiceExt};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::digest::Digester;
use tower_api_key::key::{KeyFormat, KeyId};
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, MemoryStore, Owner, Reason, Record, Rejection, Source,
};

/// The first request looks a key up, the second one finds it and checks its text, the third one need not.
const TIMES: usize = 3;

fn format(prefix: &str) -> KeyFormat {
    KeyFormat::new(prefix).unwrap()
}

fn header(name: &str) -> Source {
    Source::header(name).unwrap()
}

fn minted(prefix: &str) -> Key {
    let key = format(prefix).mint(Environment::Live).unwrap();
    let id = KeyId::new(&format!("key_{prefix}")).unwrap();
    let record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
    Key { text: key.reveal().as_str().to_owned(), record }
}

async fn reason_of(authenticator: &Authenticator, request: http::Request<Body>) -> Option<Reason> {
    let outcome = authenticator.authenticate(request.headers()).await;
    outcome.err().map(|rejection| rejection.reason().clone())
}

#[tokio::test]
async fn each_source_accepts_its_own_keys_whichever_have_accepted_them_before() {
    let keys = [minted("demo"), minted("other"), Key::foreign("hunter2-hunter2")];
    let store = MemoryStore::new();
    for key in &keys {
        key.clone().insert_into(&store).await;
    }
    let accepts: [(&str, Source, [Option<Reason>; 3]); 6] = [
        ("any-key", header("any-key"), [None, None, None]),
        (
            "demo-key",
            header("demo-key").format(format("demo")),
            [None, Some(Reason::Malformed), Some(Reason::Malformed)],
        ),
        (
            "other-key",
            header("other-key").format(format("other")),
            [Some(Reason::Malformed), None, Some(Reason::Malformed)],
        ),
        (
            "minted-key",
            header("minted-key").format(format("demo")).format(format("other")),
            [None, None, Some(Reason::Malformed)],
        ),
        ("foreign-key", header("foreign-key").format(format("demo")).foreign(), [None, None, None]),
        (
            "prefixed-key",
            header("prefixed-key").prefix("other_").unwrap(),
            [Some(Reason::Missing), None, Some(Reason::Missing)],
        ),
    ];
    // Each source is the first to accept a key once.
    for first in 0..accepts.len() {
        let sources = accepts.iter().map(|(_, source, _)| source.clone());
        let (authenticator, _clock) = build(Authenticator::builder(store.clone()).sources(sources));
        let order = || (first..accepts.len()).chain(0..first);
        for (source, (key, presented)) in
            order().flat_map(|source| keys.iter().enumerate().map(move |key| (source, key)))
        {
            let (name, _, expected) = &accepts[source];
            for time in 0..TIMES {
                let reason = reason_of(&authenticator, request(name, &presented.text)).await;
                assert_eq!(reason, expected[key], "{name}, key {key}, time {time}, from {first}");
            }
        }
    }
}

#[tokio::test]
async fn a_source_beyond_the_eighth_is_no_other_one() {
    const SOURCES: usize = 20;
    let store = MemoryStore::new();
    let key = Key::foreign("hunter2-hunter2").insert_into(&store).await;
    let is_strict = |source: usize| source % 3 == 2;
    let sources = (0..SOURCES).map(|source| match header(&format!("key-{source}")) {
        strict if is_strict(source) => strict.format(format("demo")),
        any => any,
    });
    let (authenticator, _clock) = build(Authenticator::builder(store).sources(sources));
    for _ in 0..TIMES {
        for source in 0..SOURCES {
            let reason = reason_of(&authenticator, request(&format!("key-{source}"), &key.text)).await;
            assert_eq!(reason, is_strict(source).then_some(Reason::Malformed), "{source}");
        }
    }
}

#[tokio::test]
async fn an_authenticator_accepts_no_key_because_another_one_does() {
    let store = MemoryStore::new();
    let key = Key::foreign("hunter2-hunter2").insert_into(&store).await;
    let strict = Source::bearer().format(format("demo"));
    let authenticators = [strict, Source::x_api_key()]
        .map(|source| Authenticator::builder(store.clone()).sources([source]).build().unwrap());
    let service = AuthenticateLayer::any_of(authenticators).unwrap().layer(tower::service_fn(support::ok));
    for _ in 0..TIMES {
        let response = service.clone().oneshot(key.x_api_key()).await.unwrap();
        assert_eq!(response.status(), 200);
        let response = service.clone().oneshot(key.bearer()).await.unwrap();
        assert_eq!(response.extensions().get::<Rejection>().unwrap().reason(), &Reason::Malformed);
    }
}

#[tokio::test]
async fn the_user_beside_a_key_is_checked_each_time() {
    let store = MemoryStore::new();
    let owner = Owner::user("ann@example.com", []);
    let key = Key::foreign("hunter2-hunter2").with(|record| record.owner = owner).insert_into(&store).await;
    let (authenticator, _clock) = build(Authenticator::builder(store).sources([Source::basic()]));
    for _ in 0..TIMES {
        for (user, expected) in [
            ("ann@example.com", None),
            ("", Some(Reason::Malformed)),
            ("bob@example.com", Some(Reason::WrongOwner)),
        ] {
            let pair = STANDARD.encode(format!("{user}:{}", key.text));
            let basic = request("authorization", &format!("Basic {pair}"));
            assert_eq!(reason_of(&authenticator, basic).await, expected, "{user}");
        }
    }
}

#[tokio::test]
async fn a_mistyped_key_costs_no_lookup_although_its_checksum_is_known() {
    let store = MemoryStore::new();
    let key = minted("demo").insert_into(&store).await;
    let backend = Probe::over(store);
    let sources = [Source::bearer().format(format("demo"))];
    let (authenticator, _clock) = build(Authenticator::builder(backend.clone()).sources(sources));
    for _ in 0..TIMES {
        assert_eq!(reason_of(&authenticator, key.bearer()).await, None);
    }
    let present = async |text: &str| {
        reason_of(&authenticator, request("authorization", &format!("Bearer {text}"))).await
    };
    for place in 0..key.text.len() {
        let mut mistyped = key.text.clone().into_bytes();
        mistyped[place] = if mistyped[place] == b'0' { b'1' } else { b'0' };
        assert_eq!(
            present(std::str::from_utf8(&mistyped).unwrap()).await,
            Some(Reason::Malformed),
            "{place}"
        );
    }
    for around in [1, 400, 2_000] {
        let longer = format!("{}{}", "0".repeat(around), key.text);
        assert_eq!(present(&longer).await, Some(Reason::Malformed), "{around} before");
        let longer = format!("{}{}", key.text, "0".repeat(around));
        assert_eq!(present(&longer).await, Some(Reason::Malformed), "{around} behind");
    }
    assert_eq!(backend.reads(), 1);
}

#[tokio::test]
async fn a_key_that_was_accepted_is_rejected_once_it_is_revoked() {
    let store = MemoryStore::new();
    let key = minted("demo").insert_into(&store).await;
    let sources = [Source::bearer().format(format("demo")), Source::x_api_key()];
    let (authenticator, _clock) = build(Authenticator::builder(store.clone()).sources(sources));
    for _ in 0..TIMES {
        assert_eq!(reason_of(&authenticator, key.bearer()).await, None);
        assert_eq!(reason_of(&authenticator, key.x_api_key()).await, None);
    }
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    for _ in 0..TIMES {
        assert_eq!(reason_of(&authenticator, key.bearer()).await, Some(Reason::Revoked));
        assert_eq!(reason_of(&authenticator, key.x_api_key()).await, Some(Reason::Revoked));
    }
}

#[tokio::test]
async fn a_key_under_a_former_digest_is_accepted_by_its_sources_alone() {
    let store = MemoryStore::new();
    let key = Key::foreign("hunter2-hunter2").insert_into(&store).await;
    let sources = [Source::bearer().format(format("demo")), Source::x_api_key()];
    let current = Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap();
    let builder = Authenticator::builder(store).digester(current).former_digester(Digester::sha256());
    let (authenticator, _clock) = build(builder.sources(sources));
    for _ in 0..3 * TIMES {
        assert_eq!(reason_of(&authenticator, key.x_api_key()).await, None);
        assert_eq!(reason_of(&authenticator, key.bearer()).await, Some(Reason::Malformed));
        // The current digest is added meanwhile.
        tokio::task::yield_now().await;
    }
}
