//! Clients with valid keys, at a steady pace.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tower::ServiceExt;
use tower_api_key::backend::{KeyStore, UsageStore};

use crate::service::Service;

/// Time between two requests.
const PACE: Duration = Duration::from_millis(5);

/// The durations of admissions, in microseconds, and the number of requests that were not admitted.
#[derive(Default)]
pub(crate) struct Admitted {
    pub(crate) cached: Vec<f64>,
    pub(crate) uncached: Vec<f64>,
    pub(crate) rejected: usize,
}

/// Sends requests for a while, alternately with a cached key and with a key that was not presented before.
pub(crate) async fn ask<S: KeyStore + UsageStore + Clone>(
    service: &Service<S>,
    length: Duration,
) -> Admitted {
    let app = service.app().await;
    for key in &service.cached {
        assert_eq!(app.clone().oneshot(request(key)).await.unwrap().status(), StatusCode::OK);
    }
    let mut requests = JoinSet::new();
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..(length.as_micros() / PACE.as_micros()) as usize {
        ticks.tick().await;
        let is_cached = number.is_multiple_of(2);
        let keys = if is_cached { &service.cached } else { &service.uncached };
        // Each uncached key is presented once per phase.
        let key = if is_cached { keys.get(number / 2 % keys.len()) } else { keys.get(number / 2) };
        let (app, request) = (app.clone(), request(key.unwrap()));
        requests.spawn(async move {
            let start = Instant::now();
            let status = app.oneshot(request).await.unwrap().status();
            (is_cached, status, start.elapsed().as_secs_f64() * 1e6)
        });
    }
    let mut admitted = Admitted::default();
    for (is_cached, status, micros) in requests.join_all().await {
        match (status, is_cached) {
            (StatusCode::OK, true) => admitted.cached.push(micros),
            (StatusCode::OK, false) => admitted.uncached.push(micros),
            _ => admitted.rejected += 1,
        }
    }
    admitted
}

fn request(key: &str) -> Request<Body> {
    Request::get("/notes").header("x-api-key", key).body(Body::empty()).unwrap()
}
