//! Clients that send a key, from a file, to one origin: hyper's, reqwest and a tonic channel.
//!
//! Start the example `hyper` (or `grpc`), write the key that it prints to a file, and run
//!
//! ```sh
//! cargo run --example client -- hyper http://127.0.0.1:3000/ key.txt
//! cargo run --example client -- reqwest http://127.0.0.1:3000/ key.txt
//! cargo run --example client -- tonic http://127.0.0.1:3000 key.txt
//! ```
//!
//! A client of an `https` origin is the same around a connector with TLS, such as that of `hyper-rustls`.

#![allow(clippy::print_stdout, reason = "an example writes to its user")]

use std::env;
use std::fmt::Display;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::Source;
use tower_api_key::client::{AttachKeyLayer, BoxError, ClientKey};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let [_, client, url, file] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: client (hyper|reqwest|tonic) URL FILE".into());
    };
    let url: Uri = url.parse()?;
    let origin = match (url.scheme(), url.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => return Err("URL must be absolute".into()),
    };
    let key = ClientKey::file(file).await?;
    match client.as_str() {
        "hyper" => with_hyper(AttachKeyLayer::new(&origin, Source::bearer(), key)?, url).await,
        "reqwest" => with_reqwest(AttachKeyLayer::new(&origin, Source::bearer(), key)?, url).await,
        // A channel adds the origin to its requests, below the layer.
        "tonic" => with_tonic(AttachKeyLayer::for_channel(&origin, Source::bearer(), key)?, origin).await,
        other => Err(format!("the client must be hyper, reqwest or tonic, got {other}").into()),
    }
}

async fn with_hyper(layer: AttachKeyLayer, url: Uri) -> Result<(), BoxError> {
    let client = Client::builder(TokioExecutor::new()).build_http(); // It follows no redirects.
    let client = ServiceBuilder::new().layer(layer).service(client);
    show(client.oneshot(Request::get(url).body(Full::<Bytes>::default())?).await?).await
}

async fn with_reqwest(layer: AttachKeyLayer, url: Uri) -> Result<(), BoxError> {
    // It would follow redirects below the layer, and take the header along.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let client = ServiceBuilder::new()
        .layer(layer)
        .map_response(Response::<reqwest::Body>::from)
        .filter(|request: Request<Bytes>| reqwest::Request::try_from(request))
        .service(client);
    show(client.oneshot(Request::get(url).body(Bytes::new())?).await?).await
}

async fn with_tonic(layer: AttachKeyLayer, origin: String) -> Result<(), BoxError> {
    let channel = Endpoint::from_shared(origin)?.connect_lazy();
    let mut client = HealthClient::new(ServiceBuilder::new().layer(layer).service(channel));
    let response = client.check(HealthCheckRequest::default()).await?.into_inner();
    println!("{}", response.status().as_str_name());
    Ok(())
}

async fn show<B>(response: Response<B>) -> Result<(), BoxError>
where
    B: http_body::Body,
    B::Error: Display,
{
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    println!("{status}\n{}", String::from_utf8_lossy(&body));
    Ok(())
}
