//! `WWW-Authenticate`: what a client may present. Built and checked once, when the authenticator is.

use http::HeaderValue;

use super::{Challenge, Reason, Rejection};
use crate::ascii::{all, describe_first_wrong};
use crate::credential::{Scheme, Sources};
use crate::error::{ConfigError, ConfigErrorKind};

/// The challenges of every source. One line each: several on one line do not interoperate (RFC 9110 §11.6.1).
pub(super) struct Challenges(Box<[Offer]>);

struct Offer {
    scheme: Scheme,
    text: Box<str>,
    plain: HeaderValue,
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
            let found = describe_first_wrong(realm.as_bytes(), is_text);
            let message = format!("expected a realm of visible ASCII and spaces, found {found}");
            return Err(ConfigError::new(ConfigErrorKind::Realm, message));
        }
        let realm = quoted(realm);
        sources.iter().map(|source| Offer::new(source.scheme(), &realm)).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the challenges that go with a rejection.
    pub(super) fn lines(&self, rejection: &Rejection) -> Vec<HeaderValue> {
        match rejection.reason.row().challenge {
            Challenge::No => Vec::new(),
            Challenge::Offer => self.0.iter().map(|offer| offer.plain.clone()).collect(),
            Challenge::Every(error) => self.0.iter().map(|offer| offer.with(error, None)).collect(),
            Challenge::Presented(error) => {
                let scope = match &rejection.reason {
                    Reason::MissingScope(requirement) => Some(requirement.scopes().to_string()),
                    _ => None,
                };
                // A rejection of no scheme was made by hand; one challenge is due all the same.
                let presented = self.0.iter().find(|offer| Some(&offer.scheme) == rejection.scheme.as_ref());
                let offer = presented.or(self.0.first());
                offer.map(|offer| offer.with(error, scope.as_deref())).into_iter().collect()
            }
        }
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
        let plain = HeaderValue::try_from(&text)
            .map_err(|error| ConfigError::new(ConfigErrorKind::Realm, error.to_string()))?;
        Ok(Self { scheme: scheme.clone(), text: text.into(), plain })
    }

    /// Adds the attributes of RFC 6750 §3. Scopes hold no character that would need escaping.
    fn with(&self, error: &str, scope: Option<&str>) -> HeaderValue {
        let text = &self.text;
        let line = match scope {
            Some(scope) => format!("{text}, error=\"{error}\", scope=\"{scope}\""),
            None => format!("{text}, error=\"{error}\""),
        };
        HeaderValue::try_from(line).unwrap_or_else(|_| self.plain.clone())
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
    use crate::credential::Source;
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
            r#"Basic realm="a\"b\\c", charset="UTF-8""#,
            r#"ApiKey realm="a\"b\\c", header="x-api-key""#,
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
