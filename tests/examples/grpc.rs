//! tonic.

use tempfile::tempdir;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;

use crate::client::{call_method, check, health_client};
use crate::server::Server;

#[tokio::test]
async fn each_caller_gets_the_status_of_its_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("grpc", folder.path()).await;
    let url = server.url("");

    for (key, code) in [
        (Some(server.key("health_key")), Code::Ok),
        (Some(server.key("no_scope_key")), Code::PermissionDenied),
        (Some("demo_live_unknown"), Code::Unauthenticated),
        (None, Code::Unauthenticated),
    ] {
        assert_eq!(check(&url, key).await, code);
    }
    let keys = server.credentials().clone();
    let end = server.end().await;
    end.assert_clean(keys.values());
    for event in [
        "admitted key_id=key_grpc_health",
        "rejected reason=\"missing_scope\" key_id=key_grpc_no_scope",
        "rejected reason=\"unknown\"",
        "rejected reason=\"missing\"",
    ] {
        assert!(end.stderr.contains(event), "{event}\n{}", end.stderr);
    }
}

#[tokio::test]
async fn a_method_that_no_scope_is_declared_for_is_closed() {
    let folder = tempdir().unwrap();
    let server = Server::start("grpc", folder.path()).await;
    let url = server.url("/grpc.health.v1.Health/List");

    for (key, status) in [(Some(server.key("health_key")), "7"), (None, "16")] {
        let answer = call_method(&url, key).await;
        assert_eq!(answer.status, http::StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/grpc");
        assert_eq!(answer.headers["grpc-status"], status);
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn watching_clients_are_disconnected_when_the_server_ends() {
    let folder = tempdir().unwrap();
    let server = Server::start("grpc", folder.path()).await;

    let mut outsider = health_client(&server.url(""), Some(server.key("no_scope_key"))).await;
    let rejection = outsider.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(rejection.code(), Code::PermissionDenied);

    let mut client = health_client(&server.url(""), Some(server.key("health_key"))).await;
    let mut changes = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(changes.message().await.unwrap().is_some());

    server.end().await.assert_clean([]);
    assert!(changes.message().await.unwrap().is_none());
}
