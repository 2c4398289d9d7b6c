//! The pages on the way in and out, in Chromium.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tower_api_key::clock::ManualClock;
use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Source};

use crate::console::chromium::CHROMIUM;
use crate::console::sessions::forms::passwords;
use crate::console::sessions::world::{acme, ann, handover, scopes};
use crate::console::world::{START, permissions};

/// Returns the routes of an application that hands browsers over, and lets time pass.
fn application(console: &Sessions<MemoryStore>, clock: &Arc<ManualClock>) -> Router {
    let (opening, linking, clock) = (console.clone(), console.clone(), Arc::clone(clock));
    let open = async move || opening.session_for(handover(ann()).return_url("/settings")).await.unwrap();
    let link = async move || Redirect::to(&linking.link_for(handover(ann())).await.unwrap());
    let later = async move || clock.advance(Duration::from_secs(15 * 60));
    Router::new().route("/open", get(open)).route("/link", get(link)).route("/later", post(later))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_on_the_way_in_or_out_has_a_fault() {
    let Some(programs) = CHROMIUM.find() else { return };
    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(START)));
    let authenticator = Authenticator::builder(store.clone())
        .sources([Source::x_api_key(), Source::basic()])
        .passwords(passwords())
        .with_clock(Arc::clone(&clock))
        .build()
        .unwrap();
    let manager = KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("demo").unwrap());
    let manager = manager.unwrap();
    let key = async |list| {
        let new = NewKey::new(acme()).scopes(scopes(list));
        manager.create(new).await.unwrap().into_parts().0.as_str().to_owned()
    };
    let (key, plain) = (key("console").await, key("notes.read").await);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let console = Console::new(manager.with_permissions(permissions())).unwrap().name("Acme Notes").unwrap();
    let console_at = |base| {
        let sessions = console.clone().sessions(&authenticator, &format!("{origin}{base}"));
        sessions.unwrap().development().unwrap()
    };
    let forms = console_at("/forms").pasted_keys().passwords().unwrap();
    let app = application(&forms, &clock).nest("/forms", forms.routes());
    let app = app.nest("/bare", console_at("/bare").routes());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let options =
        json!({ "address": origin, "forms": "/forms", "bare": "/bare", "key": key, "plain": plain });
    programs.run("doors", &options.to_string()).await;
}
