//! More unknown keys than a store can look up, beside a known one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tower_api_key::backend::{Backend, BackendError};
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, Reason, Record};

use crate::cache::feed::{MOMENT, SECOND};
use support::{Key, build};

/// Connections of the store, and the duration of a lookup.
const CONNECTIONS: usize = 8;
const ANSWER: Duration = Duration::from_millis(100);

/// A store whose lookups wait for a connection.
struct Pooled {
    record: Record,
    connections: Semaphore,
    declares_limit: bool,
}

impl Backend for Pooled {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let _connection = self.connections.acquire().await.map_err(BackendError::unavailable)?;
        sleep(ANSWER).await;
        Ok((*digest == self.record.digest).then(|| self.record.clone()))
    }

    fn max_concurrent_lookups(&self) -> usize {
        if self.declares_limit { CONNECTIONS } else { usize::MAX }
    }
}

/// Counts admissions and rejections of a known key in four seconds, while 200 clients send unknown keys.
async fn beside_a_flood(fills: usize, connections: usize, declares_limit: bool) -> (usize, usize) {
    let key = Key::mint();
    let store =
        Pooled { record: key.record.clone(), connections: Semaphore::new(connections), declares_limit };
    let builder = Authenticator::builder(store).max_concurrent_lookups(fills).positive_ttl(SECOND);
    let (authenticator, clock) = build(builder);
    let ticking = Arc::clone(&clock);
    tokio::spawn(async move {
        loop {
            sleep(MOMENT).await;
            ticking.advance(MOMENT);
        }
    });
    assert!(authenticator.authenticate(key.x_api_key().headers()).await.is_ok());
    let until = Instant::now() + 4 * SECOND;
    for client in 0..200 {
        let authenticator = authenticator.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let unknown = Key::foreign(&format!("unknown-{client}-{number}"));
                let _ = authenticator.authenticate(unknown.x_api_key().headers()).await;
                sleep(50 * MOMENT).await;
            }
        });
    }
    let (mut admitted, mut unavailable) = (0, 0);
    while Instant::now() < until {
        match authenticator.authenticate(key.x_api_key().headers()).await {
            Ok(_) => admitted += 1,
            Err(rejection) => {
                assert_eq!(*rejection.reason(), Reason::Unavailable);
                unavailable += 1;
            }
        }
        assert!(!authenticator.health().is_circuit_open, "the store answers all the time");
        sleep(10 * MOMENT).await;
    }
    (admitted, unavailable)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_does_not_starve_a_known_key() {
    for (fills, connections, declares_limit) in
        [(64, CONNECTIONS, true), (4, CONNECTIONS, false), (64, 1_000, false)]
    {
        let (admitted, unavailable) = beside_a_flood(fills, connections, declares_limit).await;
        assert!(admitted > 100, "{admitted}");
        assert_eq!(unavailable, 0, "{fills} lookups at a time on {connections} connections");
    }
}
