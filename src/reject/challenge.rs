//! `WWW-Authenticate`: what a client may present. Built and checked once, when the authenticator is.

use http::HeaderValue;

use super::{Challenge, Reason, Rejection};
use crate::ascii::{all, describe_first_invalid};
use crate::credential::{Scheme, Source, Sources};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::scope::Scopes;

/// The challenges of every source, in their order, Basic last. One line each: several on one line do not interoperate (RFC 9110 §11.6.1).
///
/// Some clients, such as wget, take the last scheme that they are offered, and give up where it is one that they do not know.
pub(super) struct Challenges(Box<[Offer]>);

/// The challenge of one source, alone and with each error of RFC 6750 §3.1.
struct Offer {
    scheme: Scheme,
    plain: HeaderValue,
    invalid_request: HeaderValue,
    invalid_token: HeaderValue,
    insufficient_scope: HeaderValue,
}

impl Challenges {
    /// Builds the challenges of `sources`.
    ///
    /// # Errors
    ///
    /// When the realm cannot stand in a quoted string (RFC 9110 §5.6.4).
    pub(super) fn new(sources: &Sources, realm: &str) -> Result<Self, ConfigError> {
        let is_text = |byte: u8| matches!(byte, b' '..=b'~');
        if !all(realm.as_bytes(), is_text) {
            let found = describe_first_invalid(realm.as_bytes(), is_text);
            let message = format!("expected a realm of visible ASCII and spaces, found {found}");
            return Err(ConfigError::new(ConfigErrorKind::Realm, message));
        }
        let realm = quoted(realm);
        let (basic, others): (Vec<_>, Vec<_>) =
            sources.iter().map(Source::scheme).partition(|scheme| **scheme == Scheme::Basic);
        let all = others.into_iter().chain(basic);
        all.map(|scheme| Offer::new(scheme, &realm)).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the challenges that go with a rejection.
    pub(super) fn lines(&self, rejection: &Rejection) -> Vec<HeaderValue> {
        match rejection.reason.row().challenge {
            Challenge::No => Vec::new(),
            Challenge::Offer => self.0.iter().map(|offer| offer.plain.clone()).collect(),
            Challenge::InvalidRequest => self.0.iter().map(|offer| offer.invalid_request.clone()).collect(),
            Challenge::InvalidToken => vec![self.presented(rejection).invalid_token.clone()],
            Challenge::InsufficientScope => {
                let offer = self.presented(rejection);
                match &rejection.reason {
                    Reason::MissingScope(requirement) => vec![offer.with_scopes(requirement.scopes())],
                    _ => vec![offer.insufficient_scope.clone()],
                }
            }
        }
    }

    /// Returns the challenge of the scheme that was presented. A rejection of no scheme was made by hand; one challenge is
    /// due all the same.
    fn presented(&self, rejection: &Rejection) -> &Offer {
        let presented = self.0.iter().find(|offer| Some(&offer.scheme) == rejection.scheme.as_ref());
        // OK because a set of sources is never empty.
        presented.unwrap_or(&self.0[0])
    }
}

impl Offer {
    fn new(scheme: &Scheme, realm: &str) -> Result<Self, ConfigError> {
        let text = match scheme {
            Scheme::Bearer => format!("Bearer realm={realm}"),
            Scheme::Basic => format!("Basic realm={realm}, charset=\"UTF-8\""),
            // There is no registered scheme for a key in a header of its own; this is the name in common use.
            Scheme::Header(name) => format!("ApiKey realm={realm}, header=\"{name}\""),
        };
        let value = |text: String| {
            HeaderValue::try_from(text)
                .map_err(|error| ConfigError::new(ConfigErrorKind::Realm, error.to_string()))
        };
        let with = |error: &str| value(format!("{text}, error=\"{error}\""));
        Ok(Self {
            scheme: scheme.clone(),
            invalid_request: with("invalid_request")?,
            invalid_token: with("invalid_token")?,
            insufficient_scope: with("insufficient_scope")?,
            plain: value(text)?,
        })
    }

    /// Names the scopes that were asked for. They hold no character that would need escaping.
    fn with_scopes(&self, scopes: &Scopes) -> HeaderValue {
        let mut line = self.insufficient_scope.as_bytes().to_vec();
        line.extend_from_slice(format!(", scope=\"{scopes}\"").as_bytes());
        HeaderValue::try_from(line).unwrap_or_else(|_| self.insufficient_scope.clone())
    }
}

/// Writes a quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Requirement;

    fn lines(rejection: &Rejection) -> Vec<String> {
        let sources = Sources::new([Source::bearer(), Source::basic(), Source::x_api_key()]).unwrap();
        let challenges = Challenges::new(&sources, "a\"b\\c").unwrap();
        challenges.lines(rejection).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn without_a_credential_every_scheme_is_offered_without_an_error() {
        let expected = [
            r#"Bearer realm="a\"b\\c""#,
            r#"ApiKey realm="a\"b\\c", header="x-api-key""#,
            r#"Basic realm="a\"b\\c", charset="UTF-8""#,
        ];
        assert_eq!(lines(&Rejection::new(Reason::Missing)), expected);
    }

    #[test]
    fn the_scheme_that_was_presented_is_answered() {
        let basic = Rejection::new(Reason::Unknown).presented(Scheme::Basic);
        assert_eq!(lines(&basic), [r#"Basic realm="a\"b\\c", charset="UTF-8", error="invalid_token""#]);

        let requirement = Requirement::all_of(["a.read", "b:write"]).unwrap();
        let scope = Rejection::new(Reason::MissingScope(requirement)).presented(Scheme::Bearer);
        let expected = r#"Bearer realm="a\"b\\c", error="insufficient_scope", scope="a.read b:write""#;
        assert_eq!(lines(&scope), [expected]);
    }

    #[test]
    fn a_realm_that_would_break_the_header_is_refused() {
        for realm in ["x\r\nSet-Cookie: a=b", "a\0b", "caf\u{e9}", "\u{7f}"] {
            let error = Challenges::new(&Sources::default(), realm).err().expect("an error");
            assert_eq!(error.kind(), ConfigErrorKind::Realm, "{realm:?}");
        }
    }
}
