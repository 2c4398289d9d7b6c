//! The processor time of a request in a server on the loopback interface.
//!
//! One process serves, this one sends requests. The kernel accounts the time of the server's only thread.

use std::io::{BufRead, BufReader, Write, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::groups::{BARE, BY_HAND, BY_HAND_SYNC, CRATE, FLOOR};
use tower_api_key_benches::keys;
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::order::Order;
use tower_api_key_benches::requests::Requests;
use tower_api_key_benches::stacks::by_hand::{self, OverFuture, OverSync};
use tower_api_key_benches::stacks::floor::Floor;
use tower_api_key_benches::stacks::{Body, Stack, bearer, inner, layer};
use tower_api_key_benches::statistics::median;

use crate::myself;

/// The stacks that are served.
pub(crate) const STACKS: [&str; 5] = [BARE, CRATE, BY_HAND, BY_HAND_SYNC, FLOOR];

const KEYS: usize = 1_000;
const ROOM: u64 = 100_000;

/// Connections that the client keeps open.
const CONNECTIONS: usize = 8;

/// Measures the nanoseconds of processor time per request, for each stack in each round.
pub(crate) fn measure(quick: bool) -> Vec<Vec<f64>> {
    let (rounds, requests) = if quick { (1, 4_000) } else { (9, 20_000) };
    let runtime = runtime();
    let mut servers: Vec<_> = STACKS.iter().map(|stack| runtime.block_on(Server::start(stack))).collect();
    let mut figures = vec![Vec::new(); servers.len()];
    for _ in 0..rounds {
        for (server, figures) in servers.iter_mut().zip(&mut figures) {
            figures.push(runtime.block_on(server.load(requests)));
        }
    }
    figures
}

/// Returns the time of each stack relative to that without a layer.
pub(crate) fn parts_of_bare(figures: &[Vec<f64>]) -> Vec<f64> {
    let part = |own: &Vec<f64>| median(own.iter().zip(&figures[0]).map(|(own, bare)| own / bare));
    figures.iter().map(part).collect()
}

/// Prints the time of each stack.
pub(crate) fn print(figures: &[Vec<f64>]) {
    let line = |((stack, rounds), part): ((&&str, &Vec<f64>), f64)| {
        [(*stack).to_owned(), thousands(median(rounds.iter().copied())), format!("{part:.3}")]
    };
    let lines: Vec<_> = STACKS.iter().zip(figures).zip(parts_of_bare(figures)).map(line).collect();
    markdown::print(["server on loopback", "processor, ns a request", "of bare"], 1, &lines);
}

/// A serving process with the connections to it.
struct Server {
    process: Child,
    connections: Vec<(SendRequest<Body>, Requests)>,
}

impl Server {
    async fn start(stack: &str) -> Self {
        let mut process = myself().args(["serve", stack]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address: SocketAddr = lines.next().unwrap().unwrap().parse().unwrap();
        let texts = keys::texts(KEYS);
        let mut connections = Vec::new();
        for connection in 0..CONNECTIONS {
            let requests = Requests::bearer(&texts, Order::InTurn).skip(connection * KEYS / CONNECTIONS);
            connections.push((connect(address).await, requests));
        }
        let mut server = Self { process, connections };
        server.load(10 * KEYS).await;
        server
    }

    /// Sends requests, and returns the nanoseconds of processor time per request.
    async fn load(&mut self, requests: usize) -> f64 {
        let before = self.time_on_processor();
        let each = requests / CONNECTIONS;
        let asking = self.connections.iter_mut().map(|(connection, order)| ask(connection, order, each));
        futures_util::future::join_all(asking).await;
        (self.time_on_processor() - before) / (each * CONNECTIONS) as f64
    }

    fn time_on_processor(&self) -> f64 {
        let file = format!("/proc/{}/schedstat", self.process.id());
        let account = std::fs::read_to_string(file).unwrap();
        account.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(connection: &mut SendRequest<Body>, requests: &mut Requests, times: usize) {
    for _ in 0..times {
        connection.ready().await.unwrap();
        let request: Request<Body> = requests.make();
        let response = connection.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap();
    }
}

/// Serves one of the stacks until the process is killed.
pub(crate) fn serve(stack: &str) {
    runtime().block_on(async {
        let texts = keys::texts(KEYS);
        let store = keys::store(&texts).await;
        match stack {
            BARE => listen(inner()).await,
            CRATE => listen(layer::new(store, ROOM).layer(inner())).await,
            BY_HAND => listen(by_hand::service(OverFuture::new(store, ROOM), bearer)).await,
            BY_HAND_SYNC => listen(by_hand::service(OverSync::new(store, ROOM), bearer)).await,
            FLOOR => {
                let records = texts.iter().enumerate().map(|(number, text)| keys::record(number, text));
                listen(Floor::new(inner(), records, bearer)).await;
            }
            other => panic!("no stack {other}"),
        }
    });
}

async fn listen(stack: impl Stack<Incoming>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    stdout().flush().unwrap();
    let server = hyper::server::conn::http1::Builder::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(stack.clone()));
        tokio::spawn(async move { connection.await.unwrap() });
    }
}
