//! Challenges: the schemes that a client may present (`WWW-Authenticate`). Built and checked once, with the authenticator.

// Layer 5 of 10: outcomes.

use http::{HeaderName, HeaderValue};

use crate::ascii::{all, describe_first_invalid};
use crate::credential::{Scheme, Source, Sources};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::reason::{Challenge, Row};
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
    /// Builds the challenges of `sources`, each with these further parameters.
    ///
    /// # Errors
    ///
    /// When the realm or a parameter cannot stand in a challenge (RFC 9110 §11.2), or would stand there twice.
    pub(super) fn new(sources: &Sources, realm: &str, parameters: &[Parameter]) -> Result<Self, ConfigError> {
        let realm = quoted(realm).map_err(|found| {
            let message = format!("the realm must be visible ASCII and spaces, got {found}");
            ConfigError::new(ConfigErrorKind::Realm, message)
        })?;
        let parameters = written(parameters)?;
        let (basic, others): (Vec<_>, Vec<_>) =
            sources.iter().map(Source::scheme).partition(|scheme| **scheme == Scheme::Basic);
        let all = others.into_iter().chain(basic);
        all.map(|scheme| SchemeChallenge::new(scheme, &realm, &parameters))
            .collect::<Result<_, _>>()
            .map(Self)
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

    /// Returns the number of schemes, each of which has an index.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the index of a scheme. A rejection without a scheme may be the application's, and has one challenge all the same.
    #[inline]
    pub(super) fn index(&self, scheme: Option<&Scheme>) -> usize {
        let position = |scheme: &Scheme| self.0.iter().position(|challenge| challenge.scheme == *scheme);
        // OK because a set of sources is never empty.
        scheme.and_then(position).unwrap_or(0)
    }

    /// Returns the challenges for a row of the table, where the credential was of the scheme with this index.
    pub(super) fn lines(&self, row: &Row, index: usize) -> Vec<HeaderValue> {
        let of_all = |line: fn(&SchemeChallenge) -> &HeaderValue| self.0.iter().map(line).cloned().collect();
        match row.challenge {
            Challenge::No => Vec::new(),
            Challenge::Offer => of_all(|scheme| &scheme.plain),
            Challenge::InvalidRequest => of_all(|scheme| &scheme.invalid_request),
            Challenge::InvalidToken => vec![self.0[index].invalid_token.clone()],
            Challenge::InsufficientScope => vec![self.0[index].insufficient_scope.clone()],
        }
    }

    /// Returns the challenge for missing scopes, which it names. They have no character that needs escaping.
    pub(super) fn with_scopes(&self, index: usize, scopes: &Scopes) -> HeaderValue {
        let plain = &self.0[index].insufficient_scope;
        let line = [plain.as_bytes(), format!(", scope=\"{scopes}\"").as_bytes()].concat();
        HeaderValue::try_from(line).unwrap_or_else(|_| plain.clone())
    }
}

