//! Names a client's texts in errors: short, escaped, and never a whole key that was pasted by mistake.

// Layer 1 of 10: words.

use std::borrow::Cow;

/// A key has at least this number of bytes.
const KEY_BYTES: usize = 16;
/// Most characters of a text that no key looks like.
const MAX_SHOWN: usize = 64;
/// Characters of a longer text, or of one that may be a key.
const SHOWN: usize = 8;
/// Most items of one kind that an error names. A client that corrects them learns of the next ones.
pub(crate) const MAX_NAMED: usize = 5;
/// Most bytes of a text that is compared with known ones.
const MAX_COMPARED: usize = 128;

/// Returns a text as an error may show it. A text that may be a key is cut after a few characters: one of 16 bytes or more with a digit or an
/// upper-case letter, as each random text of this length has.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
    let is_marked = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let may_be_key = text.len() >= KEY_BYTES && text.bytes().any(is_marked);
    if may_be_key || text.chars().nth(MAX_SHOWN).is_some() {
        Cow::Owned(text.chars().take(SHOWN).chain(['…']).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns a text in quotes, [shortened](shorten), with its control, invisible and direction characters escaped.
pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", shorten(text))
}

/// Returns the known text that a few typing errors lead to: the nearest, and the first of equally near ones.
pub(crate) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if text.len() > MAX_COMPARED {
        return None;
    }
    // A third of the characters may differ.
    let near = known.into_iter().filter_map(|known| {
        let most = known.len().max(3) / 3;
        let is_like = known.len().abs_diff(text.len()) <= most;
        let distance = is_like.then(|| strsim::osa_distance(text, known))?;
        (distance <= most && distance < known.len()).then_some((distance, known))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Returns the error of an unknown name, such as that of a field: with the name that was meant, or all known ones.
#[cfg(feature = "routes")]
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let quoted = quote(name);
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} {quoted}; did you mean {near:?}?"),
        None if known.is_empty() => format!("unknown {what} {quoted}; expected none"),
        None => format!("unknown {what} {quoted}; must be one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_that_may_be_a_key_is_shown_whole() {
        for key in [
            "demo_live_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s",
            "0123456789abcdef",
            "abcdefghijklmnoP",
            "67f1a4f1-5c62-4f6e-8b1f-3d8f0a4f2f0e",
        ] {
            assert_eq!(shorten(key), format!("{}…", &key[..8]));
        }
        let long = "a".repeat(65);
        assert_eq!(quote(&long), "\"aaaaaaaa…\"");
        for text in ["", "Notes", "0123456789", "workspace.delete", &long[..64]] {
            assert_eq!(shorten(text), text);
        }
    }

    #[test]
    fn characters_that_act_on_a_log_or_a_terminal_are_escaped() {
        assert_eq!(quote("a\n\"b\u{1b}[0m"), r#""a\n\"b\u{1b}[0m""#);
        assert_eq!(quote("\u{202e}\u{200b}ä"), r#""\u{202e}\u{200b}ä""#);
    }

    #[test]
    fn a_text_is_near_if_at_most_a_third_of_it_differs() {
        let known = ["notes.read", "notes.write", "keys.read", "a"];
        for (text, expected) in [
            ("notes.raed", Some("notes.read")),
            ("note.write", Some("notes.write")),
            ("notes:read", Some("notes.read")),
            ("keys.reader", Some("keys.read")),
            ("billing.read", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, known), expected, "{text}");
        }
        assert_eq!(nearest("c.x", ["b.x", "a.x"]), Some("b.x"), "the first of equally near ones");
        assert_eq!(nearest(&"a".repeat(129), ["a"]), None);
        assert_eq!(nearest("a", []), None);
    }
}
