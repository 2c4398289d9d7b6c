//! Sessions with different settings of an application.

use sqlx::Executor as _;
use sqlx::postgres::PgPoolOptions;
use tower_api_key::PostgresStore;
use tower_api_key::backend::{Backend, Invalidation, KeyChange, KeyStore};
use tower_api_key::reject::Reason;

use super::{Database, is_absent};
use crate::store::caller::Caller;
use crate::store::samples;

#[tokio::test]
async fn stores_whose_sessions_have_other_settings_are_one_store_to_their_authenticators() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    let caller = Caller::of(&store);
    let all_settings = [
        "SET TIME ZONE 'Asia/Shanghai'",
        "SET DateStyle = 'German, DMY'",
        "SET TIME ZONE 'America/St_Johns'; SET DateStyle = 'SQL, MDY'; SET extra_float_digits = -15; SET IntervalStyle = 'iso_8601'",
    ];
    for (index, settings) in all_settings.into_iter().enumerate() {
        let other = PostgresStore::with_pool(database.pool_with(settings).await).await.unwrap();
        let name = format!("key_{index}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        caller.warm(&name).await.unwrap();
        other.change(samples::revoke(&name, 1, "elsewhere")).await.unwrap();
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked), "{settings}");
    }
}

#[tokio::test]
async fn a_poll_by_a_session_with_other_settings_does_not_take_the_server_for_another_one() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    // Each connection has a time zone of its own, and is used once.
    let zones = "SELECT set_config('timezone', (pg_backend_pid() % 12)::TEXT, FALSE)";
    let options = PgPoolOptions::new().max_connections(1).after_release(|_, _| Box::pin(async { Ok(false) }));
    let options = options.after_connect(move |connection, _| {
        Box::pin(async move { connection.execute(zones).await.map(drop) })
    });
    let pool = options.connect(&database.url()).await.unwrap();
    let store = PostgresStore::with_pool(pool).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    for _ in 0..4 {
        assert!(!feed.poll().await.unwrap().contains(&Invalidation::Everything));
    }
}
