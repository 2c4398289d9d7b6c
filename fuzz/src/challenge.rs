//! Parses one challenge (RFC 9110 §11.2, §11.3, §5.6).

/// A challenge: its scheme and its parameters, names in lower case, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    pub params: Vec<(String, Param)>,
}

/// The value of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub enum Param {
    Token(String),
    Quoted(String),
}

impl Challenge {
    /// Returns the value of a parameter written as a quoted string.
    pub fn quoted(&self, name: &str) -> Option<&str> {
        match self.params.iter().find(|(found, _)| found == name)? {
            (_, Param::Quoted(value)) => Some(value),
            (_, Param::Token(_)) => None,
        }
    }
}

/// Parses `auth-scheme 1*SP auth-param *( OWS "," OWS auth-param )` up to the end of the line. Rejects a second challenge and a repeated
/// parameter.
pub fn parse(line: &[u8]) -> Option<Challenge> {
    let (scheme, rest) = token(line)?;
    let mut rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let mut params: Vec<(String, Param)> = Vec::new();
    loop {
        let (name, after) = token(rest)?;
        let (value, after) = value(blank(after).strip_prefix(b"=").map(blank)?)?;
        let name = name.to_ascii_lowercase();
        if params.iter().any(|(earlier, _)| *earlier == name) {
            return None;
        }
        params.push((name, value));
        match blank(after) {
            [] => return Some(Challenge { scheme, params }),
            [b',', more @ ..] => rest = blank(more),
            _ => return None,
        }
    }
}

fn value(text: &[u8]) -> Option<(Param, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        return token(text).map(|(value, rest)| (Param::Token(value), rest));
    };
    let mut value = String::new();
    loop {
        let (byte, more) = match rest {
            [b'"', after @ ..] => return Some((Param::Quoted(value), after)),
            [b'\\', escaped, more @ ..] => (escaped, more),
            [plain, more @ ..] => (plain, more),
            [] => return None,
        };
        // Bytes beyond ASCII have no defined meaning.
        if !matches!(byte, b'\t' | b' '..=b'~') {
            return None;
        }
        value.push(char::from(*byte));
        rest = more;
    }
}

fn token(text: &[u8]) -> Option<(String, &[u8])> {
    let is_symbol = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().take_while(|byte| is_symbol(byte)).count();
    let name = String::from_utf8(text[..end].to_vec()).ok()?;
    (end > 0).then_some((name, &text[end..]))
}

fn blank(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', more @ ..] = text {
        text = more;
    }
    text
}

/// Tests the parser: a lenient one would find nothing.
///
/// # Panics
///
/// Panics if it accepts a line that is not one challenge, or misreads one.
pub fn test_parser() {
    let challenge = parse(br#"Basic realm="a \"b\\", Charset = UTF-8"#).expect("one challenge");
    assert_eq!(challenge.quoted("realm"), Some(r#"a "b\"#));
    assert_eq!(challenge.params[1], ("charset".to_owned(), Param::Token("UTF-8".to_owned())));
    for line in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer =a",
        "Bearer realm=",
        r#"Bearer realm="a"#,
        r#"Bearer realm="a\"#,
        r#"Bearer realm="a"b""#,
        r#"Bearer realm="a" error="b""#,
        r#"Bearer realm="a", Realm="b""#,
        r#"Bearer realm="a", Basic realm="b""#,
        "Bearer realm=\"\u{e9}\"",
    ] {
        assert_eq!(parse(line.as_bytes()), None, "{line}");
    }
}
