//! Paths with one reading, and paths that are templates.

// Layer 8 of 10: decision.

use crate::ascii::{all, describe_first_invalid};
use crate::error::{ConfigError, ConfigErrorKind};

/// Returns whether every router and proxy reads a path in the same way.
pub(crate) fn is_plain(path: &str) -> bool {
    all(path.as_bytes(), is_plain_byte) && !path.contains("//") && !has_dots(path)
}

/// Returns whether a segment is `.` or `..`, which a server may resolve. Names such as `.well-known` are names.
fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Checks a path that is public and compared byte for byte.
pub(crate) fn check_exact(path: &str) -> Result<&str, ConfigError> {
    refuse_template(path)?;
    if path.starts_with('/') && is_plain(path) {
        return Ok(path);
    }
    let rule = "a public path must start with `/` and have no `%`, `//`, `;`, `\\`, `?` or `#`, and no segment `.` or `..`";
    let found = match path.bytes().next() {
        Some(b'/') if all(path.as_bytes(), is_plain_byte) => "`//` or a segment of dots".to_owned(),
        Some(b'/') => describe_first_invalid(path.as_bytes(), is_plain_byte),
        _ => "another start".to_owned(),
    };
    Err(error(format!("{rule}, got {found}")))
}

/// Refuses a template where the path itself is compared: it would never match.
pub(super) fn refuse_template(path: &str) -> Result<(), ConfigError> {
    let Some(position) = template_at(path) else { return Ok(()) };
    Err(error(format!(
        "a path is compared byte for byte and must not be a template, got one at position {position}: for a route of axum use \
         `axum::RouteRules` with `AuthenticateLayer::rules` or `RequireScopeLayer::rules`; elsewhere name each path, or make a prefix public \
         with `public_prefix`"
    )))
}

/// Checks the start and the bytes of a path that a rule names: no request has another path.
pub(super) fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_valid = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    if path.starts_with('/') && all(path.as_bytes(), is_valid) {
        return Ok(());
    }
    let found = match path.bytes().next() {
        Some(b'/') => describe_first_invalid(path.as_bytes(), is_valid),
        _ => "another start".to_owned(),
    };
    let rule = "the path of a rule must start with `/` and be visible ASCII without `?` and `#`";
    Err(error(format!("{rule}, got {found}")))
}

pub(super) fn error(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Path, message)
}

/// Returns the position of a brace, or of a segment that starts with `:` or `*`.
fn template_at(path: &str) -> Option<usize> {
    let bytes = path.as_bytes();
    (0..bytes.len()).find(|&position| match bytes[position] {
        b'{' | b'}' => true,
        b':' | b'*' => position > 0 && bytes[position - 1] == b'/',
        _ => false,
    })
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b';' | b'\\' | b'?' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_what_is_wrong_with_a_path() {
        let got = |path: &str| check_exact(path).unwrap_err().to_string();
        assert!(got("/a//b").ends_with("got `//` or a segment of dots"), "{}", got("/a//b"));
        assert!(got("/a%20").ends_with("got byte 0x25 at position 2"), "{}", got("/a%20"));
        assert!(got("a").ends_with("got another start"), "{}", got("a"));
        assert!(got("").ends_with("got another start"), "{}", got(""));
    }

    #[test]
    fn a_template_is_found_where_it_begins() {
        for (path, position) in [
            ("/notes/{id}", Some(7)),
            ("/notes/{*rest}", Some(7)),
            ("/notes/:id", Some(7)),
            ("/a/*", Some(3)),
            ("/*rest", Some(1)),
            ("/a}", Some(2)),
            ("/v1/things:batch", None),
            ("/a*b", None),
            ("*", None),
            ("/", None),
        ] {
            assert_eq!(template_at(path), position, "{path}");
        }
    }
}
