//! Credentials in field values (RFC 9110 §11, RFC 6750 §2.1, RFC 7617 §2).

use crate::base64;

/// The length of the longest credential.
const LONGEST: usize = 512;

/// The symbols of `token68`.
const TOKEN68: &[u8; 68] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/";

/// A well-formed credential: the user, for schemes with one, and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub user: Option<String>,
    pub secret: Vec<u8>,
}

/// Returns the scheme in lower case, and the rest after the following spaces.
pub fn split(value: &[u8]) -> (Vec<u8>, &[u8]) {
    let value = trim(value);
    let (scheme, mut rest) = value.split_at(value.iter().take_while(|byte| is_token(**byte)).count());
    let scheme = scheme.to_ascii_lowercase();
    if !rest.starts_with(b" ") {
        // A credential is separated by spaces alone.
        return (scheme, b"");
    }
    while let Some(shorter) = rest.strip_prefix(b" ") {
        rest = shorter;
    }
    (scheme, rest)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns the tokens that a space or tab follows, in lower case.
pub fn words_before_blanks(value: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word) = (Vec::new(), Vec::new());
    for byte in trim(value) {
        if is_token(*byte) {
            word.push(byte.to_ascii_lowercase());
            continue;
        }
        let ended = std::mem::take(&mut word);
        if matches!(byte, b' ' | b'\t') {
            words.push(ended);
        }
    }
    words
}

/// Parses the rest of `Bearer`.
pub fn bearer(rest: &[u8]) -> Option<Pair> {
    let symbols = rest.iter().take_while(|byte| TOKEN68.contains(byte)).count();
    let padding_only = rest[symbols..].iter().all(|&byte| byte == b'=');
    (symbols > 0 && padding_only && rest.len() <= LONGEST).then(|| Pair { user: None, secret: rest.to_vec() })
}

/// Parses the rest of `Basic`.
pub fn basic(rest: &[u8]) -> Option<Pair> {
    if rest.len() > LONGEST {
        return None;
    }
    pair(&base64::decode(rest)?)
}

/// Parses the decoded bytes of a Basic credential.
pub fn pair(bytes: &[u8]) -> Option<Pair> {
    let text = String::from_utf8(bytes.to_vec()).ok().or_else(|| latin1(bytes))?;
    let colon = text.find(':')?;
    let has_control = text.chars().any(|c| c < ' ' || c == '\u{7f}');
    let (user, secret) = (text[..colon].to_owned(), text.as_bytes()[colon + 1..].to_vec());
    (!has_control && !secret.is_empty()).then_some(Pair { user: Some(user), secret })
}

/// Decodes bytes that are not UTF-8 as Latin-1, without its control characters (which ISO 8859-1 leaves to ISO 6429).
fn latin1(bytes: &[u8]) -> Option<String> {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    (!text.chars().any(|c| ('\u{80}'..'\u{a0}').contains(&c))).then_some(text)
}

/// Parses the value of a header that holds a key alone.
pub fn named(value: &[u8]) -> Option<Pair> {
    let value = trim(value);
    let visible = value.iter().all(|byte| (0x21..=0x7e).contains(byte) && *byte != b',');
    (visible && !value.is_empty() && value.len() <= LONGEST)
        .then(|| Pair { user: None, secret: value.to_vec() })
}

/// Removes spaces and tabs around a value.
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', shorter @ ..] | [shorter @ .., b' ' | b'\t'] = value {
        value = shorter;
    }
    value
}
