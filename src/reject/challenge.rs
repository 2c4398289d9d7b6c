//! Challenges: the schemes that a client may present (`WWW-Authenticate`). Built and checked once, with the authenticator.

use http::{HeaderName, HeaderValue};

use crate::ascii::{all, describe_first_invalid};
use crate::credential::{Scheme, Source, Sources};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::reason::{Challenge, Reason};
use crate::scope::Scopes;

/// The challenges of every source, in their order, Basic last. One line each: several on one line do not interoperate (RFC 9110 §11.6.1).
///
/// Some clients, such as wget, use the last scheme that they are offered, and give up if they do not know it.
pub(super) struct Challenges(Box<[SchemeChallenge]>);

/// The challenge of one source, alone and with each error of RFC 6750 §3.1.
#[derive(Clone)]
struct SchemeChallenge {
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
            let message = format!("the realm must be visible ASCII and spaces, got {found}");
            return Err(ConfigError::new(ConfigErrorKind::Realm, message));
        }
        let realm = quoted(realm);
        let (basic, others): (Vec<_>, Vec<_>) =
            sources.iter().map(Source::scheme).partition(|scheme| **scheme == Scheme::Basic);
        let all = others.into_iter().chain(basic);
        all.map(|scheme| SchemeChallenge::new(scheme, &realm)).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the challenges of all, each once, Basic last.
    pub(super) fn any_of<'c>(all: impl Iterator<Item = &'c Self>) -> Self {
        let (mut basic, mut others): (Vec<SchemeChallenge>, Vec<_>) = Default::default();
        for challenge in all.flat_map(|challenges| &challenges.0) {
            let list = if challenge.scheme == Scheme::Basic { &mut basic } else { &mut others };
            if !list.iter().any(|listed: &SchemeChallenge| listed.plain == challenge.plain) {
                list.push(challenge.clone());
            }
        }
        others.append(&mut basic);
        Self(others.into())
    }

    /// Returns whether a source reads keys from this header alone.
    pub(super) fn is_of_header(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|challenge| matches!(&challenge.scheme, Scheme::Header(own) if own == name))
    }

    /// Returns the challenges of a rejection for `reason` of a credential that was `presented` in this way.
    pub(super) fn lines(&self, reason: &Reason, presented: Option<&Scheme>) -> Vec<HeaderValue> {
        let of_all = |line: fn(&SchemeChallenge) -> &HeaderValue| self.0.iter().map(line).cloned().collect();
        match reason.row().challenge {
            Challenge::No => Vec::new(),
            Challenge::Offer => of_all(|scheme| &scheme.plain),
            Challenge::InvalidRequest => of_all(|scheme| &scheme.invalid_request),
            Challenge::InvalidToken => vec![self.of(presented).invalid_token.clone()],
            Challenge::InsufficientScope => {
                let challenge = self.of(presented);
                match reason {
                    Reason::MissingScope(requirement) => vec![challenge.with_scopes(requirement.scopes())],
                    _ => vec![challenge.insufficient_scope.clone()],
                }
            }
        }
    }

    /// Returns the challenge of a scheme. A rejection without a scheme was created by the application, and has one challenge all the same.
    fn of(&self, scheme: Option<&Scheme>) -> &SchemeChallenge {
        let presented = self.0.iter().find(|challenge| Some(&challenge.scheme) == scheme);
        // OK because a set of sources is never empty.
        presented.unwrap_or(&self.0[0])
    }
}

impl SchemeChallenge {
    fn new(scheme: &Scheme, realm: &str) -> Result<Self, ConfigError> {
        let text = match scheme {
            Scheme::Bearer => format!("Bearer realm={realm}"),
            Scheme::Basic => format!("Basic realm={realm}, charset=\"UTF-8\""),
            // No scheme is registered for a key in a separate header; this is the name in common use.
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

    /// Adds the required scopes. They have no character that needs escaping.
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

    fn lines(reason: &Reason, presented: Option<&Scheme>) -> Vec<String> {
        let sources = Sources::new([Source::bearer(), Source::basic(), Source::x_api_key()]).unwrap();
        let challenges = Challenges::new(&sources, "a\"b\\c").unwrap();
        challenges.lines(reason, presented).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn without_a_credential_every_scheme_is_offered_without_an_error() {
        let expected = [
            r#"Bearer realm="a\"b\\c""#,
            r#"ApiKey realm="a\"b\\c", header="x-api-key""#,
            r#"Basic realm="a\"b\\c", charset="UTF-8""#,
        ];
        assert_eq!(lines(&Reason::Missing, None), expected);
    }

    #[test]
    fn the_scheme_that_was_presented_is_answered() {
        let basic = lines(&Reason::Unknown, Some(&Scheme::Basic));
        assert_eq!(basic, [r#"Basic realm="a\"b\\c", charset="UTF-8", error="invalid_token""#]);

        let requirement = Requirement::all_of(["a.read", "b:write"]).unwrap();
        let scope = lines(&Reason::MissingScope(requirement), Some(&Scheme::Bearer));
        let expected = r#"Bearer realm="a\"b\\c", error="insufficient_scope", scope="a.read b:write""#;
        assert_eq!(scope, [expected]);
    }

    #[test]
    fn a_realm_that_would_break_the_header_is_rejected() {
        for realm in ["x\r\nSet-Cookie: a=b", "a\0b", "caf\u{e9}", "\u{7f}"] {
            let error = Challenges::new(&Sources::default(), realm).err().expect("an error");
            assert_eq!(error.kind(), ConfigErrorKind::Realm, "{realm:?}");
        }
    }
}
