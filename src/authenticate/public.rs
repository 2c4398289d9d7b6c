//! Paths that need no key.

use http::Request;

use crate::ascii::{all, describe_first_invalid};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::path::whole_path;

/// Paths that anyone may call, compared byte for byte with the whole path as the client sent it.
///
/// What a router makes of a path is the router's business. So a path with anything that a router or a proxy might read
/// in more than one way is never public.
#[derive(Debug, Clone, Default)]
pub(super) struct PublicPaths {
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
}

impl PublicPaths {
    pub(super) fn add(&mut self, path: &str) -> Result<(), ConfigError> {
        self.exact.push(checked(path)?.into());
        Ok(())
    }

    pub(super) fn add_prefix(&mut self, prefix: &str) -> Result<(), ConfigError> {
        let stem = prefix.strip_suffix('/').unwrap_or(prefix);
        if stem.is_empty() {
            let message =
                "expected a public prefix that leaves something protected, found one that leaves nothing";
            return Err(ConfigError::new(ConfigErrorKind::Path, message));
        }
        self.prefixes.push(checked(stem)?.into());
        Ok(())
    }

    pub(super) fn contain<B>(&self, request: &Request<B>) -> bool {
        let is_empty = self.exact.is_empty() && self.prefixes.is_empty();
        !is_empty && self.contain_path(whole_path(request))
    }

    fn contain_path(&self, path: &str) -> bool {
        let below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        is_plain(path)
            && (self.exact.iter().any(|public| **public == *path)
                || self.prefixes.iter().any(|public| below(public)))
    }
}

fn checked(path: &str) -> Result<&str, ConfigError> {
    if path.starts_with('/') && is_plain(path) {
        return Ok(path);
    }
    let expected =
        "expected a public path that starts with `/` and has no `%`, `//`, `/.`, `;`, `\\`, `?` or `#`";
    let found = match path.bytes().next() {
        Some(b'/') if all(path.as_bytes(), is_plain_byte) => "`//` or `/.`".to_owned(),
        Some(b'/') => describe_first_invalid(path.as_bytes(), is_plain_byte),
        _ => "another start".to_owned(),
    };
    Err(ConfigError::new(ConfigErrorKind::Path, format!("{expected}, found {found}")))
}

/// Tells whether a path means the same to everyone who reads it.
fn is_plain(path: &str) -> bool {
    all(path.as_bytes(), is_plain_byte) && !path.contains("//") && !path.contains("/.")
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b';' | b'\\' | b'?' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_refused_is_described_by_what_is_wrong_with_it() {
        let found = |path: &str| checked(path).unwrap_err().to_string();
        assert!(found("/a//b").ends_with("found `//` or `/.`"), "{}", found("/a//b"));
        assert!(found("/a%20").ends_with("found byte 0x25 at position 2"), "{}", found("/a%20"));
        assert!(found("a").ends_with("found another start"), "{}", found("a"));
        assert!(found("").ends_with("found another start"), "{}", found(""));
    }

    #[test]
    fn a_public_path_is_that_path_and_no_other_spelling_of_it() {
        let mut paths = PublicPaths::default();
        paths.add("/health").unwrap();
        assert!(paths.contain_path("/health"));
        for other in [
            "",
            "/",
            "*",
            "//health",
            "/health/",
            "/Health",
            "/healthz",
            "/health;x=/v1",
            "/health%00",
            "/%68ealth",
            "/health/../v1",
            "/health\\..\\v1",
            "health",
            "/health?",
            "/health\u{e9}",
        ] {
            assert!(!paths.contain_path(other), "{other:?}");
        }
    }

    #[test]
    fn a_public_prefix_ends_at_a_segment() {
        let mut paths = PublicPaths::default();
        paths.add_prefix("/docs/").unwrap();
        for inside in ["/docs", "/docs/", "/docs/a", "/docs/a/b.html"] {
            assert!(paths.contain_path(inside), "{inside:?}");
        }
        for outside in ["/docs-internal", "/doc", "/docs/../v1", "/docs/.git", "/docs//v1", "/docs/%2e%2e/v1"]
        {
            assert!(!paths.contain_path(outside), "{outside:?}");
        }
    }

    #[test]
    fn a_path_that_could_never_match_is_refused_when_it_is_configured() {
        for path in ["", "health", "/a//b", "/a/../b", "/a%20b", "/a?b", "/\u{e9}"] {
            assert_eq!(
                PublicPaths::default().add(path).unwrap_err().kind(),
                ConfigErrorKind::Path,
                "{path:?}"
            );
        }
        for prefix in ["", "/"] {
            assert!(PublicPaths::default().add_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}
