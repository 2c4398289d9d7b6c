//! HTTP/1.1 as bytes on a socket, without normalisation.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::conformance::answer::Answer;
use crate::conformance::message::Message;

pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new() }
    }

    /// Sends a request, and returns the response without waiting for the end of the connection.
    pub(crate) async fn exchange(&mut self, message: &Message) -> Answer {
        let start = Instant::now();
        let bytes = encoded(message);
        let (mut reader, mut writer) = self.stream.split();
        // Concurrently, because a server may answer and close before it has read everything.
        let (sent, answer) =
            tokio::join!(writer.write_all(&bytes), read_answer(&mut reader, &mut self.unread, message));
        drop(sent);
        Answer { took: start.elapsed(), ..answer }
    }

    /// Reads until the server closes the connection. Closes the sending half unless the server has announced its close.
    pub(crate) async fn end(mut self, answer: &Answer) -> Vec<u8> {
        if !announces_close(answer) {
            // Fails if the server has closed already, to the same effect.
            self.stream.shutdown().await.ok();
        }
        // A reset ends the connection as well.
        self.stream.read_to_end(&mut self.unread).await.ok();
        self.unread
    }
}

/// Makes one exchange on a connection of its own, and asserts that exactly one response follows.
pub(crate) async fn exchange(address: SocketAddr, message: &Message) -> Answer {
    let mut connection = Connection::open(address).await;
    let answer = connection.exchange(message).await;
    let rest = connection.end(&answer).await;
    if message.method == "HEAD" {
        // Any bytes after the head are content that must not exist.
        return Answer { body: rest.into(), ..answer };
    }
    assert!(rest.is_empty(), "bytes after the response: {:?}", String::from_utf8_lossy(&rest));
    answer
}

pub(crate) fn announces_close(answer: &Answer) -> bool {
    answer.headers.get(header::CONNECTION).is_some_and(|value| value == "close")
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = format!("{} ", message.method).into_bytes();
    bytes.extend_from_slice(&message.path);
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in &message.headers {
        bytes.extend_from_slice(format!("{name}: ").as_bytes());
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    if !message.body.is_empty() && !message.has_header("content-length") {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", message.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&message.body);
    bytes
}

async fn read_answer(
    reader: &mut (impl AsyncRead + Unpin),
    unread: &mut Vec<u8>,
    message: &Message,
) -> Answer {
    let mut interim = Vec::new();
    let (status, headers) = loop {
        let (status, headers) = read_head(reader, unread).await;
        if status >= 200 {
            break (status, headers);
        }
        interim.push(status);
    };
    assert!(!headers.contains_key(header::TRANSFER_ENCODING), "this client reads no chunks");
    let length = match headers.get(header::CONTENT_LENGTH) {
        Some(length) if message.method != "HEAD" => length.to_str().unwrap().parse().unwrap(),
        _ => 0,
    };
    while unread.len() < length {
        read_more(reader, unread).await;
    }
    let body = unread.drain(..length).collect::<Vec<u8>>().into();
    let took = std::time::Duration::ZERO;
    Answer { interim, status, headers, body, end_stream_on_headers: None, took }
}

async fn read_head(reader: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> (u16, HeaderMap) {
    const END: &[u8] = b"\r\n\r\n";
    let length = loop {
        match unread.windows(END.len()).position(|window| window == END) {
            Some(position) => break position + END.len(),
            None => read_more(reader, unread).await,
        }
    };
    let head: Vec<u8> = unread.drain(..length).collect();
    let head = String::from_utf8(head).expect("a head of ASCII");
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.parse::<HeaderName>().unwrap(), value.trim().parse::<HeaderValue>().unwrap())
    });
    let mut map = HeaderMap::new();
    headers.for_each(|(name, value)| {
        map.append(name, value);
    });
    (status, map)
}

async fn read_more(reader: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) {
    let read = reader.read_buf(unread).await.unwrap();
    assert_ne!(read, 0, "the connection ended within a response");
}
