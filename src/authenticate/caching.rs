//! `Cache-Control` and `Vary`, which keep shared caches from serving a response to other callers.

// Layer 8 of 10: decision.

use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, Response, header};

use crate::credential::{Scheme, Source};

const PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// The names of the headers that a response depends on, as the value of `Vary`. It lives as long as the process, so that each response copies a
/// reference, and no count that all processors write to.
#[derive(Debug, Clone, Copy)]
pub(super) struct VaryNames(&'static HeaderValue);

/// The headers to add to one response.
#[derive(Debug)]
pub(super) struct CacheHeaders {
    names: VaryNames,
    /// Whether the response is for one caller alone.
    is_private: bool,
}

impl VaryNames {
    pub(super) fn of<'s>(sources: impl Iterator<Item = &'s Source>) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for source in sources {
            let name = match source.scheme() {
                Scheme::Bearer | Scheme::Basic => header::AUTHORIZATION.as_str(),
                Scheme::Header(name) => name.as_str(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self::interned(names.join(", "))
    }

    /// Returns the value with these names. Layers with the same headers share it, so a process keeps no more of them than it has different sources.
    fn interned(names: String) -> Self {
        static INTERNED: Mutex<Vec<&HeaderValue>> = Mutex::new(Vec::new());
        let mut interned = INTERNED.lock().unwrap_or_else(PoisonError::into_inner);
        let found = interned.iter().find(|value| value.as_bytes() == names.as_bytes()).copied();
        Self(found.unwrap_or_else(|| {
            let value: &HeaderValue = Box::leak(Box::new(HeaderValue::from_static(names.leak())));
            interned.push(value);
            value
        }))
    }

    /// Returns the headers of a response to a caller.
    pub(super) fn for_caller(self) -> CacheHeaders {
        CacheHeaders { names: self, is_private: true }
    }

    /// Returns the headers of a response that does not depend on a caller.
    pub(super) fn for_any_client(self) -> CacheHeaders {
        CacheHeaders { names: self, is_private: false }
    }
}

impl CacheHeaders {
    /// Adds `Cache-Control`, unless the handler has set it, and `Vary`.
    ///
    /// Some caches use only the last of several lines of `Vary`, so the response gets one line.
    pub(super) fn add_to<B>(&self, response: &mut Response<B>) {
        let Self { names: VaryNames(names), is_private } = *self;
        let headers = response.headers_mut();
        // `append` takes half of the instructions of `entry`, and a comparison of few names fewer than another hash.
        if is_private && !headers.keys().any(|name| *name == header::CACHE_CONTROL) {
            headers.append(header::CACHE_CONTROL, PRIVATE);
        }
        let has_several = headers.append(header::VARY, names.clone());
        if has_several {
            headers.insert(header::VARY, merged(headers, names));
        }
    }
}

/// Merges the headers in all lines of `Vary`. `*` stands for more than all headers (RFC 9110 §12.5.5).
fn merged(headers: &HeaderMap, own: &HeaderValue) -> HeaderValue {
    let mut all: Vec<&[u8]> = Vec::new();
    for line in headers.get_all(header::VARY) {
        for name in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if name == b"*" {
                return HeaderValue::from_static("*");
            }
            if !name.is_empty() && !all.iter().any(|found| found.eq_ignore_ascii_case(name)) {
                all.push(name);
            }
        }
    }
    // OK because all parts come from values of headers.
    HeaderValue::from_bytes(&all.join(&b", "[..])).unwrap_or_else(|_| own.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Sources;

    fn vary(of_handler: &[&str], sources: &Sources) -> String {
        let mut response = Response::new(());
        for line in of_handler {
            response.headers_mut().append(header::VARY, HeaderValue::from_str(line).unwrap());
        }
        VaryNames::of(sources.iter()).for_any_client().add_to(&mut response);
        let lines: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
        assert_eq!(lines.len(), 1);
        lines[0].to_str().unwrap().to_owned()
    }

    #[test]
    fn one_line_names_every_header_once() {
        let sources = Sources::default();
        for (of_handler, expected) in [
            (&[][..], "authorization, x-api-key"),
            (&["accept"], "accept, authorization, x-api-key"),
            (&["Accept, X-API-Key", "origin"], "Accept, X-API-Key, origin, authorization"),
            (&["accept", " *"], "*"),
            (&["", ","], "authorization, x-api-key"),
        ] {
            assert_eq!(vary(of_handler, &sources), expected);
        }
    }

    #[test]
    fn layers_with_the_same_headers_share_their_names() {
        let of = |names: &[&str]| {
            let sources: Vec<_> = names.iter().map(|name| Source::header(name).unwrap()).collect();
            VaryNames::of(sources.iter()).0
        };
        assert!(std::ptr::eq(of(&["a-key", "b-key"]), of(&["a-key", "b-key"])));
        assert_ne!(of(&["a-key", "b-key"]), of(&["b-key", "a-key"]));
    }

    #[test]
    fn headers_of_every_source_are_named() {
        let named = || Source::header("Device-Key").unwrap();
        let sources = Sources::new([named(), Source::basic(), Source::bearer()]).unwrap();
        assert_eq!(vary(&[], &sources), "device-key, authorization");
        assert_eq!(vary(&[], &Sources::new([named()]).unwrap()), "device-key");
    }
}
