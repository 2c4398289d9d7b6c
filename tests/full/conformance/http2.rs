//! HTTP/2 with prior knowledge, one stream for each exchange.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderName, HeaderValue, Request, Version};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::conformance::answer::Answer;
use crate::conformance::message::Message;

/// A connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Bytes>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        // Nagle's algorithm would delay small frames in both directions.
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { address, sender }
    }

    pub(crate) async fn exchange(&self, message: &Message) -> Answer {
        let start = Instant::now();
        let mut sender = self.sender.clone().ready().await.unwrap();
        let end_of_stream = message.body.is_empty();
        let (response, mut stream) = sender.send_request(self.encoded(message), end_of_stream).unwrap();
        if !end_of_stream {
            stream.send_data(message.body.clone().into(), true).unwrap();
        }
        let (parts, mut body) = response.await.unwrap().into_parts();
        let end_stream_on_headers = Some(body.is_end_stream());
        let mut bytes = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            bytes.extend_from_slice(&data);
        }
        Answer {
            interim: Vec::new(),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: bytes.freeze(),
            end_stream_on_headers,
            took: start.elapsed(),
        }
    }

    fn encoded(&self, message: &Message) -> Request<()> {
        let path = std::str::from_utf8(&message.path).unwrap();
        let mut request = Request::builder()
            .method(message.method.as_str())
            .uri(format!("http://{}{path}", self.address))
            .version(Version::HTTP_2)
            .body(())
            .unwrap();
        for (name, value) in &message.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request
    }
}
