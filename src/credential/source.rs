//! A source of credentials and the key formats that it accepts.

// Layer 1 of 10: words.

use http::HeaderName;
use http::header as field;

use super::{Buffer, Scheme, basic, grammar};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::{KeyFormat, ParseKeyError};

/// A source of credentials: a scheme of `Authorization`, or a header.
///
/// A source accepts keys of any text, unless [`Source::format`] restricts it to key formats. It claims each credential of its scheme or header,
/// unless [`Source::prefix`] leaves some to others.
///
/// ```
/// use tower_api_key::credential::Source;
/// use tower_api_key::key::KeyFormat;
///
/// // Only keys such as `mem_live_…` and `mem_test_…`: mistyped keys cost no lookup.
/// let bearer = Source::bearer().format(KeyFormat::new("mem")?);
/// // Keys of any text, in a header of their own.
/// let device = Source::header("Device-Key")?;
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Source {
    scheme: Scheme,
    formats: Vec<KeyFormat>,
    foreign: Foreign,
    /// Those of the credentials that the source claims. Without any, it claims all.
    prefixes: Vec<Box<str>>,
    empty_user: bool,
}

/// Whether a source accepts keys of no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    No,
    Yes,
    WithPrefix,
}

impl From<Source> for Scheme {
    fn from(source: Source) -> Self {
        source.scheme
    }
}

impl Source {
    /// Creates a source that reads `Authorization: Bearer KEY`.
    pub fn bearer() -> Self {
        Self::new(Scheme::Bearer)
    }

    /// Creates a source that reads `Authorization: Basic base64(email:KEY)`.
    ///
    /// The key identifies the caller; the e-mail must be that of its owner. Both are UTF-8, or else Latin-1, which some clients
    /// send.
    pub fn basic() -> Self {
        Self::new(Scheme::Basic)
    }

    /// Creates a source that reads `X-API-Key: KEY`.
    pub fn x_api_key() -> Self {
        Self::new(Scheme::Header(HeaderName::from_static("x-api-key")))
    }

    /// Creates a source that reads `Memfault-Project-Key: KEY`.
    pub fn memfault_project_key() -> Self {
        Self::new(Scheme::Header(HeaderName::from_static("memfault-project-key")))
    }

