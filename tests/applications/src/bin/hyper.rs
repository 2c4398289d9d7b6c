//! A hyper service with its keys in the environment: a greeting, and an echo over a websocket.
//!
//! `API_KEYS="NAME=KEY:SCOPE SCOPE;NAME=KEY:SCOPE" ADDR=127.0.0.1:3103 cargo run --bin hyper`
//!
//! Lines that exist for authentication are marked.

use std::convert::Infallible;

use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_tungstenite::HyperWebsocket;
use hyper_tungstenite::tungstenite::Message;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tower::ServiceBuilder;
use tower_api_key::backend::backend_fn; // auth
use tower_api_key::digest::Digester; // auth
use tower_api_key::{AuthenticateLayer, Authenticator, Owner, Principal, Record, Source}; // auth

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut keys = Vec::<Record>::new(); // auth
    // auth
    for entry in applications::setting("API_KEYS")?.split(';') {
        let (id, rest) = entry.split_once('=').ok_or("API_KEYS must be NAME=KEY:SCOPES, got no `=`")?; // auth
        let (key, scopes) = rest.split_once(':').ok_or("API_KEYS must be NAME=KEY:SCOPES, got no `:`")?; // auth
        let digest = Digester::sha256().digest(key.as_bytes()); // auth
        keys.push(Record::imported(id.parse()?, digest, Owner::organization("self")).scopes(scopes.parse()?)); // auth
    } // auth
    let find = move |digest| std::future::ready(Ok(keys.iter().find(|key| key.digest == digest).cloned())); // auth
    let authenticator = Authenticator::builder(backend_fn(find)).sources([Source::x_api_key()]).build()?; // auth
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator)).service_fn(answer); // auth

    let listener = applications::listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // A client that hangs up is no error of the service.
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let caller = request.extensions().get::<Principal>().expect("the layer").key_id().to_string(); // auth
    if request.uri().path() != "/ws" {
        return Ok(Response::new(format!("hello {caller}\n").into()));
    }
    Ok(match hyper_tungstenite::upgrade(&mut request, None) {
        Ok((response, socket)) => {
            tokio::spawn(echo(caller, socket));
            response
        }
        Err(error) => {
            let mut response = Response::new(format!("{error}\n").into());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    })
}

/// Greets the caller, and sends its messages back.
async fn echo(caller: String, socket: HyperWebsocket) -> Result<(), hyper_tungstenite::tungstenite::Error> {
    let mut socket = socket.await?;
    socket.send(Message::text(format!("hello {caller}"))).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
