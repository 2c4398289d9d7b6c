//! Pages of the console over all keys and their usage.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_api_key::backend::{Actor, AuditLog, KeyStore, UsageStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{KeyManager, NewKey, Permissions};
use tower_api_key::{KeyFormat, MemoryStore};
use tower_api_key_benches::markdown;
use tower_api_key_benches::numbers::Numbers;
use tower_api_key_benches::statistics::median;

use crate::rows::{self, LARGE, NOW};

/// The number of requests for each page.
const REQUESTS: usize = 50;
/// The most milliseconds that a page may take in the median, and that it may take beyond the store.
const MOST: (f64, f64) = (100.0, 1.0);

/// Returns the console of an operator.
fn console<S: KeyStore + UsageStore + AuditLog + Clone>(store: &S) -> (KeyManager<S>, Router) {
    let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes")]).unwrap();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("example").unwrap());
    let manager = manager.with_clock(ManualClock::new(NOW)).with_permissions(permissions);
    let operator = async |_: ()| Ok::<_, StatusCode>(SignedIn::operator(Actor::named("operator")).unwrap());
    (manager.clone(), Console::new(manager).unwrap().routes(move |none: ()| Box::pin(operator(none))))
}

/// Requests a page, and returns the milliseconds and its size.
async fn get(app: &Router, path: &str) -> (f64, usize) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let began = Instant::now();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let size = answer.into_body().collect().await.unwrap().to_bytes().len();
    assert_eq!(status, StatusCode::OK, "{path}");
    (began.elapsed().as_secs_f64() * 1e3, size)
}

async fn line(app: &Router, title: &str, path: impl Fn(usize) -> String) -> [String; 4] {
    let mut numbers = Numbers::new(11);
    let (mut times, mut largest) = (Vec::new(), 0);
    for _ in 0..REQUESTS {
        let number = (numbers.draw() % rows::count() as u64) as usize;
        let (time, size) = get(app, &path(number)).await;
        times.push(time);
        largest = largest.max(size);
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    let middle = median(times);
    let size = markdown::thousands(largest as f64);
    [title.to_owned(), format!("{middle:.2}"), format!("{worst:.1}"), size]
}

/// Measures the pages, and prints them.
pub(crate) async fn measure<S: KeyStore + UsageStore + AuditLog + Clone>(name: &str, store: &S) {
    let (_, app) = console(store);
    let id = |number: usize| rows::id(number).to_string();
    let lines = [
        line(&app, "list, first page", |_| "/keys".to_owned()).await,
        line(&app, "list, any page", |number| format!("/keys?after={}", id(number))).await,
        line(&app, "list of the large organization", |_| format!("/keys?organization={LARGE}")).await,
        line(&app, "search by a name", |number| format!("/keys?name={}", encode(&rows::name(number)))).await,
        line(&app, "search by a start that a third of the names have", |_| {
            "/keys?name=production".to_owned()
        })
        .await,
        line(&app, "the same among revoked keys", |_| "/keys?name=production&state=revoked".to_owned()).await,
        line(&app, "the same in the large organization", |_| {
            format!("/keys?name=production&organization={LARGE}")
        })
        .await,
        line(&app, "search by the start of a key", |number| {
            format!("/keys?start={}", rows::hint(number).trim_end_matches('.'))
        })
        .await,
        line(&app, "one key", |number| format!("/keys/{}", id(number))).await,
        line(&app, "usage of a key, 90 days", |number| format!("/keys/{}/usage?days=90", id(number))).await,
        line(&app, "usage of the large organization", |_| format!("/usage?days=90&organization={LARGE}"))
            .await,
        line(&app, "usage in total", |_| "/usage?days=90".to_owned()).await,
        line(&app, "changes", |_| "/audit".to_owned()).await,
    ];
    let title = format!("{name}, a page of the console");
    markdown::print([&title, "median, ms", "worst, ms", "bytes"], 1, &lines);
    for [page, middle, ..] in &lines {
        assert!(middle.parse::<f64>().unwrap() <= MOST.0, "{page}: {middle} ms");
    }
}

/// Measures pages over a store in memory, which takes a few microseconds: they have the longest texts.
pub(crate) async fn measure_rendering() {
    let store = MemoryStore::new();
    let (manager, app) = console(&store);
    let wide = "\u{1f511}".repeat(255);
    for _ in 0..60 {
        manager.create(NewKey::for_organization("acme").name(wide.as_str())).await.unwrap();
    }
    let key = manager.list(&tower_api_key::backend::KeyFilter::all(), None, 1).await.unwrap().remove(0).id;
    let mut lines = Vec::new();
    for path in [
        "/keys".to_owned(),
        format!("/keys/{key}"),
        "/audit".to_owned(),
        "/usage?days=90".to_owned(),
        "/new".to_owned(),
    ] {
        let line = line(&app, &path, |_| path.clone()).await;
        let middle: f64 = line[1].parse().unwrap();
        assert!(middle <= MOST.1, "{path}: {middle} ms");
        lines.push(line);
    }
    markdown::print(["over a store in memory", "median, ms", "worst, ms", "bytes"], 1, &lines);
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