    /// Creates a source that reads a key from the header `name`, in upper or lower case.
    ///
    /// # Errors
    ///
    /// When `name` is no header name, or is a header that credentials, framing or routing already use, such as `Cookie`.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        let reserved = [
            field::AUTHORIZATION,
            field::PROXY_AUTHORIZATION,
            field::COOKIE,
            field::HOST,
            field::CONNECTION,
            field::CONTENT_LENGTH,
            field::CONTENT_TYPE,
            field::ORIGIN,
            field::TE,
            field::TRANSFER_ENCODING,
            field::UPGRADE,
        ];
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if !reserved.contains(&name) => Ok(Self::new(Scheme::Header(name))),
            // A whole key may have been passed by mistake, so the name is not shown.
            _ => Err(ConfigError::new(
                ConfigErrorKind::Sources,
                "header name is invalid: must name a header that holds only a key",
            )),
        }
    }

    fn new(scheme: Scheme) -> Self {
        Self { scheme, formats: Vec::new(), foreign: Foreign::Yes, prefixes: Vec::new(), empty_user: false }
    }

    /// Accepts keys of this format. Can be called several times.
    ///
    /// Texts of no accepted format are then rejected without a lookup, unless [`Source::foreign`] is called afterwards.
    #[must_use]
    pub fn format(mut self, format: KeyFormat) -> Self {
        self.formats.push(format);
        self.foreign = Foreign::No;
        self
    }

    /// Accepts keys of any text beside those of the formats. A text with the prefix of a format must still match that format.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.foreign = if self.prefixes.is_empty() { Foreign::Yes } else { Foreign::WithPrefix };
        self
    }

    /// Claims credentials that start with `prefix` only. Can be called several times: any of the prefixes is enough.
    ///
    /// For keys beside other credentials in the same header, such as `Authorization: Bearer` with a JWT, as in
    /// [this guide](crate::_guide::beside_other_credentials). A credential with another start
    /// is not the source's: it does not count as presented, is not removed by [`strip`](crate::AuthenticateLayer::strip), and is left to the
    /// components behind. Its header is marked as sensitive all the same. A credential with the prefix is the source's, even if it is
    /// malformed.
    ///
    /// With Basic, the prefix is that of the password, in which a client sends the key; the user does not matter.
    ///
    /// A key with a mistyped prefix is thus none: an [`optional`](crate::AuthenticateLayer::optional) layer lets the request pass.
    ///
    /// Where readers could differ, the source claims the credential, and rejects it as malformed: a prefix behind any character but letters,
    /// digits and `-._~+/`, as in two values that a proxy has joined, in a quoted one or in `token=…`; a scheme with another character than a
    /// space behind it; a Basic pair that cannot be decoded. Percent-encoding is not undone. Two lines of `Authorization` remain
    /// [ambiguous](crate::credential::CredentialErrorKind::Ambiguous), whatever they hold.
    ///
    /// # Errors
    ///
    /// When `prefix` is empty, too long for a credential, or has other characters than letters, digits and `-._~+/`.
    /// [`Sources::new`](crate::credential::Sources::new) rejects a format whose keys lack the prefix.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use tower_api_key::credential::{CredentialErrorKind, Source, Sources};
    ///
    /// let sources = Sources::new([Source::bearer().prefix("demo_")?, Source::x_api_key()])?;
    /// let mut headers = HeaderMap::new();
    /// let key = |headers: &HeaderMap| sources.extract(headers, |credential| credential.expose_secret().to_vec());
    ///
    /// headers.insert("authorization", "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln".parse()?);
    /// assert_eq!(key(&headers)?, None);
    /// headers.insert("x-api-key", "abc".parse()?);
    /// assert_eq!(key(&headers)?, Some(b"abc".to_vec()));
    ///
    /// headers.insert("authorization", "Bearer demo_123".parse()?);
    /// assert_eq!(key(&headers).unwrap_err().kind(), CredentialErrorKind::Ambiguous);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        // A text that goes on must be a credential.
        let longer = [prefix, "0"].concat();
        if prefix.is_empty() || !grammar::is_token68(longer.as_bytes()) || !self.scheme.carries("", &longer) {
            return Err(ConfigError::new(
                ConfigErrorKind::Sources,
                // A whole key may have been passed by mistake, so the text is not shown.
                "prefix of a source is invalid: must be letters, digits and `-._~+/`, and shorter than a credential",
            ));
        }
        self.prefixes.push(prefix.into());
        if self.foreign == Foreign::Yes {
            self.foreign = Foreign::WithPrefix;
        }
        Ok(self)
    }

    /// Accepts Basic credentials without a user (`curl -u ":KEY"`), for keys whose owner has no e-mail.
    #[must_use]
    pub fn empty_user(mut self) -> Self {
        self.empty_user = true;
        self
    }

    /// Returns the scheme by which the source expects credentials.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Returns whether the source leaves credentials without its prefix to others.
    pub(crate) fn has_prefix(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Returns whether a credential could be that of both sources.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let is_start = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
        let meet = |prefix: &str| other.prefixes.iter().any(|others| is_start(prefix, others));
        let are_apart =
            self.has_prefix() && other.has_prefix() && !self.prefixes.iter().any(|prefix| meet(prefix));
        self.scheme == other.scheme && !are_apart
    }

    /// Returns the first format whose keys do not all start with a prefix of the source.
    pub(super) fn format_without_prefix(&self) -> Option<&KeyFormat> {
        let begins = |format: &KeyFormat| {
            let start = format!("{format}_");
            self.prefixes.iter().any(|prefix| start.starts_with(&**prefix))
        };
        self.formats.iter().find(|format| self.has_prefix() && !begins(format))
    }

    /// Returns whether `value`, which the field of the source holds in its scheme, is a credential of the source, well-formed or not.
    pub(super) fn claims(&self, value: &[u8]) -> bool {
        if !self.has_prefix() {
            return true;
        }
        if let Scheme::Header(_) = self.scheme {
            return grammar::has_word(value, &self.prefixes);
        }
        let (scheme, text) = grammar::split_scheme(value);
        // Readers differ in what they find behind a scheme that no space follows.
        let is_unclear = text.is_empty() && scheme.len() < value.len();
        is_unclear
            || match self.scheme {
                Scheme::Basic => basic::may_hold(text, &self.prefixes),
                Scheme::Bearer | Scheme::Header(_) => grammar::has_word(text, &self.prefixes),
            }
    }

    /// Returns whether a client can present a key beside this user: with Basic one that the source accepts, otherwise none.
    pub(crate) fn accepts_user(&self, user: &str) -> bool {
        match self.scheme {
            Scheme::Basic => (self.empty_user || !user.is_empty()) && basic::is_user(user),
            Scheme::Bearer | Scheme::Header(_) => user.is_empty(),
        }
    }

    /// Splits a presented text into user and secret, if the source accepts the user. A Basic pair is decoded into `buffer`.
    pub(super) fn split<'c>(
        &self,
        text: &'c [u8],
        buffer: &'c mut Option<Buffer>,
    ) -> Option<(Option<&'c str>, &'c [u8])> {
        let Scheme::Basic = self.scheme else { return Some((None, text)) };
        let (user, secret) = buffer.insert(Buffer::new()).parse(text)?;
        (self.empty_user || !user.is_empty()).then_some((Some(user), secret))
    }

    /// Returns whether a secret that was [split](Self::split) from its user matches the grammar and the formats of the source. This depends on
    /// the secret alone.
    pub(super) fn accepts(&self, secret: &[u8]) -> bool {
        self.accepts_if(secret, |secret| match self.scheme {
            Scheme::Bearer => grammar::is_bearer_token(secret),
            // The grammar is that of the pair, which was checked when it was decoded.
            Scheme::Basic => true,
            Scheme::Header(_) => grammar::is_header_key(secret),
        })
    }

    /// Returns the formats of the keys that the source accepts; `None` if it accepts others as well.
    pub(super) fn only_formats(&self) -> Option<&[KeyFormat]> {
        matches!(self.foreign, Foreign::No).then_some(&self.formats)
    }

    /// Returns whether a request could present the key `text`, with Basic beside a user.
    pub(super) fn accepts_key(&self, text: &str) -> bool {
        self.accepts_if(text.as_bytes(), |_| self.scheme.carries("user", text))
    }

    /// Returns whether a request could present the key `text` without a user.
    pub(super) fn takes(&self, text: &str) -> bool {
        (self.empty_user || self.scheme != Scheme::Basic)
            && self.accepts_if(text.as_bytes(), |_| self.scheme.carries("", text))
    }

    fn accepts_if(&self, secret: &[u8], is_well_formed: impl Fn(&[u8]) -> bool) -> bool {
        let parsed = self.formats.iter().map(|format| format.parse(secret));
        // A text may have the prefixes of several formats: `mem` and `mem_pool`.
        match parsed.filter(|parsed| *parsed != Err(ParseKeyError::PREFIX)).reduce(Result::or) {
            // A key of any format matches every grammar as well.
            Some(parsed) => parsed.is_ok(),
            None => match self.foreign {
                Foreign::No => false,
                Foreign::Yes => is_well_formed(secret),
                Foreign::WithPrefix => is_well_formed(secret) && self.starts(secret),
            },
        }
    }

    fn starts(&self, secret: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| secret.starts_with(prefix.as_bytes()))
    }
}
