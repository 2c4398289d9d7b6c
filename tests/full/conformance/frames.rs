//! HTTP/2 frames by hand, for requests that no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::conformance::message::Message;

/// A server's reaction to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It reset the stream or closed the connection.
    Rejected,
    /// It answered with a status of this first digit.
    Answered(u8),
}

const END_STREAM_AND_HEADERS: u8 = 0x1 | 0x4;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;

pub(crate) async fn exchange(address: SocketAddr, message: &Message) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 1, &field_block(message)));
    stream.write_all(&bytes).await.unwrap();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return Reply::Rejected;
        }
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match kind {
            HEADERS => return Reply::Answered(first_digit_of_status(&payload)),
            RST_STREAM | GOAWAY => return Reply::Rejected,
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Writes literals without indexing and without Huffman coding (RFC 7541 §6.2.2).
fn field_block(message: &Message) -> Vec<u8> {
    let pseudo = [
        (":method", message.method.as_bytes()),
        (":scheme", b"http"),
        (":authority", b"localhost"),
        (":path", &message.path),
    ];
    let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let mut block = Vec::new();
    for (name, value) in pseudo.into_iter().chain(headers) {
        block.push(0);
        for text in [name.as_bytes(), value] {
            let length = u8::try_from(text.len()).unwrap();
            assert!(length < 127, "this encoder writes lengths of one byte");
            block.push(length);
            block.extend(text);
        }
    }
    block
}

/// Reads the first digit of `:status`, the first field (RFC 7541 §6.1, §6.2 and appendices).
fn first_digit_of_status(block: &[u8]) -> u8 {
    const HUFFMAN: u8 = 0x80;
    match *block {
        [indexed, ..] if indexed & 0x80 != 0 => match indexed & 0x7f {
            8..=10 => 2,
            11 => 3,
            12 | 13 => 4,
            14 => 5,
            other => panic!("no status has the index {other}"),
        },
        // The code of `2` has five bits, those of `3` to `5` have six.
        [_, length, text, ..] if length & HUFFMAN != 0 => match text >> 2 {
            0b00_0100 | 0b00_0101 => 2,
            code @ 0b01_1001..=0b01_1011 => code - 0b01_1001 + 3,
            other => panic!("no status starts with {other:#b}"),
        },
        [_, _, text, ..] => text - b'0',
        _ => panic!("no status in {block:?}"),
    }
}
