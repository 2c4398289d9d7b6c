//! The client with a valid key, at a steady pace.

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

/// Requests between two readings of the memory.
const LOOK_EVERY: usize = 500;

/// A client with a valid key that sends ten thousand requests a second.
pub(crate) struct Hot<S> {
    stack: S,
    requests: Requests,
    /// Nanoseconds of each request. Allocated in full before the memory is first read.
    latencies: Vec<f64>,
}

/// Latencies of requests, in nanoseconds.
pub(crate) struct Latencies {
    pub(crate) median: f64,
    /// The 99.9th percentile.
    pub(crate) high: f64,
}

impl<S: Stack<Body>> Hot<S> {
    /// Creates the client, and sends one request, so that the key is cached.
    pub(crate) fn new(mut stack: S, texts: &[String], seconds: f64) -> Self {
        let requests = Requests::bearer(texts, Order::InTurn);
        warm(&mut stack, &requests, StatusCode::OK);
        let most = (seconds / PACE.as_secs_f64()) as usize + 1;
        Self { stack, requests, latencies: vec![1.0; most] }
    }

    /// Sends requests for a while, and calls `look` regularly. Panics unless each answer is ready at once.
    pub(crate) fn ask(&mut self, length: Duration, mut sample: impl FnMut()) -> Latencies {
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
                sample();
            }
            // A request that the machine has delayed does not delay the next ones further.
            due = (due + PACE).max(Instant::now());
        }
        sample();
        let quantile = |part| quantile(self.latencies.iter().copied(), part);
        Latencies { median: quantile(0.5), high: quantile(0.999) }
    }
}
