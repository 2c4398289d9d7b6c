//! All the places to look, gone through once for each request.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::grammar::{split_scheme, trim};
use super::{Buffer, Credential, CredentialError, Scheme, Source};
use crate::error::{ConfigError, ConfigErrorKind};

/// An ordered set of places to look for a credential.
///
/// The order is that of the challenges in a refusal, where Basic comes last. It gives no source precedence: a request that presents two
/// credentials is refused (RFC 6750 §2).
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
    /// When there is none, or two of them look at the same place.
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Result<Self, ConfigError> {
        let list: Box<[Source]> = sources.into_iter().collect();
        if list.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Sources,
                "expected at least one source, found none",
            ));
        }
        let (mut bearer, mut basic, mut named) = (None, None, Vec::new());
        for (index, source) in list.iter().enumerate() {
            let scheme = source.scheme();
            if list[..index].iter().any(|earlier| earlier.scheme() == scheme) {
                let message = format!("expected each source once, found {scheme} twice");
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

    /// Finds the one credential among `headers` and lends it to `read`, so that no copy of the secret outlives the call.
    /// Returns `None` if there is no credential.
    ///
    /// # Errors
    ///
    /// When there are several, or the one is not well formed.
    pub fn extract<R>(
        &self,
        headers: &HeaderMap,
        read: impl FnOnce(Credential<'_>) -> R,
    ) -> Result<Option<R>, CredentialError> {
        let mut room = None;
        Ok(self.find(headers.iter(), &mut room)?.map(read))
    }

    /// Marks every line that would be looked at as sensitive.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        for (name, value) in headers.iter_mut() {
            if self.place(name).is_some() {
                value.set_sensitive(true);
            }
        }
    }

    /// Removes what is read as a credential. `Authorization` of a scheme that no source has is not ours.
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

    /// Finds the one credential among `lines`, and marks those that it looks at where they can be changed. A secret that
    /// has to be decoded is put into `room`.
    ///
    /// Goes through all lines before it judges one: a second line decides as much as the first.
    pub(crate) fn find<'h, L: Line<'h>>(
        &self,
        lines: impl Iterator<Item = (&'h HeaderName, L)>,
        room: &'h mut Option<Buffer>,
    ) -> Result<Option<Credential<'h>>, CredentialError> {
        let (mut found, mut credentials, mut authorization_lines) = (None, 0, 0);
        for (name, line) in lines {
            let Some(place) = self.place(name) else { continue };
            let value = trim(line.take());
            let presented = match place {
                Place::Named(source) => Some(Found { source, text: value }),
                Place::Authorization => {
                    authorization_lines += 1;
                    let (scheme, text) = split_scheme(value);
                    self.scheme(scheme).map(|source| Found { source, text })
                }
            };
            credentials += usize::from(presented.is_some());
            found = presented.or(found);
        }
        // `Authorization` is a single field (RFC 9110 §5.3): a second line of it is wrong whatever it says.
        if credentials > 1 || (authorization_lines > 1 && self.uses_authorization()) {
            return Err(CredentialError::ambiguous());
        }
        found.map(|found| self.parse(found, room)).transpose()
    }

    fn parse<'h>(
        &self,
        Found { source, text }: Found<'h>,
        room: &'h mut Option<Buffer>,
    ) -> Result<Credential<'h>, CredentialError> {
        match self.list[source].parse(text, room) {
            Some((user, secret)) => Ok(Credential { source, user, secret }),
            None => Err(CredentialError::malformed(source)),
        }
    }

    fn place(&self, name: &HeaderName) -> Option<Place> {
        // Also where no source uses it: what is in there is a secret, and is marked as one.
        if *name == header::AUTHORIZATION {
            return Some(Place::Authorization);
        }
        self.named.iter().find(|(named, _)| named == name).map(|(_, index)| Place::Named(*index))
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
    /// `Authorization: Bearer` and `X-API-Key`.
    fn default() -> Self {
        let list = Box::new([Source::bearer(), Source::x_api_key()]);
        let named = Box::new([(HeaderName::from_static("x-api-key"), 1)]);
        Self { list, bearer: Some(0), basic: None, named }
    }
}

/// What a source has found: the text behind the scheme, or the value of a named header.
#[derive(Clone, Copy)]
struct Found<'h> {
    source: usize,
    text: &'h [u8],
}

#[derive(Clone, Copy)]
enum Place {
    Authorization,
    Named(usize),
}

/// A field line that may be looked at.
pub(crate) trait Line<'h> {
    /// Returns its bytes, and marks it as sensitive where it can be changed.
    fn take(self) -> &'h [u8];
}

impl<'h> Line<'h> for &'h HeaderValue {
    fn take(self) -> &'h [u8] {
        self.as_bytes()
    }
}

impl<'h> Line<'h> for &'h mut HeaderValue {
    fn take(self) -> &'h [u8] {
        self.set_sensitive(true);
        self.as_bytes()
    }
}
