//! A tonic service with unary and streaming calls, also for browsers, by gRPC-Web. It prints a key for each kind of caller.
//!
//! `DATABASE_URL=sqlite:grpc.db ADDR=127.0.0.1:3102 cargo run --bin grpc`
//!
//! Lines that exist for authentication are marked.

use std::pin::Pin;
use std::time::Duration;

use pb::Msg;
use pb::echo_server::{Echo, EchoServer};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_web::GrpcWebLayer;
use tower_api_key::manage::{KeyManager, NewKey}; // auth
use tower_api_key::{AuthenticateLayer, KeyFormat, SqliteStore, rules::PathRules}; // auth
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

mod pb {
    tonic::include_proto!("echo.v1");
}

struct Service;

#[tonic::async_trait]
impl Echo for Service {
    async fn say(&self, request: Request<Msg>) -> Result<Response<Msg>, Status> {
        let caller = tower_api_key::tonic::principal(&request)?.key_id().to_string(); // auth
        Ok(Response::new(Msg { text: format!("{caller}: {}", request.into_inner().text) }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<Msg, Status>> + Send>>;

    async fn watch(&self, request: Request<Msg>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = tower_api_key::tonic::principal(&request)?.key_id().to_string(); // auth
        let stream = tokio_stream::iter(0..5)
            .throttle(Duration::from_millis(20))
            .map(move |number| Ok(Msg { text: format!("{caller}: {number}") }));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn open(&self, request: Request<Msg>) -> Result<Response<Msg>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let store = SqliteStore::open(&applications::setting("DATABASE_URL")?).await?; // auth
    let keys = KeyManager::new(store.clone(), KeyFormat::new("echo")?); // auth
    // auth
    for scopes in ["echo.say", "echo.say echo.watch"] {
        let key = keys.create(NewKey::for_organization("acme").scopes(scopes.parse()?)).await?; // auth
        println!("{scopes}: {}", key.reveal().as_str()); // auth
    } // auth
    let rules = PathRules::new([("/echo.v1.Echo/Say", "echo.say"), ("/echo.v1.Echo/Watch", "echo.watch")])?; // auth

    let cors = CorsLayer::permissive().expose_headers(["grpc-status".parse()?, "grpc-message".parse()?]);
    Server::builder()
        .accept_http1(true)
        .layer(TraceLayer::new_for_grpc())
        .layer(cors)
        .layer(AuthenticateLayer::new(store).grpc().public("/echo.v1.Echo/Open")?.rules(rules)) // auth
        .layer(GrpcWebLayer::new())
        .add_service(EchoServer::new(Service))
        .serve_with_incoming(TcpIncoming::from(applications::listen().await?))
        .await?;
    Ok(())
}
