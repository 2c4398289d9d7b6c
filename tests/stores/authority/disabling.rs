//! Of a customer who enables a key and an application that disables it, the application decides.

use http::StatusCode;
use serde_json::json;
use tower_api_key::record::KeyState;

use crate::authority::stores::Store;
use crate::authority::world::World;

pub(crate) async fn what_the_application_disabled_meanwhile_is_not_enabled<S: Store>(world: World<S>) {
    for is_meddling in [false, true] {
        let (caller, key) = (world.grant("acme", "keys notes").await, world.grant("acme", "notes").await);
        let path = |action: &str| format!("{}/{action}", key.path());
        let disabled = world.ask(&caller, "POST", &path("disable"), &json!({})).await;
        assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);
        // The caller was admitted when the key was its own to enable.
        let held = world.hold(&caller, "POST", &path("enable"), &json!({})).await;
        if is_meddling {
            world.manager.disable(key.id(), "unusual traffic").await.unwrap();
        }
        let before = world.snapshot().await;
        let answer = held.finish().await;
        assert_eq!(world.admits(&key.text).await, !is_meddling);
        if is_meddling {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
            assert_eq!(world.snapshot().await, before);
        } else {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
    }
}

/// Concurrently, in any order.
pub(crate) async fn the_application_locks_what_customers_disable_and_enable_at_once<S: Store>(
    world: World<S>,
) {
    let caller = world.grant("acme", "keys notes").await;
    for _ in 0..10 {
        let key = world.grant("acme", "notes").await;
        let principal = world.admit(&caller).await;
        let delegate = world.manager.on_behalf_of(&principal);
        let customers = async {
            for _ in 0..3 {
                let _ = delegate.disable(key.id(), "paused").await;
                let _ = delegate.enable(key.id()).await;
            }
        };
        let (_, locked) = tokio::join!(customers, world.manager.disable(key.id(), "unusual traffic"));
        assert!(locked.unwrap().disabled.unwrap().locked);
        let stored = world.stored(key.id()).await;
        assert_eq!(stored.state(world.now()), KeyState::Disabled);
        assert_eq!(&*stored.disabled.unwrap().reason, "unusual traffic");
        assert!(!world.admits(&key.text).await);
    }
}
