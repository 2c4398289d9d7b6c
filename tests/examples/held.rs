//! Requests whose bodies are held back, so that something can happen between the head and the effect.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Answer;
use crate::server::{Server, WAIT_TIMEOUT};

/// An admitted request of which only the rest of the body has not arrived.
pub(crate) struct Held {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Held {
    /// Sends a head and one byte of the body, once the server reads the body.
    pub(crate) async fn begin(
        server: &Server,
        method: Method,
        path: &str,
        (name, value): (&str, &str),
        body: &str,
    ) -> Self {
        let mut stream = connect(&server.url("")).await;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{name}: {value}\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        timeout(WAIT_TIMEOUT, stream.read_exact(&mut go_on)).await.expect("a word in time").unwrap();
        let go_on = String::from_utf8_lossy(&go_on);
        assert_eq!(go_on, "HTTP/1.1 100 Continue\r\n\r\n", "{method} {path} was not let in");
        let (first, rest) = body.as_bytes().split_at(1);
        stream.write_all(first).await.unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    /// Sends the rest of the body, and reads the response.
    pub(crate) async fn end(mut self) -> Answer {
        self.stream.write_all(&self.rest).await.unwrap();
        self.answer().await
    }

    /// Reads the response without sending more.
    pub(crate) async fn answer(mut self) -> Answer {
        let mut answer = Vec::new();
        let read = self.stream.read_to_end(&mut answer);
        timeout(WAIT_TIMEOUT, read).await.expect("an answer in time").unwrap();
        parse(&answer)
    }
}

/// Sends the head of a request, and the body once the server asks for it.
pub(crate) async fn expect(
    address: &str,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = connect(address).await;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut answer = vec![0; go_on.len()];
    timeout(WAIT_TIMEOUT, stream.read_exact(&mut answer)).await.expect("a word in time").unwrap();
    if answer == go_on {
        answer.clear();
        stream.write_all(body).await.unwrap();
    }
    timeout(WAIT_TIMEOUT, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    parse(&answer)
}

/// Sends an incomplete head, and waits until the server ends the connection.
pub(crate) async fn is_ended(address: String, sent: Vec<u8>) {
    let mut stream = connect(&address).await;
    stream.write_all(&sent).await.unwrap();
    // Data before the end does not matter, nor whether the end is a reset.
    let _ = timeout(WAIT_TIMEOUT, stream.read_to_end(&mut Vec::new())).await.expect("an end in time");
}

async fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address.replace("http://", "")).await.unwrap()
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let mut lines = std::str::from_utf8(&answer[..end]).unwrap().split("\r\n");
    let status: StatusCode = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Answer { status, headers, body: Bytes::copy_from_slice(&answer[end + 4..]) }
}
