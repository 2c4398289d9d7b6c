//! The header by which a client presents a key.

// Layer 1 of 10: words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use super::{Scheme, Source};

impl Source {
    /// Returns the header that this source reads.
    pub(crate) fn header_name(&self) -> HeaderName {
        match self.scheme() {
            Scheme::Bearer | Scheme::Basic => header::AUTHORIZATION,
            Scheme::Header(name) => name.clone(),
        }
    }

    /// Returns the header value that presents `secret`, with Basic beside `user`: sensitive, and wiped with its last clone. `None`
    /// if this source would reject it, or read another pair from it.
    pub(crate) fn present(&self, user: &str, secret: &str) -> Option<HeaderValue> {
        let (scheme, credential) = match self.scheme() {
            Scheme::Bearer => ("Bearer ", Zeroizing::new(secret.to_owned())),
            Scheme::Basic => ("Basic ", encode_pair(user, secret)?),
            Scheme::Header(_) => ("", Zeroizing::new(secret.to_owned())),
        };
        let user = matches!(self.scheme(), Scheme::Basic).then_some(user);
        let mut buffer = None;
        let presented = self.split(credential.as_bytes(), &mut buffer)?;
        if presented != (user, secret.as_bytes()) || !self.accepts(secret.as_bytes()) {
            return None;
        }
        let value = Zeroizing::new([scheme, &credential].concat().into_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn encode_pair(user: &str, secret: &str) -> Option<Zeroizing<String>> {
    let pair = Zeroizing::new([user, ":", secret].concat());
    // Long enough from the start: a buffer that grows leaves unwiped copies behind.
    let mut encoded = Zeroizing::new(vec![0; base64::encoded_len(pair.len(), true)?]);
    STANDARD.encode_slice(pair.as_bytes(), &mut encoded).ok()?;
    std::str::from_utf8(&encoded).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyFormat;

    fn shown(source: &Source, user: &str, secret: &str) -> Option<String> {
        let value = source.present(user, secret)?;
        assert!(value.is_sensitive());
        Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_key_is_presented_as_the_source_reads_it() {
        let show = |source: Source| (source.header_name().to_string(), shown(&source, "ada@acme.com", "k3y"));
        let row = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(show(Source::bearer()), row("authorization", "Bearer k3y"));
        assert_eq!(show(Source::basic()), row("authorization", "Basic YWRhQGFjbWUuY29tOmszeQ=="));
        assert_eq!(show(Source::x_api_key()), row("x-api-key", "k3y"));
        assert_eq!(show(Source::header("Device-Key").unwrap()), row("device-key", "k3y"));
    }

    #[test]
    fn a_key_that_the_source_would_reject_is_not_presented() {
        let long = "k".repeat(513);
        for secret in ["", "a b", "a,b", "k\n", " k", "k\u{e9}", "Bearer k", &long] {
            for source in [Source::bearer(), Source::x_api_key()] {
                assert_eq!(shown(&source, "", secret), None, "{secret:?}");
            }
        }
        let formatted = Source::bearer().format(KeyFormat::new("mem").unwrap());
        assert_eq!(shown(&formatted, "", "hunter2"), None);
        // The first colon ends the user, so a server would read another pair.
        for (user, secret) in [("a:b", "k"), ("", "k"), ("a", ""), ("a", "k\n"), ("a", &*"k".repeat(384))] {
            assert_eq!(shown(&Source::basic(), user, secret), None, "{user:?} {secret:?}");
        }
        assert!(shown(&Source::basic().empty_user(), "", "k").is_some());
        assert!(shown(&Source::basic(), "a", "k\u{e9} :k").is_some());
    }
}
