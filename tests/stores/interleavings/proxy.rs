//! A proxy to a PostgreSQL server that can hold back one message of a transaction, or lose its answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Which message is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The message with this number in a transaction, of which `BEGIN` is number 0.
    Number(usize),
    Commit,
}

/// The state of the held message, and of later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gate {
    Open,
    /// It is held: its statement.
    Held(String),
    /// It has continued, and its answer ends the connection.
    Lost,
}

/// Where a server listens.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Socket(PathBuf),
    Port(String, u16),
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl Address {
    async fn connect(&self) -> Pin<Box<dyn Stream>> {
        match self {
            Self::Socket(path) => Box::pin(UnixStream::connect(path).await.unwrap()),
            Self::Port(host, port) => Box::pin(TcpStream::connect((host.as_str(), *port)).await.unwrap()),
        }
    }
}

/// A local port that leads to the server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    gate: watch::Sender<Gate>,
    awaited: Arc<Mutex<Option<Which>>>,
}

impl Proxy {
    pub(crate) async fn to(server: Address) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (gate, awaited) = (watch::Sender::new(Gate::Open), Arc::default());
        let proxy = Self { port, gate, awaited };
        let (gate, awaited) = (proxy.gate.clone(), Arc::clone(&proxy.awaited));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = server.connect().await;
                tokio::spawn(carry(client, server, gate.clone(), Arc::clone(&awaited)));
            }
        });
        proxy
    }

    /// Holds the next matching message.
    pub(crate) fn hold(&self, which: Which) {
        *self.awaited.lock().unwrap() = Some(which);
    }

    /// Waits until the message is held, and returns its statement.
    pub(crate) async fn held(&self) -> String {
        let mut gate = self.gate.subscribe();
        let held = gate.wait_for(|gate| matches!(gate, Gate::Held(_)));
        match &*timeout(Duration::from_secs(30), held).await.unwrap().unwrap() {
            Gate::Held(statement) => statement.clone(),
            _ => unreachable!("it was waited for"),
        }
    }

    /// Lets the held message continue, and holds none.
    pub(crate) fn let_go(&self) {
        *self.awaited.lock().unwrap() = None;
        self.gate.send_replace(Gate::Open);
    }

    /// Lets the held message continue, and loses the answer together with the connection.
    pub(crate) fn lose_answer(&self) {
        self.gate.send_replace(Gate::Lost);
    }
}

/// Forwards messages in both directions until a side ends the connection.
async fn carry(
    client: TcpStream,
    server: Pin<Box<dyn Stream>>,
    gate: watch::Sender<Gate>,
    awaited: Arc<Mutex<Option<Which>>>,
) {
    client.set_nodelay(true).unwrap();
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = tokio::io::split(server);
    let requests = Requests { statements: HashMap::new(), number: None, gate: gate.clone(), awaited };
    tokio::select! {
        _ = requests.forward(client_in, server_out) => {}
        _ = answers(server_in, client_out, gate.subscribe()) => {}
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    gate: watch::Receiver<Gate>,
) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 || *gate.borrow() == Gate::Lost {
            return Ok(());
        }
        to.write_all(&piece[..length]).await?;
    }
}

/// The requests of a client on one connection.
struct Requests {
    /// The texts of statements by the names that the client gave them.
    statements: HashMap<Vec<u8>, String>,
    /// The number of the next message in the transaction, within one.
    number: Option<usize>,
    gate: watch::Sender<Gate>,
    awaited: Arc<Mutex<Option<Which>>>,
}

impl Requests {
    /// Forwards messages that are answered together as one.
    async fn forward(
        mut self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        // The first packet has no type.
        let start = body(&mut from).await?;
        to.write_all(&packet(None, &start)).await?;
        let (mut message, mut statement) = (Vec::new(), String::new());
        loop {
            let kind = from.read_u8().await?;
            let content = body(&mut from).await?;
            message.extend(packet(Some(kind), &content));
            let mut texts = content.split(|byte| *byte == 0);
            let mut next = || texts.next().unwrap_or_default().to_vec();
            match kind {
                b'Q' => statement = text(next()),
                b'P' => {
                    let name = next();
                    statement = text(next());
                    self.statements.insert(name, statement.clone());
                }
                b'B' => {
                    let _portal = next();
                    statement = self.statements.get(&next()).cloned().unwrap_or_default();
                }
                _ => {}
            }
            if matches!(kind, b'Q' | b'S' | b'X') {
                self.pass(&statement).await;
                to.write_all(&std::mem::take(&mut message)).await?;
            }
        }
    }

    /// Returns when the next message may continue.
    async fn pass(&mut self, statement: &str) {
        if statement.starts_with("BEGIN") {
            self.number = Some(0);
        }
        let Some(number) = self.number else { return };
        let is_over = statement.starts_with("COMMIT") || statement.starts_with("ROLLBACK");
        self.number = (!is_over).then_some(number + 1);
        let is_awaited = match *self.awaited.lock().unwrap() {
            Some(Which::Number(awaited)) => number == awaited,
            Some(Which::Commit) => statement == "COMMIT",
            None => false,
        };
        if is_awaited {
            *self.awaited.lock().unwrap() = None;
            let mut gate = self.gate.subscribe();
            self.gate.send_replace(Gate::Held(statement.to_owned()));
            let _ = gate.wait_for(|gate| !matches!(gate, Gate::Held(_))).await;
        }
    }
}

async fn body(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}

fn packet(kind: Option<u8>, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u32 + 4;
    kind.into_iter().chain(length.to_be_bytes()).chain(content.iter().copied()).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
