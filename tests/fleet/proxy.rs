//! A way to a server that can be broken: refused, cut, reset, slow, or silent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::clients::pass;
use crate::database::Address;

/// A port of this machine from which bytes go to the server.
pub(crate) struct Proxy {
    address: SocketAddr,
    server: watch::Sender<Address>,
    connections: Arc<AtomicU64>,
    state: watch::Sender<State>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// What becomes of bytes and connections. Connections are known by their numbers.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// How long each piece is kept back.
    delay: Duration,
    /// Nothing goes through, and nobody is told.
    is_silent: bool,
    /// Nothing goes through any more on connections below this one, and nobody is told.
    lost: u64,
    /// Connections below these end: in good order, or with a reset.
    closed: u64,
    reset: u64,
}

impl Proxy {
    pub(crate) async fn start(server: Address) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            server: watch::Sender::new(server),
            connections: Arc::default(),
            state: watch::Sender::default(),
            accepting: Mutex::default(),
        };
        proxy.accept(listener).await;
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    async fn accept(&self, listener: TcpListener) {
        let (server, connections, state) =
            (self.server.subscribe(), Arc::clone(&self.connections), self.state.subscribe());
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let server = server.borrow().clone();
                tokio::spawn(carry(client, server, number, state.clone()));
            }
        });
        *self.accepting.lock().await = Some(accepting);
    }

    /// Leads to another server from the next connection on.
    pub(crate) fn lead_to(&self, server: Address) {
        self.server.send_replace(server);
    }

    /// Ends all connections in good order.
    pub(crate) fn close(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.closed = all);
    }

    /// Ends all connections with a reset.
    pub(crate) fn reset(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.reset = all);
    }

    /// Lets all connections go on without ever carrying a byte again, as a firewall does that has forgotten them.
    pub(crate) fn lose(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.lost = all);
    }

    /// Carries nothing, and says nothing, until it is [healed](Self::heal).
    pub(crate) fn fall_silent(&self) {
        self.state.send_modify(|state| state.is_silent = true);
    }

    pub(crate) fn delay(&self, by: Duration) {
        self.state.send_modify(|state| state.delay = by);
    }

    /// Accepts no connections until it is [healed](Self::heal), and ends those that there are.
    pub(crate) async fn refuse(&self) {
        if let Some(accepting) = self.accepting.lock().await.take() {
            accepting.abort();
            // The listener is gone when the task is.
            let _ = accepting.await;
        }
        self.close();
    }

    /// Is as good as new to connections that come from now on, and to those that were not ended or lost.
    pub(crate) async fn heal(&self) {
        self.state.send_modify(|state| (state.delay, state.is_silent) = (Duration::ZERO, false));
        if self.accepting.lock().await.is_none() {
            let listener = loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    // Someone may have the port for a connection of theirs.
                    Err(_) => pass(Duration::from_millis(5)).await,
                }
            };
            self.accept(listener).await;
        }
    }
}

/// Carries bytes in both directions until one of the two, or the proxy, ends the connection.
async fn carry(mut client: TcpStream, server: Address, number: u64, mut state: watch::Receiver<State>) {
    // A silent network does not open connections either.
    if through(&mut state, number).await.is_none() {
        return;
    }
    let Ok(server) = server.connect().await else { return };
    let _ = client.set_nodelay(true);
    let (server_in, server_out) = tokio::io::split(server);
    let (client_in, client_out) = client.split();
    let ended = {
        let mut state = state.clone();
        async move { state.wait_for(|state| number < state.closed.max(state.reset)).await.is_ok() }
    };
    tokio::select! {
        _ = ended => {}
        _ = forward(client_in, server_out, number, state.clone()) => {}
        _ = forward(server_in, client_out, number, state.clone()) => {}
    }
    if number < state.borrow().reset {
        let _ = client.set_zero_linger();
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        let Some(delay) = through(&mut state, number).await else { return Ok(()) };
        if length == 0 {
            return to.shutdown().await;
        }
        if !delay.is_zero() {
            pass(delay).await;
        }
        to.write_all(&piece[..length]).await?;
    }
}

/// Waits until a piece may go through, and returns how long it is kept back; `None` when the proxy is gone.
async fn through(state: &mut watch::Receiver<State>, number: u64) -> Option<Duration> {
    let goes = state.wait_for(|state| !state.is_silent && number >= state.lost).await;
    goes.ok().map(|state| state.delay)
}
