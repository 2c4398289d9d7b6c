//! A proxy before a server that can refuse, close, reset, delay or swallow connections.

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

/// A local port that forwards to the server.
pub(crate) struct Proxy {
    address: SocketAddr,
    server: watch::Sender<Address>,
    connections: Arc<AtomicU64>,
    state: watch::Sender<State>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// The treatment of bytes and connections. Connections are numbered.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// The delay of each chunk.
    delay: Duration,
    /// Nothing passes, without an error.
    is_silent: bool,
    /// Nothing passes any more on connections below this number, without an error.
    lost: u64,
    /// Connections below these numbers are closed, or reset.
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
                tokio::spawn(relay(client, server, number, state.clone()));
            }
        });
        *self.accepting.lock().await = Some(accepting);
    }

    /// Forwards to another server from the next connection on.
    pub(crate) fn redirect(&self, server: Address) {
        self.server.send_replace(server);
    }

    /// Closes all connections.
    pub(crate) fn close(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.closed = all);
    }

    /// Resets all connections.
    pub(crate) fn reset(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.reset = all);
    }

    /// Keeps all connections open but forwards nothing on them any more, like a firewall that has dropped their state.
    pub(crate) fn lose(&self) {
        let all = self.connections.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.lost = all);
    }

    /// Swallows all bytes until it is [healed](Self::heal).
    pub(crate) fn silence(&self) {
        self.state.send_modify(|state| state.is_silent = true);
    }

    pub(crate) fn delay(&self, by: Duration) {
        self.state.send_modify(|state| state.delay = by);
    }

    /// Refuses connections until it is [healed](Self::heal), and closes the existing ones.
    pub(crate) async fn refuse(&self) {
        if let Some(accepting) = self.accepting.lock().await.take() {
            accepting.abort();
            // The listener is closed when the task has ended.
            let _ = accepting.await;
        }
        self.close();
    }

    /// Ends all faults, for new connections and for those that were not closed or lost.
    pub(crate) async fn heal(&self) {
        self.state.send_modify(|state| (state.delay, state.is_silent) = (Duration::ZERO, false));
        if self.accepting.lock().await.is_none() {
            let listener = loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    // Another connection of this machine may use the port.
                    Err(_) => pass(Duration::from_millis(5)).await,
                }
            };
            self.accept(listener).await;
        }
    }
}

/// Forwards bytes in both directions until either end or the proxy closes the connection.
async fn relay(mut client: TcpStream, server: Address, number: u64, mut state: watch::Receiver<State>) {
    // A silent network opens no connections either.
    if wait_to_pass(&mut state, number).await.is_none() {
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
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut chunk).await?;
        let Some(delay) = wait_to_pass(&mut state, number).await else { return Ok(()) };
        if length == 0 {
            return to.shutdown().await;
        }
        if !delay.is_zero() {
            pass(delay).await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}

/// Waits until a chunk may pass, and returns its delay; `None` when the proxy was dropped.
async fn wait_to_pass(state: &mut watch::Receiver<State>, number: u64) -> Option<Duration> {
    let goes = state.wait_for(|state| !state.is_silent && number >= state.lost).await;
    goes.ok().map(|state| state.delay)
}
