//! Real clients over real sockets, by the clock of the system: those that wait as they are told are refused once.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use support::Key;
use support::python::Python;
use tokio::net::TcpListener;
use tokio::process::Command;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;
use tower_api_key::clock::ManualClock;
use tower_api_key::limit_requests::{Outage, ProcessCounters};
use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer, MemoryStore};

use super::limited;
use crate::counters::{Away, Behaviour};

static PYTHON: Python = Python::with(env!("CARGO_TARGET_TMPDIR"), &["requests==2.34.2"]);

/// Sends requests until ten are admitted, and waits after a refusal as the header says. Prints the number of refusals.
const CLIENT: &str = r#"
import sys, time, requests
url, key, header = sys.argv[1:]
admitted, refused = 0, 0
with requests.Session() as session:
    while admitted < 10:
        response = session.get(url, headers={"X-API-Key": key}, timeout=10)
        if response.status_code == 200:
            admitted += 1
            continue
        assert response.status_code == 429, response.status_code
        assert "WWW-Authenticate" not in response.headers
        refused += 1
        if header == "Retry-After":
            time.sleep(int(response.headers[header]))
        else:
            time.sleep(max(0, int(response.headers[header]) - time.time()))
print(refused)
"#;

async fn authenticate(keys: &[Key]) -> AuthenticateLayer {
    let store = MemoryStore::new();
    for key in keys {
        key.clone().insert_into(&store).await;
    }
    AuthenticateLayer::new(Authenticator::builder(store).build().unwrap())
}

/// Returns the number of refusals that a client got.
async fn refusals(header: &str) -> Option<u64> {
    let python = PYTHON.find()?;
    // Nine at once, and one more after 1.1 seconds.
    let key = limited("burst=9/10s");
    let app = Router::new()
        .route("/", get(async || "hello"))
        .layer(LimitLayer::new())
        .layer(authenticate(std::slice::from_ref(&key)).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut client = Command::new(python);
    client.args(["-c", CLIENT, &url, &key.text, header]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(60), client.output()).await.unwrap().unwrap();
    server.abort();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
}

#[tokio::test]
async fn a_client_that_obeys_retry_after_is_refused_once() {
    assert!(refusals("Retry-After").await.is_none_or(|refused| refused == 1));
}

#[tokio::test]
async fn a_client_that_obeys_the_reset_is_refused_once() {
    assert!(refusals("X-RateLimit-Reset").await.is_none_or(|refused| refused == 1));
}

async fn check(channel: &Channel, key: &Key) -> Result<tonic::metadata::MetadataMap, Status> {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.metadata_mut().insert("x-api-key", key.text.parse().unwrap());
    let response = HealthClient::new(channel.clone()).check(request).await?;
    assert_eq!(response.get_ref().status, ServingStatus::Serving as i32);
    Ok(response.metadata().clone())
}

/// Serves a health service within limits, and connects to it. A single service keeps its name within the layers.
async fn connect(limits: &LimitLayer, keys: &[Key]) -> Channel {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let health = authenticate(keys).await.grpc().layer(limits.layer(health));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the runtime of the test.
    tokio::spawn(Server::builder().add_service(health).serve_with_incoming(TcpIncoming::from(listener)));
    Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn a_grpc_call_past_a_limit_is_answered_in_its_protocol() {
    let counting = || LimitLayer::new().ratelimit_draft11();
    for limits in [counting(), counting().counters(ProcessCounters::new(), Outage::Refuse)] {
        let (key, other) = (limited("burst=2/3600s"), limited(""));
        let channel = connect(&limits, &[key.clone(), other.clone()]).await;
        for left in ["1", "0"] {
            let metadata = check(&channel, &key).await.unwrap();
            assert_eq!(metadata.get("x-ratelimit-remaining").unwrap(), left);
            assert!(metadata.get("ratelimit").is_some());
        }
        let refused = check(&channel, &key).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "Rate limit exceeded"));
        let wait: u64 = refused.metadata().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
        assert!((1_700..=1_800).contains(&wait), "{wait}");
        assert_eq!(refused.metadata().get("x-ratelimit-remaining").unwrap(), "0");
        assert!(check(&channel, &other).await.unwrap().get("x-ratelimit-limit").is_none());
    }
}

#[tokio::test]
async fn a_grpc_call_while_the_counters_are_away_is_answered_in_its_protocol() {
    let key = limited("burst=2/3600s");
    let counters = Away::new(Arc::new(ManualClock::new(support::START)));
    let limits = LimitLayer::new().counters(counters.clone(), Outage::Refuse);
    let channel = connect(&limits, std::slice::from_ref(&key)).await;
    check(&channel, &key).await.unwrap();
    counters.set(Behaviour::Fail);
    let refused = check(&channel, &key).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "Service temporarily unavailable"));
}
