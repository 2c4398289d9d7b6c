//! Valid names of organizations, projects and people.

use serde::Deserialize;

/// The name of an organization or a project in paths: 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Deserialize, Clone)]
#[serde(try_from = "String")]
pub(crate) struct Slug(String);

/// An e-mail that a Basic credential can present: with an `@`, and without blanks and colons.
#[derive(Deserialize, Clone)]
#[serde(try_from = "String")]
pub(crate) struct Email(String);

impl TryFrom<String> for Slug {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(is_plain);
        if fits { Ok(Self(text)) } else { Err("must have 1 to 64 characters of a-z, 0-9 and -") }
    }
}

impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_symbol = |symbol: char| !symbol.is_control() && !symbol.is_whitespace() && symbol != ':';
        let whole =
            matches!(text.split_once('@'), Some((user, host)) if !user.is_empty() && !host.is_empty());
        let fits = text.len() <= 254 && whole && text.chars().all(is_symbol);
        if fits { Ok(Self(text)) } else { Err("must be an e-mail address") }
    }
}

impl AsRef<str> for Slug {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Email {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
