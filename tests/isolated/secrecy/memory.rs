//! The routes write the text of a new key once, into their answer, and leave no copy on the heap, not even in freed memory.

use std::convert::Infallible;
use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::os::unix::fs::FileExt;

use axum::Router;
use axum::body::{Body, Bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Mutex;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_api_key::client::{AttachKeyLayer, ClientKey};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, routes};
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, KeyFormat, KeyId, MemoryStore, Owner, Requirement, Scopes,
    Source,
};
use zeroize::Zeroizing;

/// Length of the end of a text that is searched for: allocators overwrite the beginning of freed memory.
const TAIL: usize = 24;

/// Held by the test that runs: a search copies the secrets of all tests.
static SEARCH: Mutex<()> = Mutex::const_new(());

/// Routes, and a key that may manage keys.
struct World {
    app: Router,
    admin: String,
    id: KeyId,
}

impl World {
    async fn new() -> Self {
        let store = MemoryStore::new();
        let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
        let new = NewKey::new(Owner::organization("acme")).scopes(Scopes::parse("*").unwrap());
        let (text, record) = manager.create(new).await.unwrap().into_parts();
        let needs = || Requirement::all_of(["keys"]).unwrap();
        let authenticator = Authenticator::builder(store).build().unwrap();
        let app = routes(manager, ManageSettings::new(needs(), needs()));
        let app = app.layer(AuthenticateLayer::new(authenticator));
        Self { app, admin: text.as_str().to_owned(), id: record.id }
    }

    async fn post(&self, path: &str) -> Bytes {
        let request = Request::builder().method(Method::POST).uri(path).header("x-api-key", &self.admin);
        let response = self.app.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{path}");
        response.into_body().collect().await.unwrap().to_bytes()
    }
}

/// Returns the end of a key's text within an answer, the only copy that the test has.
fn tail(body: &[u8]) -> &[u8] {
    let start = br#"{"key":""#.len();
    let length = body[start..].iter().position(|&byte| byte == b'"').unwrap();
    &body[start + length - TAIL..start + length]
}

/// Returns the addresses of a text in the memory of this process, including freed memory, but not the stack of this thread: a hash leaves
/// its input there until another call overwrites it.
fn addresses_of(text: &[u8]) -> Vec<u64> {
    const STEP: usize = 1 << 20;
    let memory = File::open("/proc/self/mem").unwrap();
    // Wiped, so that the next search does not find what this one has read.
    let mut room = Zeroizing::new(vec![0; STEP + text.len()]);
    let own = room.as_ptr_range();
    let own = own.start as u64..own.end as u64;
    let stack = std::ptr::from_ref(&memory) as u64;
    let mut places = Vec::new();
    for line in read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        if !rest.starts_with("rw") || (start..end).contains(&stack) {
            continue;
        }
        for at in (start..end).step_by(STEP) {
            // Memory that another thread has unmapped meanwhile cannot be read.
            let wanted = room.len().min((end - at) as usize);
            let Ok(length) = memory.read_at(&mut room[..wanted], at) else { continue };
            let found = room[..length].windows(text.len()).enumerate().filter(|(_, window)| *window == text);
            places.extend(found.map(|(offset, _)| at + offset as u64).filter(|place| !own.contains(place)));
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

#[tokio::test]
async fn the_key_of_a_client_is_wiped_with_its_layer_and_its_last_request() {
    let _alone = SEARCH.lock().await;
    // The only copies that the test keeps are these.
    let key = KeyFormat::new("demo").unwrap().mint(Environment::Live).unwrap().reveal();
    let encoded = STANDARD.encode(Zeroizing::new(format!(":{}", key.as_str())));
    for (source, presented) in [
        (Source::bearer(), key.as_str()),
        (Source::x_api_key(), key.as_str()),
        (Source::basic().empty_user(), &encoded),
    ] {
        let layer = AttachKeyLayer::new("http://localhost", source, ClientKey::new(key.as_str())).unwrap();
        let mut client = layer.layer(service_fn(async |request: Request<Body>| {
            assert_eq!(request.headers().len(), 1);
            Ok::<_, Infallible>(Response::new(request.into_body()))
        }));
        let request = Request::get("http://localhost/").body(Body::empty()).unwrap();
        drop(client.call(request).await.unwrap());
        drop((client, layer));
        for text in [key.as_str(), presented] {
            let tail = &text.as_bytes()[text.len() - TAIL..];
            assert_eq!(addresses_of(tail), [tail.as_ptr() as u64]);
        }
    }
}

#[tokio::test]
async fn the_text_of_a_new_key_is_on_the_heap_only_in_its_answer() {
    let _alone = SEARCH.lock().await;
    let world = World::new().await;
    for path in ["/keys".to_owned(), format!("/keys/{}/rotate", world.id)] {
        let body = world.post(&path).await;
        let text = tail(&body);
        assert_eq!(addresses_of(text), [text.as_ptr() as u64], "{path}");

        // The same search finds a freed copy.
        drop(black_box(String::from_utf8(body.to_vec()).unwrap()));
        assert!(addresses_of(text).len() > 1, "{path}");
    }
}
