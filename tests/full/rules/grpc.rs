//! gRPC: single services wrapped, and rules by method for a server.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tokio::net::TcpListener;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, Service, ServiceExt};
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{Principal, RequireScopeLayer};

use super::{layer, scope};

/// A service that answers every call, and has the id of the caller's key in a header.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "echo.v1.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let caller =
            request.extensions().get::<Principal>().map_or("none", |principal| principal.key_id().as_str());
        let response =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", "0");
        std::future::ready(Ok(response.header("caller", caller).body(Body::empty()).unwrap()))
    }
}

async fn serve<L>(server: Router<L>) -> Channel
where
    L: Layer<tonic::service::Routes> + Clone + Send + 'static,
    L::Service: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send,
    <L::Service as Service<Request<Body>>>::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Returns the gRPC status of a call of `Echo`.
async fn echo(channel: &Channel, method: &str, key: Option<&str>) -> Code {
    let mut call =
        Request::post(format!("/echo.v1.Echo/{method}")).header("content-type", "application/grpc");
    if let Some(key) = key {
        call = call.header("authorization", format!("Bearer {key}"));
    }
    let response =
        channel.clone().ready().await.unwrap().call(call.body(Body::empty()).unwrap()).await.unwrap();
    Code::from_bytes(response.headers()["grpc-status"].as_bytes())
}

/// Returns the gRPC status of a health check.
async fn check(channel: &Channel, key: Option<&str>) -> Code {
    let mut call = tonic::Request::new(HealthCheckRequest::default());
    if let Some(key) = key {
        call.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    HealthClient::new(channel.clone()).check(call).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

const KEYS: [Option<&str>; 3] = [None, Some("test"), Some("bad")];

#[tokio::test]
async fn a_wrapped_service_needs_a_key_and_its_neighbour_does_not() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let scopes = RequireScopeLayer::by_path([
        ("/echo.v1.Echo/Say", scope("say")),
        ("/echo.v1.Echo/Sing", scope("sing")),
    ]);
    let wrapped = layer("say").grpc().layer(scopes.unwrap().layer(Echo));
    let channel = serve(Server::builder().add_service(health).add_service(wrapped)).await;
    for (key, say, sing) in [
        (None, Code::Unauthenticated, Code::Unauthenticated),
        (Some("test"), Code::Ok, Code::PermissionDenied),
        (Some("bad"), Code::Unauthenticated, Code::Unauthenticated),
    ] {
        assert_eq!(check(&channel, key).await, Code::Ok);
        assert_eq!(echo(&channel, "Say", key).await, say);
        assert_eq!(echo(&channel, "Sing", key).await, sing);
        let undeclared = if key == Some("test") { Code::PermissionDenied } else { Code::Unauthenticated };
        assert_eq!(echo(&channel, "Undeclared", key).await, undeclared);
    }
}

#[tokio::test]
async fn one_layer_with_rules_covers_a_server() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let rules = PathRules::new([
        ("/grpc.health.v1.Health/Check", Access::Public),
        ("/echo.v1.Echo/Open", Access::Public),
        ("/echo.v1.Echo/Whoami", Access::AnyKey),
        ("/echo.v1.Echo/Say", scope("say")),
        ("/echo.v1.Echo/Sing", scope("sing")),
    ]);
    let mut server = Server::builder().layer(layer("say").grpc().rules(rules.unwrap()));
    let channel = serve(server.add_service(health).add_service(Echo)).await;
    for key in KEYS {
        let of_key = |code| if key == Some("test") { code } else { Code::Unauthenticated };
        assert_eq!(check(&channel, key).await, Code::Ok);
        assert_eq!(echo(&channel, "Open", key).await, Code::Ok);
        assert_eq!(echo(&channel, "Whoami", key).await, of_key(Code::Ok));
        assert_eq!(echo(&channel, "Say", key).await, of_key(Code::Ok));
        assert_eq!(echo(&channel, "Sing", key).await, of_key(Code::PermissionDenied));
        assert_eq!(echo(&channel, "Undeclared", key).await, of_key(Code::PermissionDenied));
        assert_eq!(echo(&channel, "Open/", key).await, of_key(Code::PermissionDenied));
        assert_eq!(echo(&channel, "open", key).await, of_key(Code::PermissionDenied));
    }
}

#[tokio::test]
async fn a_public_method_passes_a_scope_layer_inside() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let authenticate = layer("say").grpc().public("/grpc.health.v1.Health/Check").unwrap();
    let scopes = RequireScopeLayer::by_path([("/echo.v1.Echo/Say", scope("say"))]).unwrap();
    let mut server = Server::builder().layer(authenticate).layer(scopes);
    let channel = serve(server.add_service(health).add_service(Echo)).await;
    for key in KEYS {
        assert_eq!(check(&channel, key).await, Code::Ok, "{key:?}");
    }
    assert_eq!(echo(&channel, "Say", Some("test")).await, Code::Ok);
    assert_eq!(echo(&channel, "Say", None).await, Code::Unauthenticated);
}
