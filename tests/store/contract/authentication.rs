//! A change is in effect when it is acknowledged, whatever an authenticator remembers.

use tower_api_key::backend::KeyStore;
use tower_api_key::reject::Reason;

use crate::caller::Caller;
use crate::samples;

pub(crate) async fn a_revoked_key_is_refused_by_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for round in 0..20 {
        let name = format!("key_{round}");
        store.insert(samples::plain(&name)).await.unwrap();
        assert_eq!(caller.warm(&name).await, Ok(samples::id(&name)));
        store.revoke(&samples::id(&name), samples::revocation(1, "lost")).await.unwrap();
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked));
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked));
    }
}

pub(crate) async fn every_authenticator_hears_of_a_change_through_any_clone_of_the_store<
    S: KeyStore + Clone,
>(
    store: S,
) {
    let callers = [Caller::of(&store), Caller::of(&store.clone()), Caller::of(&store)];
    for caller in &callers {
        assert_eq!(caller.warm("key").await, Err(Reason::Unknown));
    }
    store.clone().insert(samples::plain("key")).await.unwrap();
    for caller in &callers {
        assert_eq!(caller.warm("key").await, Ok(samples::id("key")));
    }
    store.clone().revoke(&samples::id("key"), samples::revocation(1, "lost")).await.unwrap();
    for caller in &callers {
        assert_eq!(caller.present("key").await, Err(Reason::Revoked));
    }
}

pub(crate) async fn a_new_key_is_admitted_by_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for round in 0..20 {
        let name = format!("key_{round}");
        assert_eq!(caller.warm(&name).await, Err(Reason::Unknown));
        store.insert(samples::plain(&name)).await.unwrap();
        assert_eq!(caller.present(&name).await, Ok(samples::id(&name)));
    }
}
