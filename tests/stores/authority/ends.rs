//! Expiry and sources of keys that callers create, update and rotate.

use http::StatusCode;
use serde_json::{Value, json};
use tower_api_key::credential::Scheme;
use tower_api_key::{KeyId, Record, Source, Timestamp};

use crate::authority::console::Console;
use crate::authority::stores::Store;
use crate::authority::world::{DAY, Key, START, World, of, scopes, settings, written};

const END: Timestamp = Timestamp::from_unix_millis(START.unix_millis() + 30 * 24 * 60 * 60 * 1_000);

fn after(days: u32) -> Timestamp {
    START.saturating_add(days * DAY)
}

/// A caller with an expiry and one source.
async fn caller<S: Store>(world: &World<S>) -> Key {
    let new = of("acme").scopes(scopes("keys")).expires_at(END).sources([Scheme::Bearer]);
    world.key(new).await
}

async fn made<S: Store>(world: &World<S>, body: &Value) -> Record {
    world.stored(&KeyId::new(body["id"].as_str().unwrap()).unwrap()).await
}

pub(crate) async fn a_child_has_the_end_and_the_sources_of_its_maker<S: Store>(world: World<S>) {
    let caller = caller(&world).await;
    for body in [json!({}), json!({ "expires_at": null })] {
        let answer = world.ask(&caller, "POST", "/console/keys", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let child = made(&world, &answer.body).await;
        assert_eq!((child.expires_at, &*child.sources), (Some(END), &[Scheme::Bearer][..]));
        assert_eq!(answer.body["expires_at"], written(END));
    }
    let answer =
        world.ask(&caller, "POST", "/console/keys", &json!({ "expires_at": written(after(31)) })).await;
    assert_eq!((answer.status, answer.field()), (StatusCode::FORBIDDEN, "expires_at"));
    let answer =
        world.ask(&caller, "POST", "/console/keys", &json!({ "expires_at": written(after(29)) })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(made(&world, &answer.body).await.expires_at, Some(after(29)));

    // Sources that code names are kept.
    let principal = world.admit(&caller).await;
    let delegate = world.manager.on_behalf_of(&principal);
    let named = delegate.create(delegate.new_key().sources([Source::x_api_key()])).await.unwrap();
    assert_eq!(&*named.record().sources, [Source::x_api_key().scheme().clone()]);
    assert_eq!(named.record().expires_at, Some(END));
    // A key without an expiry creates keys without one.
    let endless = world.grant("acme", "keys").await;
    let answer = world.ask(&endless, "POST", "/console/keys", &json!({})).await;
    let child = made(&world, &answer.body).await;
    assert_eq!((child.expires_at, &*child.sources), (None, &[][..]));
}

pub(crate) async fn no_end_is_put_off_beyond_that_of_the_caller<S: Store>(world: World<S>) {
    let caller = caller(&world).await;
    let other = world.key(of("acme").expires_at(after(10))).await;
    let end = |time: Option<Timestamp>| json!({ "expires_at": time.map(written) });
    let before = world.snapshot().await;
    for (key, time) in
        [(&caller, Some(after(31))), (&caller, None), (&other, Some(after(31))), (&other, None)]
    {
        let answer = world.ask(&caller, "PATCH", &key.path(), &end(time)).await;
        assert_eq!((answer.status, answer.field()), (StatusCode::FORBIDDEN, "expires_at"), "{time:?}");
    }
    assert_eq!(world.snapshot().await, before);
    for (key, time) in [(&other, after(29)), (&other, END), (&caller, END), (&caller, after(20))] {
        let answer = world.ask(&caller, "PATCH", &key.path(), &end(Some(time))).await;
        assert_eq!(answer.status, StatusCode::OK, "{time:?}: {}", answer.text);
        assert_eq!(world.stored(key.id()).await.expires_at, Some(time));
    }
    // A lifetime that was given up is not restored.
    let answer = world.ask(&caller, "PATCH", &caller.path(), &end(Some(END))).await;
    assert_eq!((answer.status, answer.field()), (StatusCode::FORBIDDEN, "expires_at"));
}

pub(crate) async fn a_rotation_renews_the_life_that_was_meant<S: Store>(world: World<S>) {
    let (one, other) = (caller(&world).await, caller(&world).await);
    world.clock.advance(10 * DAY);
    // The caller expires before.
    for key in [&other, &one] {
        let answer = world.ask(&one, "POST", &key.path_to_rotate(), &json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let successor = made(&world, &answer.body).await;
        assert_eq!(successor.expires_at, Some(after(40)));
        assert_eq!(&*successor.sources, [Scheme::Bearer]);
    }
    let own = caller(&world).await;
    let body = json!({ "expires_at": written(after(41)) });
    let later = world.ask(&own, "POST", &own.path_to_rotate(), &body).await;
    assert_eq!((later.status, later.field()), (StatusCode::FORBIDDEN, "expires_at"));
    assert_eq!(world.stored(own.id()).await, own.record);
}

pub(crate) async fn a_rotation_that_does_not_renew_keeps_the_end<S: Store>(world: World<S>) {
    let manager = world.manager.clone().rotation_renews(false);
    let console = Console::serve(manager, world.authenticator.clone(), settings()).await;
    let (one, other) = (caller(&world).await, caller(&world).await);
    world.clock.advance(10 * DAY);
    for key in [&other, &one] {
        let answer = console.ask(&one.bearer(), "POST", &key.path_to_rotate(), "").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        assert_eq!(made(&world, &answer.body).await.expires_at, Some(END));
    }
}
