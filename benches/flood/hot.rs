//! The good key, at a steady pace.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use http::StatusCode;
use tower_api_key_benches::drive::{answer, warm};
use tower_api_key_benches::order::Order;
use tower_api_key_benches::requests::Requests;
use tower_api_key_benches::stacks::{Body, Stack};
use tower_api_key_benches::statistics::quantile;

/// Time between two requests.
const PACE: Duration = Duration::from_micros(100);

/// Requests between two looks at the memory.
const LOOK_EVERY: usize = 500;

/// Someone who has a good key and asks ten thousand times a second.
pub(crate) struct Hot<S> {
    stack: S,
    requests: Requests,
    /// Nanoseconds of each request. It has grown to its full size before the memory is first looked at.
    latencies: Vec<f64>,
}

/// How long requests took, in nanoseconds.
pub(crate) struct Latencies {
    pub(crate) median: f64,
    /// One in a thousand took longer.
    pub(crate) high: f64,
}

impl<S: Stack<Body>> Hot<S> {
    /// Asks once, so that the key is known.
    pub(crate) fn new(mut stack: S, texts: &[String], seconds: f64) -> Self {
        let requests = Requests::bearer(texts, Order::InTurn);
        warm(&mut stack, &requests, StatusCode::OK);
        let most = (seconds / PACE.as_secs_f64()) as usize + 1;
        Self { stack, requests, latencies: vec![1.0; most] }
    }

    /// Asks for a while, and calls `look` now and then. Panics if the answer is not there at once.
    pub(crate) fn ask(&mut self, length: Duration, mut look: impl FnMut()) -> Latencies {
        self.latencies.clear();
        let end = Instant::now() + length;
        let mut due = Instant::now();
        while due < end {
            while Instant::now() < due {
                spin_loop();
            }
            let request = self.requests.make();
            let start = Instant::now();
            let response = answer(&mut self.stack, request);
            let took = start.elapsed();
            assert_eq!(response.status(), StatusCode::OK);
            self.latencies.push(took.as_nanos() as f64);
            if self.latencies.len().is_multiple_of(LOOK_EVERY) {
                look();
            }
            // Who was kept waiting by the machine does not catch up.
            due = (due + PACE).max(Instant::now());
        }
        look();
        let quantile = |part| quantile(self.latencies.iter().copied(), part);
        Latencies { median: quantile(0.5), high: quantile(0.999) }
    }
}
