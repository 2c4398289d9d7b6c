//! The share of requests that a cache answers if it has room for a tenth of the keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_api_key::MemoryStore;
use tower_api_key::Record;
use tower_api_key::backend::{Backend, BackendError};
use tower_api_key::digest::Digest;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::groups::{BY_HAND, CRATE};
use tower_api_key_benches::keys;
use tower_api_key_benches::markdown;
use tower_api_key_benches::numbers::Numbers;
use tower_api_key_benches::order::Order;
use tower_api_key_benches::requests::Requests;
use tower_api_key_benches::stacks::by_hand::{Keys, OverFuture};
use tower_api_key_benches::stacks::{Body, layer};

const KEYS: usize = 10_000;
const ROOM: u64 = 1_000;

/// Further keys, which a scan requests in a row.
const SCANNED: usize = 30_000;

/// Of fewer requests, the shares would depend on the keys that are drawn.
const REQUESTS: u32 = 1_050_000;

/// Requests before the count.
const SETTLE: u32 = 50_000;

/// The shares of hits of this crate and of the stack by hand, without a scan and with one that makes half of the requests.
pub(crate) struct Hits {
    pub(crate) of_crate: [f64; 2],
    by_hand: [f64; 2],
}

/// A store that counts its reads.
#[derive(Clone)]
struct Counted {
    store: MemoryStore,
    reads: Arc<AtomicU64>,
}

impl Backend for Counted {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.find(digest).await
    }
}

/// Measures the shares.
pub(crate) fn measure(quick: bool) -> Hits {
    let requests = if quick { 2 * SETTLE } else { REQUESTS };
    runtime().block_on(async {
        let texts = keys::texts(KEYS + SCANNED);
        let counted = Counted { store: keys::store(&texts).await, reads: Arc::default() };
        let mut hits = Hits { of_crate: [0.0; 2], by_hand: [0.0; 2] };
        for (place, scan) in [0.0, 0.5].into_iter().enumerate() {
            let builder = layer::builder(counted.clone()).positive_capacity(ROOM);
            let authenticator = builder.build().unwrap();
            hits.of_crate[place] = share(&texts, requests, scan, async |text| {
                let before = counted.reads.load(Ordering::Relaxed);
                let request = Requests::bearer(&[text.to_owned()], Order::InTurn).make::<Body>();
                authenticator.authenticate(request.headers()).await.unwrap();
                counted.reads.load(Ordering::Relaxed) == before
            })
            .await;
            let by_hand = OverFuture::new(counted.store.clone(), ROOM);
            hits.by_hand[place] = share(&texts, requests, scan, async |text| {
                let digest = *keys::record(0, text).digest.as_bytes();
                let is_hit = by_hand.holds(&digest);
                by_hand.find(digest).await.unwrap();
                is_hit
            })
            .await;
        }
        hits
    })
}

/// Returns the share of hits among the requests that belong to no scan.
async fn share(texts: &[String], requests: u32, scan: f64, is_hit: impl AsyncFn(&str) -> bool) -> f64 {
    let order = Order::Zipf.draw(KEYS);
    let mut numbers = Numbers::new(7);
    let (mut scanned, mut drawn) = (0, 0);
    let (mut counted, mut hits) = (0, 0);
    for request in 0..requests {
        if numbers.fraction() < scan {
            is_hit(&texts[KEYS + scanned % SCANNED]).await;
            scanned += 1;
        } else {
            let is_hit = is_hit(&texts[order[drawn] as usize]).await;
            drawn += 1;
            if request >= SETTLE {
                counted += 1;
                hits += u32::from(is_hit);
            }
        }
    }
    f64::from(hits) / f64::from(counted)
}

impl Hits {
    /// Prints the shares.
    pub(crate) fn print(&self) {
        let line = |name: &str, shares: [f64; 2]| {
            [name.into(), format!("{:.3}", shares[0]), format!("{:.3}", shares[1])]
        };
        let lines = [line(CRATE, self.of_crate), line(BY_HAND, self.by_hand)];
        markdown::print(["hits by Zipf, room for a tenth", "alone", "beside a scan"], 1, &lines);
    }
}
