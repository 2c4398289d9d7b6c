//! `Cache-Control` and `Vary`, which keep shared caches from serving a response to other callers.

// Layer 8 of 10: decision.

use http::{HeaderMap, HeaderValue, Response, header};

use crate::credential::{Scheme, Source};

const PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// The headers of the usual sources. A copy of a static value costs nothing, and shares no count that all processors write to.
const USUAL: [&str; 6] = [
    "authorization",
    "x-api-key",
    "memfault-project-key",
    "authorization, x-api-key",
    "authorization, memfault-project-key",
    "authorization, x-api-key, memfault-project-key",
];

/// The names of the headers that a response depends on, as the value of `Vary`.
#[derive(Debug, Clone)]
pub(super) struct VaryNames(HeaderValue);

/// The headers to add to one response.
#[derive(Debug, Clone)]
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
        let names = names.join(", ");
        let usual = USUAL.into_iter().find(|usual| *usual == names).map(HeaderValue::from_static);
        // OK because names of headers and commas make a value.
        Self(usual.unwrap_or_else(|| HeaderValue::try_from(names).expect("the names of headers")))
    }

    /// Returns the headers of a response to a caller.
    pub(super) fn for_caller(&self) -> CacheHeaders {
        CacheHeaders { names: self.clone(), is_private: true }
    }

    /// Returns the headers of a response that does not depend on a caller.
    pub(super) fn for_any_client(&self) -> CacheHeaders {
        CacheHeaders { names: self.clone(), is_private: false }
    }
}

impl CacheHeaders {
    /// Adds `Cache-Control`, unless the handler has set it, and `Vary`.
    ///
    /// Some caches use only the last of several lines of `Vary`, so the response gets one line.
    pub(super) fn add_to<B>(self, response: &mut Response<B>) {
        let Self { names: VaryNames(names), is_private } = self;
        let headers = response.headers_mut();
        // Iterates once, as each lookup by name computes a hash.
        let (mut has_cache_control, mut has_vary) = (false, false);
        for name in headers.keys() {
            has_cache_control |= *name == header::CACHE_CONTROL;
            has_vary |= *name == header::VARY;
        }
        if is_private && !has_cache_control {
            headers.insert(header::CACHE_CONTROL, PRIVATE);
        }
        let vary = if has_vary { merged(headers, &names) } else { names };
        headers.insert(header::VARY, vary);
    }
}

/// Merges the headers that a handler has named with those of the layer. `*` stands for more than all headers (RFC 9110 §12.5.5).
fn merged(headers: &HeaderMap, own: &HeaderValue) -> HeaderValue {
    let mut all: Vec<&[u8]> = Vec::new();
    for line in headers.get_all(header::VARY).iter().chain([own]) {
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
    fn headers_of_every_source_are_named() {
        let named = || Source::header("Device-Key").unwrap();
        let sources = Sources::new([named(), Source::basic(), Source::bearer()]).unwrap();
        assert_eq!(vary(&[], &sources), "device-key, authorization");
        assert_eq!(vary(&[], &Sources::new([named()]).unwrap()), "device-key");
    }
}
