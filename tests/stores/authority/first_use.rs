//! The first use of a successor, at which the grace of the rotated key starts.

use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tower_api_key::backend::Grace;
use tower_api_key::manage::RotateOptions;

use crate::authority::stores::Store;
use crate::authority::world::{Key, World};

const GRACE: Duration = Duration::from_secs(60);
const REQUESTS: usize = 1_000;
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A rotated key and its unused successor.
async fn rotated<S: Store>(world: &World<S>) -> (Key, Key) {
    let old = world.grant("acme", "keys").await;
    let replacement = RotateOptions::new(Grace::FromFirstUse(GRACE));
    let (text, record) = world.manager.rotate(old.id(), replacement).await.unwrap().into_parts();
    (old, Key::new(text.as_str(), record))
}

async fn is_noted<S: Store>(world: &World<S>, successor: &Key) -> bool {
    world.stored(successor.id()).await.first_use_grace.is_none()
}

async fn wait_until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            yield_now().await;
        }
    };
    timeout(WAIT_TIMEOUT, waiting).await.expect("it comes about");
}

pub(crate) async fn a_thousand_first_uses_at_once_are_one_write<S: Store>(world: World<S>) {
    let (old, successor) = rotated(&world).await;
    for is_held in [true, false] {
        // All of them arrive before the first use is recorded, and again all of them after that.
        world.looked_up.hold_first_uses(is_held);
        let mut requests = JoinSet::new();
        for _ in 0..REQUESTS {
            let (authenticator, bearer) = (world.authenticator.clone(), successor.bearer());
            requests.spawn(async move {
                let mut headers = http::HeaderMap::new();
                headers.insert("authorization", bearer.parse().unwrap());
                authenticator.authenticate(&headers).await.map(drop)
            });
        }
        let rejected = requests.join_all().await.into_iter().filter_map(Result::err);
        let reasons: Vec<_> = rejected.map(|rejection| rejection.reason().clone()).collect();
        assert_eq!(reasons, []);
        assert_eq!(is_noted(&world, &successor).await, !is_held);
        world.looked_up.hold_first_uses(false);
        wait_until(async || is_noted(&world, &successor).await).await;
    }
    assert_eq!(world.looked_up.first_uses(), 1);
    assert_eq!(world.stored(old.id()).await.expires_at, Some(world.now().saturating_add(GRACE)));
}

pub(crate) async fn a_first_use_that_could_not_be_noted_is_noted_by_a_later_request<S: Store>(
    world: World<S>,
) {
    let (old, successor) = rotated(&world).await;
    world.looked_up.fail_first_uses(true);
    assert!(world.admits(&successor.text).await);
    wait_until(async || world.looked_up.first_uses() > 0).await;
    assert!(!is_noted(&world, &successor).await);
    assert_eq!(world.stored(old.id()).await.expires_at, None);

    world.looked_up.fail_first_uses(false);
    wait_until(async || {
        assert!(world.admits(&successor.text).await);
        is_noted(&world, &successor).await
    })
    .await;
    assert_eq!(world.stored(old.id()).await.expires_at, Some(world.now().saturating_add(GRACE)));
}
