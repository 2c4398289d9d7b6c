//! Imported keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;
use tower_api_key::credential::Scheme;
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::manage::{KeyManager, ManageErrorKind, NewKey};
use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Owner, Source};

use crate::manage::world::World;

fn acme() -> NewKey {
    NewKey::new(Owner::organization("acme"))
}

#[tokio::test]
async fn a_text_that_can_be_guessed_is_imported_only_where_that_is_allowed() {
    let world = World::new();
    let import = async |text: &str, new| world.manager.import_text(text, new).await.map(drop);
    for text in ["a", "device-key-1", "fifteen-bytes-x", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
        let error = import(text, acme()).await.unwrap_err();
        let field = &error.fields()[0];
        assert_eq!((error.kind(), field.field), (ManageErrorKind::Invalid, "text"), "{error}");
        assert!(field.message.contains("must have at least 16 bytes"), "{error}");
        assert!(field.message.contains("`allow_weak`"), "{error}");
    }
    assert_eq!(world.all().await, []);
    import("device-key-1", acme().allow_weak()).await.unwrap();
    import("sixteen-bytes-xy", acme()).await.unwrap();
    assert!(world.admits("device-key-1").await && world.admits("sixteen-bytes-xy").await);
}

#[tokio::test]
async fn a_digest_that_another_program_made_under_a_secret_is_imported() {
    let (secret, text) = (b"the secret of the former table: 32", "key-of-the-former-table");
    let former: [u8; 32] =
        Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(text).finalize().into_bytes().into();
    let (store, digester) = (MemoryStore::new(), Digester::hmac_sha256(secret).unwrap());
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).digester(digester.clone());
    let record = manager.import(Digest::from_bytes(former), acme()).await.unwrap();
    let authenticator = Authenticator::builder(store).digester(digester).build().unwrap();
    assert_eq!(*authenticator.verify(text).await.unwrap().key_id(), record.id);
}

#[tokio::test]
async fn a_text_that_no_request_can_present_is_never_imported() {
    let world = World::new();
    let (bearer, basic, header) = (Scheme::Bearer, Scheme::Basic, Source::x_api_key());
    let ann = || NewKey::new(Owner::user("ann@example.com", []));
    let spaced = "a text with spaces, and a comma";
    for (says, text, new) in [
        ("no source", "".to_owned(), acme()),
        ("at most 512 bytes", "x".repeat(513), acme()),
        ("no source", "a text with a\ttab in it".to_owned(), acme()),
        ("no source", "a text with a\nline feed".to_owned(), acme()),
        ("no source", "a text with a\0 zero byte".to_owned(), acme()),
        ("no source", spaced.to_owned(), acme().sources([bearer.clone()])),
        ("no source", spaced.to_owned(), acme().sources([header.clone()])),
        ("no source", "no,token,and,no,header".to_owned(), acme().sources([bearer.clone(), header.into()])),
        ("no source", "not!a!token!of!bearer".to_owned(), acme().sources([bearer])),
        ("no source", format!("{} ", "x".repeat(383)), acme()),
        ("no source", "x".repeat(384), acme().sources([basic.clone()])),
        ("no source", "x".repeat(369), ann().sources([basic])),
    ] {
        let error = world.manager.import_text(&text, new.allow_weak()).await.unwrap_err();
        let field = &error.fields()[0];
        assert_eq!((error.kind(), field.field), (ManageErrorKind::Invalid, "text"), "{error}");
        assert!(field.message.contains(says), "{says}: {error}");
        assert!(text.is_empty() || !field.message.contains(&text), "{error}");
    }
    assert_eq!(world.all().await, []);
}

#[tokio::test]
async fn every_text_that_is_imported_can_be_presented() {
    let sources = || [Source::bearer(), Source::basic().empty_user(), Source::x_api_key()];
    let world = World::new();
    let present = async |name: &str, value: String| {
        let authenticator =
            Authenticator::builder(world.backend.get_ref().clone()).sources(sources()).build().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        authenticator.authenticate(&headers).await.map(|principal| principal.key_id().clone())
    };
    let basic = |user: &str, text: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{text}")));
    let ann = || NewKey::new(Owner::user("ann@example.com", []));
    let in_basic = |new: NewKey| new.sources([Scheme::Basic]);
    let long = |length| "x".repeat(length);
    for (name, value, text, new) in [
        ("authorization", format!("Bearer {}", long(512)), long(512), acme().sources([Scheme::Bearer])),
        ("authorization", "Bearer token68-._~+/09==".to_owned(), "token68-._~+/09==".to_owned(), acme()),
        ("x-api-key", long(511), long(511), acme().sources([Source::x_api_key()])),
        ("x-api-key", "visible!\"#$%&'()*ASCII".to_owned(), "visible!\"#$%&'()*ASCII".to_owned(), acme()),
        ("authorization", basic("", &long(383)), long(383), in_basic(acme())),
        ("authorization", basic("ann@example.com", &long(368)), long(368), in_basic(ann())),
        (
            "authorization",
            basic("", "with spaces: and, \u{e9}"),
            "with spaces: and, \u{e9}".to_owned(),
            acme(),
        ),
    ] {
        let imported = world.manager.import_text(&text, new).await.unwrap();
        assert_eq!(present(name, value).await.unwrap(), imported.id, "{name} {text}");
    }
}
