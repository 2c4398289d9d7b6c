//! The set of all sources, and the extraction of a credential from headers.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::grammar::{split_scheme, trim};
use super::{Buffer, Credential, CredentialError, Scheme, Source};
use crate::error::{ConfigError, ConfigErrorKind};

/// An ordered set of sources.
///
/// The order is that of the challenges in a rejection, where Basic comes last. It gives no source precedence: a request that presents two
/// credentials is rejected (RFC 6750 §2).
#[derive(Debug, Clone)]
pub struct Sources {
    list: Box<[Source]>,
    bearer: Option<usize>,
    basic: Option<usize>,
    named: Box<[(HeaderName, usize)]>,
}

impl Sources {
    /// Creates a set of sources.
    ///
    /// # Errors
    ///
    /// When `sources` is empty, or two of them read the same header or scheme.
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
            match scheme {
                Scheme::Bearer => bearer = Some(index),
                Scheme::Basic => basic = Some(index),
                Scheme::Header(name) => named.push((name.clone(), index)),
            }
        }
        Ok(Self { list, bearer, basic, named: named.into() })
    }

    /// Returns the sources in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Source> {
        self.list.iter()
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
        Ok(self.find(headers.iter(), &mut buffer)?.map(read))
    }

    /// Returns the credential of a request that presents the key `text` by the first source of keys alone: any but Basic. Of Basic alone, it
    /// has an empty user.
    pub(crate) fn credential<'t>(&self, text: &'t str) -> Result<Credential<'t>, CredentialError> {
        let alone = self.list.iter().position(|source| *source.scheme() != Scheme::Basic);
        let source = alone.unwrap_or(0);
        if !self.list[source].takes(text) {
            return Err(CredentialError::malformed(source));
        }
        Ok(Credential { source, user: alone.is_none().then_some(""), secret: text.as_bytes() })
    }

    /// Marks every header that may hold a credential as sensitive.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        for (name, value) in headers.iter_mut() {
            if self.field(name).is_some() {
                value.set_sensitive(true);
            }
        }
    }

    /// Removes the headers that hold credentials. `Authorization` with a scheme of no source stays.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let is_foreign = |value: &&HeaderValue| self.scheme(split_scheme(trim(value.as_bytes())).0).is_none();
        let lines = headers.get_all(header::AUTHORIZATION);
        if !lines.iter().all(|value| is_foreign(&value)) {
            let foreign: Vec<_> = lines.iter().filter(is_foreign).cloned().collect();
            headers.remove(header::AUTHORIZATION);
            for value in foreign {
                headers.append(header::AUTHORIZATION, value);
            }
        }
        for (name, _) in &self.named {
            headers.remove(name);
        }
    }

    /// Finds the credential among `lines`, and marks the lines that it reads as sensitive where they are mutable. A Basic pair is
    /// decoded into `buffer`.
    ///
    /// Reads all lines before it parses one, because a second credential makes the first one ambiguous.
    pub(crate) fn find<'h, L: FieldLine<'h>>(
        &self,
        lines: impl Iterator<Item = (&'h HeaderName, L)>,
        buffer: &'h mut Option<Buffer>,
    ) -> Result<Option<Credential<'h>>, CredentialError> {
        let (mut found, mut credentials, mut authorization_lines) = (None, 0, 0);
        for (name, line) in lines {
            let Some(field) = self.field(name) else { continue };
            let value = trim(line.read());
            let presented = match field {
                Field::Named(source) => Some(Candidate { source, text: value }),
                Field::Authorization => {
                    authorization_lines += 1;
                    let (scheme, text) = split_scheme(value);
                    self.scheme(scheme).map(|source| Candidate { source, text })
                }
            };
            credentials += usize::from(presented.is_some());
            found = presented.or(found);
        }
        // `Authorization` is a singleton field (RFC 9110 §5.3), so a second line of any scheme is an error.
        if credentials > 1 || (authorization_lines > 1 && self.uses_authorization()) {
            return Err(CredentialError::ambiguous());
        }
        found.map(|found| self.parse(found, buffer)).transpose()
    }

    fn parse<'h>(
        &self,
        Candidate { source, text }: Candidate<'h>,
        buffer: &'h mut Option<Buffer>,
    ) -> Result<Credential<'h>, CredentialError> {
        match self.list[source].parse(text, buffer) {
            Some((user, secret)) => Ok(Credential { source, user, secret }),
            None => Err(CredentialError::malformed(source)),
        }
    }

    fn field(&self, name: &HeaderName) -> Option<Field> {
        // Also if no source uses it: its value is a secret, and is marked as sensitive.
        if *name == header::AUTHORIZATION {
            return Some(Field::Authorization);
        }
        self.named.iter().find(|(named, _)| named == name).map(|(_, index)| Field::Named(*index))
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
        Self { list, bearer: Some(0), basic: None, named }
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
