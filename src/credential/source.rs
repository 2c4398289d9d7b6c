//! One place to look for a credential, with the kinds of key it accepts.

use http::HeaderName;
use http::header as field;

use super::{Buffer, Scheme, bearer, header};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::{KeyFormat, ParseKeyError};

/// A place to look for a credential.
///
/// A source accepts keys of any text, unless [`Source::format`] names the formats that it accepts.
///
/// ```
/// use tower_api_key::credential::Source;
/// use tower_api_key::key::KeyFormat;
///
/// // Only keys that were minted as `mem_live_…` and `mem_test_…`: typing errors cost no lookup.
/// let bearer = Source::bearer().format(KeyFormat::new("mem")?);
/// // Keys from elsewhere, in a header of their own.
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
    /// The key decides who is calling; the e-mail must then be its owner's. Both are UTF-8, or else Latin-1, which some clients
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

    /// Creates a source that reads a key from the header called `name`, in upper or lower case.
    ///
    /// # Errors
    ///
    /// When `name` is no header name, or names one that credentials, framing or routing already use, such as `Cookie`.
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        let expected = "expected the name of a header that holds nothing but a key";
        let taken = [
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
            Ok(name) if !taken.contains(&name) => Ok(Self::new(Scheme::Header(name))),
            _ => Err(ConfigError::new(ConfigErrorKind::Sources, format!("{expected}, found something else"))),
        }
    }

    fn new(scheme: Scheme) -> Self {
        Self { scheme, formats: Vec::new(), foreign: true, empty_user: false }
    }

    /// Accepts keys of this format. May be called again for further formats.
    ///
    /// Texts of no format are refused from now on, without a lookup, unless [`Source::foreign`] is called after it.
    #[must_use]
    pub fn format(mut self, format: KeyFormat) -> Self {
        self.formats.push(format);
        self.foreign = false;
        self
    }

    /// Accepts keys of any text beside those of the formats. A text that starts like a format must still satisfy it.
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

    /// Returns how the source expects a credential to be presented.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Takes what was presented here apart, if it is of the source's grammar and formats. A pair is decoded into `room`.
    pub(super) fn parse<'c>(
        &self,
        text: &'c [u8],
        room: &'c mut Option<Buffer>,
    ) -> Option<(Option<&'c str>, &'c [u8])> {
        let (user, secret) = match self.scheme {
            Scheme::Basic => {
                let (user, secret) = room.insert(Buffer::new()).parse(text)?;
                (Some(user), secret)
            }
            Scheme::Bearer | Scheme::Header(_) => (None, text),
        };
        let named = self.empty_user || user.is_none_or(|user| !user.is_empty());
        let verdicts = self.formats.iter().map(|format| format.parse(secret));
        // The prefix of one format may start like that of another: `mem` and `mem_pool`.
        let right = match verdicts.filter(|verdict| *verdict != Err(ParseKeyError::PREFIX)).reduce(Result::or)
        {
            // Whatever is of a format is of every grammar as well.
            Some(verdict) => verdict.is_ok(),
            None => self.foreign && self.is_well_formed(secret),
        };
        (named && right).then_some((user, secret))
    }

    fn is_well_formed(&self, secret: &[u8]) -> bool {
        match self.scheme {
            Scheme::Bearer => bearer::is_well_formed(secret),
            // The grammar is that of the pair, which was looked at when it was decoded.
            Scheme::Basic => true,
            Scheme::Header(_) => header::is_well_formed(secret),
        }
    }
}
