//! Changes of the file by another process.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tempfile::TempDir;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, SqliteStore};

use super::{application, run, url};
use crate::store::samples;

/// Another process, as far as the store can tell: it writes what this crate would, and invalidates nothing here.
struct Other(sqlx::SqlitePool);

impl Other {
    async fn revokes(&self, log: &'static str) {
        run(
            &self.0,
            "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere' WHERE id = 'key'",
        )
        .await;
        run(&self.0, log).await;
    }
}

const LOG: &str =
    "INSERT INTO tower_api_key_change (digest, kind, at) SELECT digest, 'revoked', 1 FROM tower_api_key";

async fn present(authenticator: &Authenticator) -> Option<Reason> {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::try_from(samples::text("key")).unwrap());
    authenticator.authenticate(&headers).await.err().map(|rejection| rejection.reason().clone())
}

/// Opens a store with one key, revokes the key as another process does, and waits until the key is rejected, which only a poll can
/// cause.
async fn is_rejected_after(others_log: &'static str) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    for name in ["first", "key"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    let authenticator = Authenticator::builder(store)
        .positive_ttl(Duration::from_secs(3_600))
        .poll_interval(Duration::from_millis(5))
        .lease(Duration::from_secs(3_600))
        .deadline(Duration::from_secs(30))
        .build()
        .unwrap();
    assert_eq!(present(&authenticator).await, None);
    Other(application(&file).await).revokes(others_log).await;
    let rejected = async {
        while present(&authenticator).await != Some(Reason::Revoked) {
            // Answers from the cache come without a pause for the poller.
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), rejected).await.expect("the poll reads the revocation");
}

#[tokio::test]
async fn a_key_that_another_process_revokes_is_rejected() {
    is_rejected_after(LOG).await;
}

#[tokio::test]
async fn a_log_with_a_gap_invalidates_everything() {
    is_rejected_after(
        "INSERT INTO tower_api_key_change (seq, digest, kind, at) SELECT max(seq) + 7, digest, 'changed', 1 FROM tower_api_key_change",
    )
    .await;
}

#[tokio::test]
async fn a_log_that_has_become_shorter_invalidates_everything() {
    is_rejected_after("DELETE FROM tower_api_key_change").await;
}

#[tokio::test]
async fn a_long_log_invalidates_everything() {
    is_rejected_after(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000)
         INSERT INTO tower_api_key_change (digest, kind, at) SELECT zeroblob(32), 'changed', 1 FROM n",
    )
    .await;
}
