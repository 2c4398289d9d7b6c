//! More unknown keys than a store can look up, beside a good one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, Backend, BackendError, Reason, Record};

use crate::support::{Key, build};
use crate::{MOMENT, SECOND};

/// How many questions the store answers at a time, and how long each takes.
const CONNECTIONS: usize = 8;
const ANSWER: Duration = Duration::from_millis(100);

/// A store that answers each question, as soon as there is a connection for it.
struct Pooled {
    record: Record,
    connections: Semaphore,
    says_so: bool,
}

impl Backend for Pooled {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let _connection = self.connections.acquire().await.map_err(BackendError::unavailable)?;
        sleep(ANSWER).await;
        Ok((*digest == self.record.digest).then(|| self.record.clone()))
    }

    fn max_concurrent_lookups(&self) -> usize {
        if self.says_so { CONNECTIONS } else { usize::MAX }
    }
}

/// Returns how often a good key was admitted in four seconds, and how often it was not, while two hundred strangers ask again and again.
async fn beside_a_flood(fills: usize, connections: usize, says_so: bool) -> (usize, usize) {
    let key = Key::mint();
    let store = Pooled { record: key.record.clone(), connections: Semaphore::new(connections), says_so };
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
    for stranger in 0..200 {
        let authenticator = authenticator.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let stranger = Key::foreign(&format!("stranger-{stranger}-{number}"));
                let _ = authenticator.authenticate(stranger.x_api_key().headers()).await;
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
        assert!(authenticator.health().is_store_asked, "the store answers all the time");
        sleep(10 * MOMENT).await;
    }
    (admitted, unavailable)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_does_not_keep_a_good_one_from_a_store_that_answers() {
    for (fills, connections, says_so) in
        [(64, CONNECTIONS, true), (4, CONNECTIONS, false), (64, 1_000, false)]
    {
        let (admitted, unavailable) = beside_a_flood(fills, connections, says_so).await;
        assert!(admitted > 100, "{admitted}");
        assert_eq!(unavailable, 0, "{fills} lookups at a time on {connections} connections");
    }
}
