//! The set of all sources, and the extraction of a credential from headers.

// Layer 1 of 10: words.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::grammar::{is_token_symbol, split_scheme, strip_scheme, trim};
use super::{Buffer, Credential, CredentialError, CredentialErrorKind, Presented, Scheme, Source};
use crate::digest::Fingerprint;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::Mint;

/// An ordered set of sources.
///
/// The order is that of the challenges in a rejection, where Basic comes last. It gives no source precedence: a request that presents two
/// credentials is rejected (RFC 6750 §2). What a source leaves to others ([`Source::prefix`]) is none.
#[derive(Debug, Clone)]
pub struct Sources {
    list: Box<[Source]>,
    bearer: Option<usize>,
    basic: Option<usize>,
    named: Box<[(HeaderName, usize)]>,
    /// Whether a source leaves credentials to others.
    has_prefixes: bool,
}

impl Sources {
    /// Creates a set of sources.
    ///
    /// # Errors
    ///
    /// When `sources` is empty, two of them read the same header or scheme, or one has a prefix and a format whose keys lack it.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, ConfigError> {
        let list: Box<[Source]> = sources.into_iter().collect();
        if list.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Sources,
                "sources are invalid: at least one is required",
            ));
        }
        let (mut bearer, mut basic, mut named) = (None, None, Vec::new());
        for (index, source) in list.iter().enumerate() {
            let scheme = source.scheme();
            if list[..index].iter().any(|earlier| earlier.scheme() == scheme) {
                let message = format!("sources are invalid: {scheme} occurs twice");
                return Err(ConfigError::new(ConfigErrorKind::Sources, message));
            }
            if let Some(format) = source.format_without_prefix() {
                let message = format!(
                    "sources are invalid: {scheme} has a prefix that keys of the format `{format}` lack: add `{format}_`"
                );
                return Err(ConfigError::new(ConfigErrorKind::Sources, message));
            }
            match scheme {
                Scheme::Bearer => bearer = Some(index),
                Scheme::Basic => basic = Some(index),
                Scheme::Header(name) => named.push((name.clone(), index)),
            }
        }
        let has_prefixes = list.iter().any(Source::has_prefix);
        Ok(Self { list, bearer, basic, named: named.into(), has_prefixes })
    }

    /// Returns the sources in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Source> {
        self.list.iter()
    }

    /// Returns whether a request could present the key `text` by one of the sources.
    pub(crate) fn accept(&self, text: &str) -> bool {
        self.list.iter().any(|source| source.accepts_key(text))
    }

    /// Returns the fingerprints of the formats of all keys that the sources accept; `None` if they accept others as well.
    pub(crate) fn fingerprints(&self) -> Option<Box<[Fingerprint]>> {
        let formats: Option<Vec<_>> = self.list.iter().map(Source::only_formats).collect();
        Some(formats?.concat().iter().filter_map(Mint::fingerprint).collect())
    }

    pub(crate) fn scheme_at(&self, index: usize) -> &Scheme {
        self.list[index].scheme()
    }

    /// Calls `read` with the credential in `headers`, so that no copy of the secret outlives the call. Returns `None` without a
    /// credential.
    ///
    /// # Errors
    ///
    /// When `headers` hold several credentials, or a malformed one.
    pub fn extract<R>(
        &self,
        headers: &HeaderMap,
        read: impl FnOnce(Credential<'_>) -> R,
    ) -> Result<Option<R>, CredentialError> {
        let mut buffer = None;
        let presented = self.find_claimed(headers, &mut buffer)?;
        Ok(presented.map(|presented| self.check(presented)).transpose()?.map(read))
    }

    /// Returns the credential that a request presents, if its source accepts the secret.
    pub(crate) fn check<'c>(&self, presented: Presented<'c>) -> Result<Credential<'c>, CredentialError> {
        match self.list[presented.source].accepts(presented.secret) {
            true => Ok(Credential(presented)),
            false => Err(CredentialError::malformed(presented.source)),
        }
    }

    /// Returns whether the source of a credential accepts only keys whose end is a checksum.
    pub(crate) fn require_checksum(&self, presented: &Presented<'_>) -> bool {
        self.list[presented.source].only_formats().is_some()
    }

    /// Returns the credential of a request that presents the key `text` by the first source of keys alone: any but Basic. Of Basic alone, it
    /// has an empty user.
    pub(crate) fn present<'t>(&self, text: &'t str) -> Result<Presented<'t>, CredentialError> {
        let alone = self.list.iter().position(|source| *source.scheme() != Scheme::Basic);
        let source = alone.unwrap_or(0);
        if !self.list[source].takes(text) {
            return Err(CredentialError::malformed(source));
        }
        Ok(Presented { source, user: alone.is_none().then_some(""), secret: text.as_bytes() })
    }

    /// Marks every header that may hold a credential as sensitive.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        for (name, value) in headers.iter_mut() {
            if self.field(name).is_some() {
                value.set_sensitive(true);
            }
        }
    }

    /// Removes the header lines that hold credentials of these sources. `Authorization` with a scheme of no source stays, and so does what
    /// a source leaves to others.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let authorization = || self.uses_authorization().then_some(&header::AUTHORIZATION);
        for name in authorization().into_iter().chain(self.named.iter().map(|(name, _)| name)) {
            let lines = headers.get_all(name);
            if lines.iter().any(|line| self.claims(name, line)) {
                let others: Vec<_> = lines.iter().filter(|line| !self.claims(name, line)).cloned().collect();
                headers.remove(name);
                for line in others {
                    headers.append(name, line);
                }
            }
        }
    }

    /// Returns whether a source leaves credentials to others, so that [`find`](Self::find) reads more than its own.
    pub(crate) fn have_prefixes(&self) -> bool {
        self.has_prefixes
    }

    /// Finds the credential in `headers`, and ignores what a source leaves to others. A Basic pair is decoded into `buffer`.
    pub(crate) fn find_claimed<'h>(
        &self,
        headers: &'h HeaderMap,
        buffer: &'h mut Option<Buffer>,
    ) -> Result<Option<Presented<'h>>, CredentialError> {
        // `Authorization` stays a singleton field, whatever its lines hold.
        if self.uses_authorization() && headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
            return Err(CredentialError::ambiguous());
        }
        self.find(headers.iter().filter(|(name, line)| self.claims(name, line)), buffer)
    }

    /// Returns whether `headers` hold one credential, well-formed or not.
    ///
    /// # Errors
    ///
    /// When they hold several.
    pub(crate) fn holds_one(&self, headers: &HeaderMap) -> Result<bool, CredentialError> {
        match self.find_claimed(headers, &mut None) {
            Ok(found) => Ok(found.is_some()),
            Err(error) if error.kind() == CredentialErrorKind::Malformed => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a source claims the credential in this line.
    fn claims(&self, name: &HeaderName, line: &HeaderValue) -> bool {
        let value = trim(line.as_bytes());
        let source = match self.field(name) {
            Some(Field::Named(source)) => Some(source),
            Some(Field::Authorization) => self.in_authorization(value).map(|found| found.source),
            None => None,
        };
        source.is_some_and(|source| self.list[source].claims(value))
    }

    /// Finds the credential among `lines`, and marks the lines that it reads as sensitive where they are mutable. A Basic pair is
    /// decoded into `buffer`.
    ///
    /// Reads all lines before it parses one, because a second credential makes the first one ambiguous. What a source leaves to others
    /// counts: it is ambiguous, or malformed.
    pub(crate) fn find<'h, L: FieldLine<'h>>(
        &self,
        lines: impl Iterator<Item = (&'h HeaderName, L)>,
        buffer: &'h mut Option<Buffer>,
    ) -> Result<Option<Presented<'h>>, CredentialError> {
        let (mut found, mut credentials, mut authorization_lines) = (None, 0, 0);
        for (name, line) in lines {
            let Some(field) = self.field(name) else { continue };
            let value = trim(line.read());
            let presented = match field {
                Field::Named(source) => Some(Candidate { source, text: value }),
                Field::Authorization => {
                    authorization_lines += 1;
                    self.in_authorization(value)
                }
            };
            credentials += usize::from(presented.is_some());
            found = presented.or(found);
        }
        // `Authorization` is a singleton field (RFC 9110 §5.3), so a second line of any scheme is an error.
        if credentials > 1 || (authorization_lines > 1 && self.uses_authorization()) {
            return Err(CredentialError::ambiguous());
        }
        found.map(|found| self.split(found, buffer)).transpose()
    }

    #[inline(always)]
    fn split<'h>(
        &self,
        Candidate { source, text }: Candidate<'h>,
        buffer: &'h mut Option<Buffer>,
    ) -> Result<Presented<'h>, CredentialError> {
        match self.list[source].split(text, buffer) {
            Some((user, secret)) => Ok(Presented { source, user, secret }),
            None => Err(CredentialError::malformed(source)),
        }
    }

    // Part of each admission, for each header.
    #[inline(always)]
    fn field(&self, name: &HeaderName) -> Option<Field> {
        // Also if no source uses it: its value is a secret, and is marked as sensitive.
        if *name == header::AUTHORIZATION {
            return Some(Field::Authorization);
        }
        self.named.iter().find(|(named, _)| named == name).map(|(_, index)| Field::Named(*index))
    }

    /// Returns the credential in a value of `Authorization`, if a source reads it. Inlined, as every admission by it asks.
    #[inline(always)]
    fn in_authorization<'h>(&self, value: &'h [u8]) -> Option<Candidate<'h>> {
        let usual = |source: Option<usize>, start| {
            Some(Candidate { source: source?, text: strip_scheme(value, start)? })
        };
        let found = usual(self.bearer, b"Bearer ").or_else(|| usual(self.basic, b"Basic "));
        if found.is_some() {
            return found;
        }
        let (scheme, text) = split_scheme(value);
        let presented = self.scheme(scheme).map(|source| Candidate { source, text });
        presented.or_else(|| Some(Candidate { source: self.joined(value)?, text: &[] }))
    }

    /// Returns the source whose scheme stands within a value of another scheme, as if two lines had been joined. Some readers find a credential
    /// there; it is none here, and makes the value malformed.
    #[cold]
    fn joined(&self, value: &[u8]) -> Option<usize> {
        let mut words = value.split_inclusive(|&byte| !is_token_symbol(byte));
        words.find_map(|word| self.scheme(word.strip_suffix(b" ").or(word.strip_suffix(b"\t"))?))
    }

    fn scheme(&self, scheme: &[u8]) -> Option<usize> {
        if scheme.eq_ignore_ascii_case(b"bearer") {
            self.bearer
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            self.basic
        } else {
            None
        }
    }

    fn uses_authorization(&self) -> bool {
        self.bearer.is_some() || self.basic.is_some()
    }
}

impl Default for Sources {
    /// Returns the sources `Authorization: Bearer` and `X-API-Key`.
    fn default() -> Self {
        let list = Box::new([Source::bearer(), Source::x_api_key()]);
        let named = Box::new([(HeaderName::from_static("x-api-key"), 1)]);
        Self { list, bearer: Some(0), basic: None, named, has_prefixes: false }
    }
}

/// An unparsed credential: the text behind the scheme, or the value of a named header.
#[derive(Clone, Copy)]
struct Candidate<'h> {
    source: usize,
    text: &'h [u8],
}

/// A header field that may hold a credential.
#[derive(Clone, Copy)]
enum Field {
    Authorization,
    /// The field of the source with this index.
    Named(usize),
}

/// A field line (RFC 9110 §5.2).
pub(crate) trait FieldLine<'h> {
    /// Returns the value, and marks a mutable one as sensitive.
    fn read(self) -> &'h [u8];
}

impl<'h> FieldLine<'h> for &'h HeaderValue {
    fn read(self) -> &'h [u8] {
        self.as_bytes()
    }
}

impl<'h> FieldLine<'h> for &'h mut HeaderValue {
    fn read(self) -> &'h [u8] {
        self.set_sensitive(true);
        self.as_bytes()
    }
}
