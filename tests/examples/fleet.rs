//! Three nodes on one PostgreSQL.

use std::time::Duration;

use http::{Method, StatusCode};
use tempfile::tempdir;
use tokio::time::timeout;

use crate::client::{ask, get};
use crate::server::{Server, run_in_vain};
use support::postgres::{Database, is_absent};

/// A generous timeout, so that a test fails instead of hanging.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts the fleet on a database of its own.
async fn start(variables: &[(&str, &str)]) -> (Server, Database) {
    let (folder, database) = (tempdir().unwrap(), Database::create().await);
    let url = database.url();
    let variables = [&[("DATABASE_URL", url.as_str())], variables].concat();
    (Server::start_with("fleet", folder.path(), &variables).await, database)
}

#[tokio::test]
async fn a_key_that_one_node_revokes_is_rejected_by_all_when_the_revocation_is_answered() {
    if is_absent() {
        return;
    }
    let (server, _database) = start(&[("ONCE", "1")]).await;
    let keys = server.credentials().clone();
    let end = server.ended().await;
    end.assert_clean(keys.values());
    assert!(end.stderr.contains("Revocation-Reached: every-node"), "{}", end.stderr);

    let rows = end.stderr.lines().filter(|line| line.starts_with("node-"));
    let rows: Vec<Vec<_>> =
        rows.map(|row| row.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect()).collect();
    let names: Vec<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, ["node-1", "node-2", "node-3"], "{}", end.stderr);
    for row in rows {
        let [_, requests, _, admitted_after_the_answer, rejected_from, reads] = row[..] else {
            panic!("{row:?}");
        };
        assert!(requests.parse::<u64>().unwrap() > 2, "{row:?}");
        assert_eq!(admitted_after_the_answer, "none");
        assert!(rejected_from.ends_with(" ms"), "{row:?}");
        // One to cache the key. A request in progress at the revocation may read it again.
        assert!((1..=2).contains(&reads.parse::<u64>().unwrap()), "{row:?}");
    }
}

#[tokio::test]
async fn every_node_knows_every_key_and_the_first_one_manages_them() {
    if is_absent() {
        return;
    }
    let (server, _database) = start(&[]).await;
    let keys = server.credentials().clone();
    let (admin, reader) = (server.key("admin_key"), server.key("reader_key"));
    let nodes = server.nodes();
    assert_eq!(nodes[0], server.url(""));
    let made = ask(Method::POST, &server.url("/admin/keys"), Some(admin), "{}").await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let of_all = async |path: &str, key: Option<&str>, status: StatusCode| {
        for node in &nodes {
            assert_eq!(get(&format!("{node}{path}"), key).await.status, status, "{node}{path}");
        }
    };

    for key in [admin, reader, made["key"].as_str().unwrap()] {
        of_all("/v1/whoami", Some(key), StatusCode::OK).await;
    }
    of_all("/v1/whoami", None, StatusCode::UNAUTHORIZED).await;
    of_all("/v1/whoami", Some("demo_live_unknown"), StatusCode::UNAUTHORIZED).await;
    of_all("/health", None, StatusCode::OK).await;

    let listed = |node: &str, key| {
        let url = format!("{node}/admin/keys");
        async move { get(&url, Some(key)).await.status }
    };
    assert_eq!(listed(nodes[0], reader).await, StatusCode::FORBIDDEN);
    assert_eq!(listed(nodes[1], admin).await, StatusCode::NOT_FOUND);

    let revoke = server.url(&format!("/admin/keys/{}?wait=fleet", made["id"].as_str().unwrap()));
    let revoked = ask(Method::DELETE, &revoke, Some(admin), "").await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(revoked.headers["revocation-reached"], "every-node");
    of_all("/v1/whoami", made["key"].as_str(), StatusCode::UNAUTHORIZED).await;
    server.end().await.assert_clean(keys.values());
}

#[tokio::test]
async fn a_node_without_its_database_rejects_no_key_as_unknown_and_is_not_ready() {
    if is_absent() {
        return;
    }
    let (mut server, database) = start(&[]).await;
    server.says("To try it:").await;
    let node = server.nodes()[2].to_owned();
    let call = async || get(&format!("{node}/v1/whoami"), Some(server.key("reader_key"))).await;
    assert_eq!(call().await.status, StatusCode::OK);
    database.command("DROP DATABASE", "WITH (FORCE)").await;
    let unready = async {
        loop {
            let health = get(&format!("{node}/health"), None).await;
            let called = call().await;
            if health.status == StatusCode::SERVICE_UNAVAILABLE {
                return (called, health.json());
            }
            // Within the lease, from the cache.
            let expected = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
            assert!(expected.contains(&called.status), "{}", called.status);
        }
    };
    let (called, health) = timeout(WAIT_TIMEOUT, unready).await.expect("an answer in time");
    assert_eq!(
        (called.status, &called.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    assert_eq!(health["feed"]["lease_remaining_ms"], 0, "{health}");
}

#[tokio::test]
async fn without_a_database_it_says_which_one_to_set_and_how_to_get_one() {
    let folder = tempdir().unwrap();
    let end = run_in_vain("fleet", folder.path(), "DATABASE_URL", "").await;
    assert!(!end.status.success() && end.stdout.is_empty());
    for text in ["Error: DATABASE_URL: ", "docker run ", "export DATABASE_URL=postgres://"] {
        assert!(end.stderr.contains(text), "{}", end.stderr);
    }
    for (variable, value) in
        [("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/keys"), ("RUST_LOG", "tower_api_key=loud")]
    {
        let end = run_in_vain("fleet", folder.path(), variable, value).await;
        assert!(end.stderr.starts_with(&format!("Error: {variable}: ")), "{}", end.stderr);
        assert!(!end.stderr.contains("hunter2"), "{}", end.stderr);
    }
}
