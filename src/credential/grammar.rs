//! The grammar of the header fields that hold credentials.

// Layer 1 of 10: words.

use crate::ascii::all;

/// The longest credential that is read, in bytes: the token behind the scheme, or the value of a named header.
pub const MAX_CREDENTIAL_BYTES: usize = 512;

/// Removes the optional white space around a field value (RFC 9110 §5.5). HTTP/1 parsers remove it, HTTP/2 parsers do not.
#[inline(always)]
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Splits `scheme 1*SP rest` (RFC 9110 §11.4). The scheme is a token, and ends with it. Without a space behind it the rest is
/// empty and thus malformed: the value is not skipped, because another parser may find a credential of this scheme in it.
pub(super) fn split_scheme(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|&byte| !is_token_symbol(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let start = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
    (scheme, if start == 0 { &[] } else { &rest[start..] })
}

/// Returns the text behind a scheme in its usual spelling, by one comparison: what [`split_scheme`] finds behind this `start`, the scheme and a
/// space, unless another space follows.
#[inline(always)]
pub(super) fn strip_scheme<'v>(value: &'v [u8], start: &[u8]) -> Option<&'v [u8]> {
    value.strip_prefix(start).filter(|text| text.first() != Some(&b' '))
}

/// Returns whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(super) fn is_token_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether all of `text` is one token68 (RFC 9110 §11.2).
pub(super) fn is_token68(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = &text[..text.len() - padding];
    !body.is_empty() && all(body, is_token68_symbol)
}

fn is_token68_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// Returns whether the text behind `Bearer` is one token (RFC 6750 §2.1).
pub(super) fn is_bearer_token(text: &[u8]) -> bool {
    text.len() <= MAX_CREDENTIAL_BYTES && is_token68(text)
}

/// Returns whether the value of a named header can be a key: visible ASCII, without the comma that would join two lines into one
/// (RFC 9110 §5.3).
pub(super) fn is_header_key(value: &[u8]) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    (1..=MAX_CREDENTIAL_BYTES).contains(&value.len()) && all(value, is_symbol)
}

/// Returns whether one of `prefixes` stands at the start of a text, or behind a character that is no part of a token68: readers take texts
/// apart at many of these, such as two values that were joined, a quoted one, or `token=…`.
pub(super) fn has_word(text: &[u8], prefixes: &[Box<str>]) -> bool {
    let begins = |rest: &[u8]| prefixes.iter().any(|prefix| rest.starts_with(prefix.as_bytes()));
    text.split(|&byte| !is_token68_symbol(byte)).any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token68_is_not_empty_and_pads_only_at_its_end() {
        for good in ["a", "a=", "a==", "-._~+/09AZaz="] {
            assert!(is_token68(good.as_bytes()), "{good:?}");
        }
        for bad in ["", "=", "a=b", "a b", "a,b", "a\tb", "a\u{e9}", "a\"", "a!"] {
            assert!(!is_token68(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn white_space_around_a_value_is_no_part_of_it() {
        assert_eq!(trim(b" \t a b \t"), b"a b");
        assert_eq!(trim(b" \t "), b"");
    }

    #[test]
    fn the_usual_spelling_of_a_scheme_is_split_like_any_other() {
        for (value, text) in [
            (&b"Bearer k"[..], Some(&b"k"[..])),
            (b"Bearer k l", Some(b"k l")),
            (b"Bearer ,", Some(b",")),
            (b"Bearer ", Some(b"")),
            (b"Bearer  k", None),
            (b"bearer k", None),
            (b"Bearer\tk", None),
            (b"Bearerk", None),
            (b"Bearer", None),
            (b"", None),
        ] {
            assert_eq!(strip_scheme(value, b"Bearer "), text, "{value:?}");
            assert!(text.is_none_or(|text| split_scheme(value) == (b"Bearer", text)), "{value:?}");
        }
    }

    #[test]
    fn only_spaces_separate_a_scheme_from_its_credential() {
        for (value, scheme, rest) in [
            (&b"Bearer  k"[..], &b"Bearer"[..], &b"k"[..]),
            (b"Bearer", b"Bearer", b""),
            (b"Bearer\tk", b"Bearer", b""),
            (b"Bearer,k", b"Bearer", b""),
            (b"AWS4-HMAC-SHA256 k", b"AWS4-HMAC-SHA256", b"k"),
            (b"\xe9 k", b"", b""),
        ] {
            assert_eq!(split_scheme(value), (scheme, rest), "{value:?}");
        }
    }
}
