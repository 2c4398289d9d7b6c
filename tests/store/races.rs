//! Two stores on one database, as two processes have them, and one key that both of them change at once.
//!
//! `ROTATIONS` sets how often.

use std::env;

use tower_api_key::backend::{BackendErrorKind, Grace, KeyFilter, KeyStore};

use crate::samples;

/// Lets two stores rotate one key at the same moment, and revoke it at the same moment, again and again.
pub(crate) async fn have_one_winner<S: KeyStore + Clone>(one: S, other: S) {
    let rounds = env::var("ROTATIONS").map_or(50, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let old = samples::id(&format!("old_{round}"));
        one.insert(samples::plain(old.as_str())).await.unwrap();
        let rotate = |store: S, name: String| {
            let old = old.clone();
            tokio::spawn(async move {
                store.rotate(&old, samples::rotation(&name, 1, Grace::For(samples::GRACE))).await
            })
        };
        let tasks = [rotate(one.clone(), format!("a_{round}")), rotate(other.clone(), format!("b_{round}"))];
        let mut winners = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => winners += 1,
                Err(error) => assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}"),
            }
        }
        assert_eq!(winners, 1, "round {round}");

        let revoke = |store: S, millis| {
            let old = old.clone();
            tokio::spawn(
                async move { store.revoke(&old, samples::revocation(millis, "race")).await.unwrap() },
            )
        };
        let tasks = [revoke(one.clone(), 1), revoke(other.clone(), 2)];
        for task in tasks {
            task.await.unwrap();
        }
        let first = one.get(&old).await.unwrap().unwrap().revoked;
        assert!(first.is_some());
        one.revoke(&old, samples::revocation(3, "later")).await.unwrap();
        assert_eq!(other.get(&old).await.unwrap().unwrap().revoked, first);
    }
    assert_eq!(one.list(&KeyFilter::all(), None, usize::MAX).await.unwrap().len(), 2 * rounds);
}
