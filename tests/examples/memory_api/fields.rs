//! What is told of fields that are wrong.

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::tempdir;

use super::{KEYS, assert_refused, call};
use crate::client::ask;
use crate::server::Server;

#[tokio::test]
async fn all_fields_that_are_wrong_are_told_at_once_and_what_was_sent_is_not_repeated() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let wanted = json!({ "name": "", "environment": "staging", "scopes": ["fly"], "expires_in_days": 0, "secret": "a" });
    let answer = call(&server, server.key("admin_key"), Method::POST, KEYS, &wanted).await;
    assert_eq!(
        assert_refused(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        json!({
            "field": "name",
            "errors": [
                { "field": "name", "message": "expected a text of 1 to 255 characters without control characters, found something else" },
                { "field": "scopes", "message": "expected at least one of read, write, delete and admin, found something else" },
                { "field": "environment", "message": "expected live or test, found something else" },
                { "field": "expires_in_days", "message": "expected a whole number from 1 to 36500, or null, found something else" },
                { "field": "body", "message": "expected no other fields, found 1" },
            ],
        })
    );
    let answer = ask(Method::POST, &server.url("/v1/signup"), None, "{}").await;
    assert_eq!(
        assert_refused(&answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        json!({
            "field": "name",
            "errors": [
                { "field": "name", "message": "expected a text of 1 to 255 characters without control characters, found nothing" },
                { "field": "email", "message": "expected an e-mail such as ann@example.com, found nothing" },
            ],
        })
    );
}
