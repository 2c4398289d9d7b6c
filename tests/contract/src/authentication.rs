//! A change is in effect when it is acknowledged, whatever an authenticator has cached.

use std::time::Duration;

use http::HeaderMap;
use tower_api_key::Authenticator;
use tower_api_key::backend::KeyUpdate;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::reject::Reason;

use crate::caller::Caller;
use crate::counting::Counting;
use crate::samples;

pub async fn a_revoked_key_is_rejected_by_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for round in 0..20 {
        let name = format!("key_{round}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        assert_eq!(caller.warm(&name).await, Ok(samples::id(&name)));
        store.change(samples::revoke(&name, 1, "lost")).await.unwrap();
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked));
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked));
    }
}

pub async fn every_authenticator_hears_of_a_change_through_any_clone_of_the_store<S: KeyStore + Clone>(
    store: S,
) {
    let callers = [Caller::of(&store), Caller::of(&store.clone()), Caller::of(&store)];
    for caller in &callers {
        assert_eq!(caller.warm("key").await, Err(Reason::Unknown));
    }
    store.clone().change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for caller in &callers {
        assert_eq!(caller.warm("key").await, Ok(samples::id("key")));
    }
    store.clone().change(samples::revoke("key", 1, "lost")).await.unwrap();
    for caller in &callers {
        assert_eq!(caller.present("key").await, Err(Reason::Revoked));
    }
}

pub async fn a_new_key_is_admitted_by_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for round in 0..20 {
        let name = format!("key_{round}");
        assert_eq!(caller.warm(&name).await, Err(Reason::Unknown));
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        assert_eq!(caller.present(&name).await, Ok(samples::id(&name)));
    }
}

pub async fn a_key_that_was_updated_is_looked_up_once<S: KeyStore + Clone>(store: S) {
    let backend = Counting::new(store.clone());
    let builder = Authenticator::builder(backend.clone()).deadline(Duration::from_secs(30));
    let authenticator =
        builder.lease(Duration::from_secs(60)).poll_interval(Duration::from_millis(10)).build().unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    authenticator.start().await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", samples::text("key").parse().unwrap());
    for round in 0..10 {
        let mut update = KeyUpdate::default();
        update.name = Some(format!("round {round}").into());
        store.change(KeyChange::update(&samples::id("key"), update)).await.unwrap();
        let reads = backend.reads();
        for _ in 0..3 {
            let principal = authenticator.authenticate(&headers).await.unwrap();
            assert_eq!(principal.key_name(), format!("round {round}"));
            next_poll(&authenticator).await;
        }
        assert_eq!(backend.reads(), reads + 1, "round {round}");
    }
}

/// Waits until a poll has completed that began after the last one.
async fn next_poll(authenticator: &Authenticator) {
    let lag = || authenticator.health().feed.and_then(|feed| feed.lag);
    let mut last = lag();
    while let (Some(before), Some(now)) = (last, lag())
        && before <= now
    {
        last = Some(now);
        tokio::task::yield_now().await;
    }
}
