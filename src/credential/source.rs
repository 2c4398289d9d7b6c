//! A source of credentials and the key formats that it accepts.

use http::HeaderName;
use http::header as field;

use super::{Buffer, Scheme, basic, grammar};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::{KeyFormat, ParseKeyError};

/// A source of credentials: a scheme of `Authorization`, or a header.
///
/// A source accepts keys of any text, unless [`Source::format`] restricts it to key formats.
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
    foreign: bool,
    empty_user: bool,
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
        Self { scheme, formats: Vec::new(), foreign: true, empty_user: false }
    }

    /// Accepts keys of this format. Can be called several times.
    ///
    /// Texts of no accepted format are then rejected without a lookup, unless [`Source::foreign`] is called afterwards.
    #[must_use]
    pub fn format(mut self, format: KeyFormat) -> Self {
        self.formats.push(format);
        self.foreign = false;
        self
    }

    /// Accepts keys of any text beside those of the formats. A text with the prefix of a format must still match that format.
    #[must_use]
    pub fn foreign(mut self) -> Self {
        self.foreign = true;
        self
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

    /// Returns whether a client can present a key beside this user: with Basic one that the source accepts, otherwise none.
    pub(crate) fn accepts_user(&self, user: &str) -> bool {
        match self.scheme {
            Scheme::Basic => (self.empty_user || !user.is_empty()) && basic::is_user(user),
            Scheme::Bearer | Scheme::Header(_) => user.is_empty(),
        }
    }

    /// Splits a presented text into user and secret, if it matches the grammar and the formats of the source. A Basic pair is decoded
    /// into `buffer`.
    pub(super) fn parse<'c>(
        &self,
        text: &'c [u8],
        buffer: &'c mut Option<Buffer>,
    ) -> Option<(Option<&'c str>, &'c [u8])> {
        let (user, secret) = match self.scheme {
            Scheme::Basic => {
                let (user, secret) = buffer.insert(Buffer::new()).parse(text)?;
                (Some(user), secret)
            }
            Scheme::Bearer | Scheme::Header(_) => (None, text),
        };
        let is_well_formed = |secret: &[u8]| match self.scheme {
            Scheme::Bearer => grammar::is_bearer_token(secret),
            // The grammar is that of the pair, which was checked when it was decoded.
            Scheme::Basic => true,
            Scheme::Header(_) => grammar::is_header_key(secret),
        };
        self.accepts(user, secret, is_well_formed).then_some((user, secret))
    }

    /// Returns whether a request could present the key `text` without a user.
    pub(super) fn takes(&self, text: &str) -> bool {
        let user = (self.scheme == Scheme::Basic).then_some("");
        self.accepts(user, text.as_bytes(), |_| self.scheme.carries("", text))
    }

    fn accepts(&self, user: Option<&str>, secret: &[u8], is_well_formed: impl Fn(&[u8]) -> bool) -> bool {
        let user_fits = self.empty_user || user.is_none_or(|user| !user.is_empty());
        let parsed = self.formats.iter().map(|format| format.parse(secret));
        // A text may have the prefixes of several formats: `mem` and `mem_pool`.
        let secret_fits =
            match parsed.filter(|parsed| *parsed != Err(ParseKeyError::PREFIX)).reduce(Result::or) {
                // A key of any format matches every grammar as well.
                Some(parsed) => parsed.is_ok(),
                None => self.foreign && is_well_formed(secret),
            };
        user_fits && secret_fits
    }
}
