//! Public paths, which need no key.

use http::Request;

use crate::ascii::{all, describe_first_invalid};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::path::whole_path;

/// Paths that any client may call, compared byte for byte with the whole path as the client sent it.
///
/// A path that a router or a proxy might read in more than one way is never public.
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
            let message = "a public prefix must not cover every path";
            return Err(ConfigError::new(ConfigErrorKind::Path, message));
        }
        self.prefixes.push(checked(stem)?.into());
        Ok(())
    }

    pub(super) fn contain<B>(&self, request: &Request<B>) -> bool {
        self.contain_path(whole_path(request))
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
    let rule = "a public path must start with `/` and have no `%`, `//`, `/.`, `;`, `\\`, `?` or `#`";
    let found = match path.bytes().next() {
        Some(b'/') if all(path.as_bytes(), is_plain_byte) => "`//` or `/.`".to_owned(),
        Some(b'/') => describe_first_invalid(path.as_bytes(), is_plain_byte),
        _ => "another start".to_owned(),
    };
    Err(ConfigError::new(ConfigErrorKind::Path, format!("{rule}, got {found}")))
}

/// Returns whether every router and proxy reads a path in the same way.
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
    fn the_error_names_what_is_wrong_with_a_path() {
        let got = |path: &str| checked(path).unwrap_err().to_string();
        assert!(got("/a//b").ends_with("got `//` or `/.`"), "{}", got("/a//b"));
        assert!(got("/a%20").ends_with("got byte 0x25 at position 2"), "{}", got("/a%20"));
        assert!(got("a").ends_with("got another start"), "{}", got("a"));
        assert!(got("").ends_with("got another start"), "{}", got(""));
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
    fn a_path_that_could_never_match_is_an_error() {
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
