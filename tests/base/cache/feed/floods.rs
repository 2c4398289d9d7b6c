//! More unknown keys than a store can look up, beside a known one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tower_api_key::backend::BackendError;
use tower_api_key::{Authenticator, Reason};

use crate::cache::feed::{MOMENT, SECOND};
use support::probe::Probe;
use support::{Key, build};

/// Connections of the store, and the duration of a lookup.
const CONNECTIONS: usize = 8;
const ANSWER: Duration = Duration::from_millis(100);

/// Counts admissions and rejections of a known key in four seconds, while 200 clients send unknown keys.
async fn beside_a_flood(fills: usize, connections: usize, declares_limit: bool) -> (usize, usize) {
    let key = Key::mint();
    let (record, connections) = (key.record.clone(), Arc::new(Semaphore::new(connections)));
    let store = Probe::answering(move |digest| {
        let (record, connections) = (record.clone(), Arc::clone(&connections));
        async move {
            let _connection = connections.acquire().await.map_err(BackendError::unavailable)?;
            sleep(ANSWER).await;
            Ok((digest == record.digest).then_some(record))
        }
    });
    let store = store.max_concurrent_lookups(if declares_limit { CONNECTIONS } else { usize::MAX });
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
