//! What the pages say of the servers that refuse a key.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use support::postgres::{Database, is_absent};
use tower_api_key::backend::Actor;
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{ExternalCaller, KeyManager, NewKey};
use tower_api_key::{Authenticator, KeyFormat, Owner, PostgresStore, Scopes};

use crate::console::browser::Browser;
use crate::console::world::{permissions, serve};

/// Longer than the page of a rotation waits for, and shorter than that of a revocation does.
const LEASE: Duration = Duration::from_secs(2);

async fn signed_in(headers: HeaderMap) -> Result<SignedIn, StatusCode> {
    if headers["x-user"] == "ops" {
        return Ok(SignedIn::operator(Actor::named("staff:ops")).unwrap());
    }
    let caller = ExternalCaller::new("user:ann", Owner::organization("acme")).unwrap();
    Ok(caller.across_environments().scopes(Scopes::parse("notes.*").unwrap()).into())
}

#[tokio::test]
async fn the_end_of_a_key_names_how_many_servers_refuse_it() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let store = PostgresStore::open(&database.url()).await.unwrap();
        let node = Authenticator::builder(store).lease(LEASE).build().unwrap();
        node.start().await.unwrap();
        nodes.push(node);
    }
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let manager = KeyManager::new(store, KeyFormat::new("demo").unwrap()).lease(LEASE);
    let manager = manager.with_permissions(permissions());
    let console = Console::new(manager.clone()).unwrap();
    let base = format!("{}/keys", serve(Router::new().nest("/keys", console.routes(signed_in))).await);
    let [ann, ops] = ["ann", "ops"].map(|user| Browser { base: base.clone(), user });
    let revoke = async |browser: &Browser| {
        let new = NewKey::for_organization("acme").scopes(Scopes::parse("notes.read").unwrap());
        let key = manager.create(new).await.unwrap().record().clone();
        let fields = [("confirmation", key.hint.trim_end_matches('.'))];
        let answer = browser.post(&format!("/keys/{}/revoke", key.id), &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
        answer
    };
    let replace = async |browser: &Browser| {
        let new = NewKey::for_organization("acme").scopes(Scopes::parse("notes.read").unwrap());
        let path = format!("/keys/{}/rotate", manager.create(new).await.unwrap().record().id);
        let form = browser.get(&path).await.field("form");
        browser.post(&path, &[("form", &form), ("grace", "none")]).await
    };
    assert!(revoke(&ann).await.has("is refused on 3 of 3 servers."));
    assert!(replace(&ann).await.has("The old key is refused on 3 of 3 servers."));

    let silent = "INSERT INTO tower_api_key_node (node, expires_at, applied, lease) VALUES
        ('silent', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 600000, pg_current_snapshot(), 2000)";
    database.run_all(silent).await;
    let (of_ann, of_ops, replaced) = tokio::join!(revoke(&ann), revoke(&ops), replace(&ann));
    assert!(of_ann.has("is refused on every server: on 3 of 4 servers, and by"), "{}", of_ann.html);
    assert!(of_ops.has("Not confirmed by: <bdi>silent</bdi>."), "{}", of_ops.html);
    assert!(!of_ann.has("silent"), "the names of servers are not for customers");
    let so_far = "is refused on 3 of 4 servers. The others will refuse it within 2 seconds.";
    assert!(replaced.has(so_far), "{}", replaced.html);
}
