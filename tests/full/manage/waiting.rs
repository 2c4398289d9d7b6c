//! Revocations that wait for other processes, with a store that keeps no list of nodes.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use tower_api_key::backend::Propagation;
use tower_api_key::manage::{KeyManager, Wait};
use tower_api_key::{KeyFormat, MemoryStore, Owner};

use crate::manage::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn an_answer_says_how_far_a_revocation_has_got() {
    let world = World::new();
    let admin = world.admin().await;
    for (query, reached) in [
        ("", None),
        ("?wait=fleet", Some("this-process")),
        ("?wait_seconds=60", Some("this-process")),
        ("?until=lease", Some("lease-end")),
        ("?wait=fleet&until=lease&wait_seconds=60", Some("lease-end")),
        ("?wait=fleet&until=lease&wait_seconds=0", Some("this-process")),
    ] {
        let key = world.customer("acme", "notes.read").await;
        let path = format!("/admin/keys/{}{query}", key.record.id);
        let answer = world.ask(&admin, Method::DELETE, &path, "").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{query}");
        let found = answer.headers.get("revocation-reached").map(|value| value.to_str().unwrap());
        assert_eq!(found, reached, "{query}");
        assert!(!world.admits(&key.text).await, "{query}");
    }
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "how long a lease really takes")]
async fn a_manager_waits_for_a_lease_only_if_set() {
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let new = || tower_api_key::manage::NewKey::new(Owner::organization("acme"));
    let patient = manager.clone().lease(Duration::from_millis(50));
    let (_, record) = manager.create(new()).await.unwrap().into_parts();
    let began = Instant::now();
    let reached = patient.revoke_everywhere(&record.id, "lost").await.unwrap();
    assert_eq!(reached, Propagation::LeaseEnd { missing: Vec::new() });
    assert!(began.elapsed() >= Duration::from_millis(50));
    let reached = manager.lease(HOUR).revoke_and_wait(&record.id, "lost", Wait::new()).await.unwrap();
    assert_eq!(reached, Propagation::ThisProcess { missing: Vec::new() });
}
