//! Concurrent changes of keys wait for each other, and agree on the outcome.

use std::future::Future;

use tokio::task::JoinSet;
use tower_api_key::backend::{BackendError, BackendErrorKind, KeyChange, KeyStore};

use crate::samples;

const TASKS: usize = 32;

pub async fn many_tasks_insert_and_revoke_keys_at_once<S: KeyStore + Clone>(store: S) {
    let outcomes = at_once(&store, |store, task| async move {
        let record = samples::plain(&format!("key_{task}"));
        store.change(KeyChange::insert(record.clone())).await?;
        store.change(KeyChange::revoke(&record.id, samples::revocation(1, record.id.as_str()))).await
    })
    .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    for task in 0..TASKS {
        let mut record = samples::plain(&format!("key_{task}"));
        record.revoked = Some(samples::revocation(1, record.id.as_str()));
        assert_eq!(store.get(&record.id).await.unwrap().as_ref(), Some(&record));
        assert_eq!(store.find(&record.digest).await.unwrap(), Some(record));
    }
}

pub async fn of_many_revocations_at_once_one_stays<S: KeyStore + Clone>(store: S) {
    let record = samples::plain("key");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let seen = at_once(&store, |store, task| async move {
        let id = samples::id("key");
        store.change(KeyChange::revoke(&id, samples::revocation(task as i64, &task.to_string()))).await?;
        Ok(store.get(&id).await?.unwrap().revoked.unwrap())
    })
    .await;
    let kept = store.get(&record.id).await.unwrap().unwrap().revoked.unwrap();
    assert_eq!(kept.reason.parse::<i64>().unwrap(), kept.at.unix_millis(), "time and reason of one task");
    for revocation in seen {
        assert_eq!(revocation.unwrap(), kept);
    }
}

pub async fn of_many_insertions_of_one_key_one_succeeds<S: KeyStore + Clone>(store: S) {
    let outcomes = at_once(&store, |store, task| async move {
        let mut record = samples::plain("key");
        record.name = task.to_string().into();
        store.change(KeyChange::insert(record.clone())).await.map(|_| record)
    })
    .await;
    let (kept, rejected): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    for error in rejected.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    }
    let kept: Vec<_> = kept.into_iter().map(Result::unwrap).collect();
    assert_eq!(kept, [store.get(&samples::id("key")).await.unwrap().unwrap()]);
}

/// Runs one task for each number, and returns the outcomes.
async fn at_once<S, T, W, F>(store: &S, work: W) -> Vec<Result<T, BackendError>>
where
    S: KeyStore + Clone,
    T: Send + 'static,
    W: Fn(S, usize) -> F,
    F: Future<Output = Result<T, BackendError>> + Send + 'static,
{
    let tasks: JoinSet<_> = (0..TASKS).map(|task| work(store.clone(), task)).collect();
    tasks.join_all().await
}