impl SchemeChallenge {
    fn new(scheme: &Scheme, realm: &str, parameters: &str) -> Result<Self, ConfigError> {
        let text = match scheme {
            Scheme::Bearer => format!("Bearer realm={realm}{parameters}"),
            Scheme::Basic => format!("Basic realm={realm}, charset=\"UTF-8\"{parameters}"),
            // No scheme is registered for a key in a separate header; this is the name in common use.
            Scheme::Header(name) => format!("ApiKey realm={realm}, header=\"{name}\"{parameters}"),
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
}

/// A parameter of challenges: its name and its value.
pub(crate) type Parameter = (Box<str>, Box<str>);

/// The names of the parameters that this crate writes, or that belong to a single error (RFC 6750 §3, RFC 7617 §2).
const OWN: [&str; 7] = ["realm", "charset", "header", "scope", "error", "error_description", "error_uri"];

/// Writes further parameters, each after a comma.
fn written(parameters: &[Parameter]) -> Result<String, ConfigError> {
    let invalid = |message: String| ConfigError::new(ConfigErrorKind::ChallengeParameter, message);
    let mut written = String::new();
    for (index, (name, value)) in parameters.iter().enumerate() {
        // A name is compared without regard to case (RFC 9110 §11.2).
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // The names of headers are tokens as well (RFC 9110 §5.1). An invalid one is not shown: it may be a value passed by mistake.
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(invalid("name of a challenge parameter is invalid: must be a token".into()));
        }
        if OWN.into_iter().any(is) {
            return Err(invalid(format!(
                "challenge parameter `{name}` is invalid: the challenges set it themselves"
            )));
        }
        if parameters[..index].iter().any(|(earlier, _)| is(earlier)) {
            return Err(invalid(format!("challenge parameter `{name}` is invalid: it is set twice")));
        }
        if value.is_empty() {
            return Err(invalid(format!("challenge parameter `{name}` is invalid: must not be empty")));
        }
        let value = quoted(value).map_err(|found| {
            invalid(format!("challenge parameter `{name}` must be visible ASCII and spaces, got {found}"))
        })?;
        written.push_str(&format!(", {name}={value}"));
    }
    Ok(written)
}

/// Writes a quoted string (RFC 9110 §5.6.4), or returns a description of the first byte that cannot stand in one.
fn quoted(text: &str) -> Result<String, String> {
    let is_text = |byte: u8| matches!(byte, b' '..=b'~');
    if !all(text.as_bytes(), is_text) {
        return Err(describe_first_invalid(text.as_bytes(), is_text));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn quoting() -> Challenges {
        let sources = Sources::new([Source::bearer(), Source::basic(), Source::x_api_key()]).unwrap();
        Challenges::new(&sources, "a\"b\\c", &[]).unwrap()
    }

    fn lines(reason: &Reason, presented: Option<&Scheme>) -> Vec<String> {
        let challenges = quoting();
        let index = challenges.index(presented);
        challenges.lines(reason.row(), index).iter().map(|line| line.to_str().unwrap().to_owned()).collect()
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

        let challenges = quoting();
        let bearer = challenges.index(Some(&Scheme::Bearer));
        let scope = challenges.with_scopes(bearer, &Scopes::parse("a.read b:write").unwrap());
        let expected = r#"Bearer realm="a\"b\\c", error="insufficient_scope", scope="a.read b:write""#;
        assert_eq!(scope, expected);
    }

    fn with(parameters: &[(&str, &str)]) -> Result<Challenges, ConfigError> {
        let sources = Sources::new([Source::basic(), Source::bearer(), Source::x_api_key()]).unwrap();
        let boxed: Vec<Parameter> =
            parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Challenges::new(&sources, "api", &boxed)
    }

    #[test]
    fn further_parameters_are_in_every_challenge() {
        let challenges = with(&[("resource_metadata", "https://a/b?c=\"d\""), ("Title", "a\\b")]).unwrap();
        let parameters = r#"resource_metadata="https://a/b?c=\"d\"", Title="a\\b""#;
        assert_eq!(
            challenges.lines(Reason::Missing.row(), 0),
            [
                format!(r#"Bearer realm="api", {parameters}"#),
                format!(r#"ApiKey realm="api", header="x-api-key", {parameters}"#),
                format!(r#"Basic realm="api", charset="UTF-8", {parameters}"#),
            ]
        );
        let scope = challenges.with_scopes(0, &Scopes::parse("a").unwrap());
        let expected = format!(r#"Bearer realm="api", {parameters}, error="insufficient_scope", scope="a""#);
        assert_eq!(scope, expected);
    }

    #[test]
    fn a_parameter_that_would_break_a_challenge_is_rejected() {
        for (parameters, message) in [
            (&[("", "a")][..], "must be a token"),
            (&[("a b", "c")], "must be a token"),
            (&[("a=\"b\", c", "d")], "must be a token"),
            (&[("caf\u{e9}", "a")], "must be a token"),
            (&[("Realm", "a")], "`Realm` is invalid: the challenges set it themselves"),
            (&[("error_uri", "a")], "`error_uri` is invalid"),
            (&[("a", "b"), ("A", "c")], "`A` is invalid: it is set twice"),
            (&[("a", "")], "`a` is invalid: must not be empty"),
            (
                &[("a", "b\r\nSet-Cookie: c=d")],
                "`a` must be visible ASCII and spaces, got byte 0x0d at position 1",
            ),
            (&[("a", "caf\u{e9}")], "got byte 0xc3 at position 3"),
        ] {
            let error = with(parameters).err().expect("an error");
            assert_eq!(error.kind(), ConfigErrorKind::ChallengeParameter, "{parameters:?}");
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn a_realm_that_would_break_the_header_is_rejected() {
        for realm in ["x\r\nSet-Cookie: a=b", "a\0b", "caf\u{e9}", "\u{7f}"] {
            let error = Challenges::new(&Sources::default(), realm, &[]).err().expect("an error");
            assert_eq!(error.kind(), ConfigErrorKind::Realm, "{realm:?}");
        }
    }
}
