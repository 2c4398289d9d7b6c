//! REST and gRPC on one port.

use http::StatusCode;
use serde_json::json;
use tempfile::tempdir;
use tonic::Code;

use crate::client::{call_method, check, get};
use crate::server::Server;

#[tokio::test]
async fn each_caller_is_answered_in_its_own_protocol() {
    let folder = tempdir().unwrap();
    let server = Server::start("mixed", folder.path()).await;
    let (rest, grpc) = (server.url("/v1/health"), server.url(""));
    let (key, no_scope_key) = (server.key("key"), server.key("no_scope_key"));

    let answer = get(&rest, Some(key)).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "status": "SERVING" })));
    assert_eq!(check(&grpc, Some(key)).await, Code::Ok);

    get(&rest, Some(no_scope_key)).await.assert_rejected(StatusCode::FORBIDDEN, "Insufficient scope");
    assert_eq!(check(&grpc, Some(no_scope_key)).await, Code::PermissionDenied);

    get(&rest, Some("unknown")).await.assert_rejected(StatusCode::UNAUTHORIZED, "Invalid API key");
    assert_eq!(check(&grpc, Some("unknown")).await, Code::Unauthenticated);

    get(&rest, None).await.assert_rejected(StatusCode::UNAUTHORIZED, "Missing API key");
    assert_eq!(check(&grpc, None).await, Code::Unauthenticated);

    let keys = server.credentials().clone();
    server.end().await.assert_clean(keys.values());
}

#[tokio::test]
async fn each_valid_key_gets_its_identity() {
    let folder = tempdir().unwrap();
    let server = Server::start("mixed", folder.path()).await;
    for (name, key_id) in [("key", "key_mixed_key"), ("no_scope_key", "key_mixed_no_scope")] {
        let answer = get(&server.url("/v1/whoami"), Some(server.key(name))).await;
        assert_eq!(answer.json(), json!({ "key_id": key_id }));
    }
}

#[tokio::test]
async fn unknown_paths_are_behind_the_layer_as_well() {
    let folder = tempdir().unwrap();
    let server = Server::start("mixed", folder.path()).await;
    let nowhere = server.url("/elsewhere");

    get(&nowhere, None).await.assert_rejected(StatusCode::UNAUTHORIZED, "Missing API key");
    assert_eq!(get(&nowhere, Some(server.key("key"))).await.status, StatusCode::NOT_FOUND);
    assert_eq!(call_method(&server.url("/some.Service/Method"), None).await.headers["grpc-status"], "16");
}
