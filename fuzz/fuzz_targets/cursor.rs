//! Cursors: each id has exactly one, and no other text is a cursor.

#![no_main]

use axum::Router;
use http::Method;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::digest::Digest;
use tower_api_key::manage::{KeyManager, routes};
use tower_api_key::{KeyFormat, KeyId, MemoryStore, Owner, Record};
use tower_api_key_fuzz::ask::{ask, percent, run_now, scopes};
use tower_api_key_fuzz::cursor;
use tower_api_key_fuzz::edit::Edit;
use tower_api_key_fuzz::json::Json;

const IDS: [&str; 5] = ["...", "5", "Key", "key_m", "zz"];

thread_local! {
    static ROUTER: Router = router();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((edit, id)) = Edit::take(data) else { return Corpus::Reject };
    check(&edit.apply(&cursor::encode(id)));
    check(id);
    Corpus::Keep
});

fn check(text: &[u8]) {
    let uri = format!("/keys?limit=100&cursor={}", percent(text));
    let (status, answer) = ROUTER.with(|router| ask(router.clone(), Method::GET, &uri, b""));
    match cursor::decode(text) {
        Some(after) => {
            let keys =
                answer.get("keys").and_then(Json::items).unwrap_or_else(|| panic!("{status} {answer:?}"));
            let found = keys.iter().map(|key| key.get("id").and_then(Json::text));
            assert!(
                found.eq(IDS.into_iter().filter(|id| id.as_bytes() > &after[..]).map(Some)),
                "{answer:?}"
            );
        }
        None => {
            let detail = answer.get("detail").and_then(Json::text).expect("a detail");
            assert!(status == 400 && detail.starts_with("cursor: "), "{}: {answer:?}", text.escape_ascii());
        }
    }
}

fn router() -> Router {
    let store = MemoryStore::new();
    for (number, id) in (0..).zip(IDS) {
        let id = KeyId::new(id).expect("an id");
        let key = Record::imported(id, Digest::from_bytes([number; 32]), Owner::organization("test"));
        run_now(store.change(KeyChange::insert(key))).expect("a new key");
    }
    routes(KeyManager::new(store, KeyFormat::new("demo").expect("a prefix")), scopes())
}
