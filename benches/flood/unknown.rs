//! The flood: keys that no store has, each sent once, many at a time.

use std::convert::Infallible;
use std::hint::black_box;
use std::iter::Sum;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use tokio::task::yield_now;
use tower::ServiceExt;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::keys::{spoilt, text};
use tower_api_key_benches::numbers::Numbers;
use tower_api_key_benches::stacks::{Body, Stack};

/// Concurrent requests of a thread. The store accepts 64 lookups at a time.
const AT_A_TIME: usize = 200;

/// The kind of keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Keys that are created but not sent.
    OnlyMade,
    /// Unknown keys: only the store can reject them.
    GoodChecksum,
    /// Malformed keys: rejected without a lookup.
    BadChecksum,
}

/// The numbers of answers to the flood.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) rejected: u64,
    pub(crate) unavailable: u64,
}

impl Answers {
    /// Returns the number of all answers.
    pub(crate) fn all(&self) -> u64 {
        self.rejected + self.unavailable
    }
}

impl Sum for Answers {
    fn sum<I: Iterator<Item = Self>>(answers: I) -> Self {
        answers.fold(Self::default(), |sum, each| Self {
            rejected: sum.rejected + each.rejected,
            unavailable: sum.unavailable + each.unavailable,
        })
    }
}

/// Floods `stack` until it is `over`. Each `number` has other keys.
pub(crate) fn flood(stack: impl Stack<Body>, kind: Kind, number: u64, over: &AtomicBool) -> Answers {
    runtime().block_on(async {
        let ask = |task: usize| {
            // Seeds far apart, so that no two tasks create the same keys.
            let numbers = Numbers::new((number + 1) << 48 | (task as u64) << 40);
            ask(stack.clone(), kind, numbers, over)
        };
        join_all((0..AT_A_TIME).map(ask)).await.into_iter().sum()
    })
}

async fn ask(stack: impl Stack<Body>, kind: Kind, mut numbers: Numbers, over: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    while !over.load(Ordering::Relaxed) {
        let key = text(&mut numbers);
        let key = match kind {
            Kind::OnlyMade => {
                answers.rejected += 1;
                black_box(request(&key));
                yield_now().await;
                continue;
            }
            Kind::GoodChecksum => key,
            Kind::BadChecksum => spoilt(key),
        };
        let Ok::<_, Infallible>(response) = stack.clone().oneshot(request(&key)).await;
        match response.status() {
            StatusCode::UNAUTHORIZED => answers.rejected += 1,
            StatusCode::SERVICE_UNAVAILABLE => answers.unavailable += 1,
            other => panic!("expected 401 or 503, got {other}"),
        }
        // Answers that are ready at once would starve the other tasks.
        yield_now().await;
    }
    answers
}

fn request(key: &str) -> Request<Body> {
    Request::builder().header(AUTHORIZATION, format!("Bearer {key}")).body(Body::default()).unwrap()
}
