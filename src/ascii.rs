//! Checks of all bytes of a text.

// Layer 1 of 10: words.

/// Describes the first invalid byte for an error, which must not show the whole text: it may be a key pasted by mistake.
pub(crate) fn describe_first_invalid(text: &[u8], is_valid: impl Fn(u8) -> bool) -> String {
    match text.iter().position(|&byte| !is_valid(byte)) {
        Some(position) => format!("byte {:#04x} at position {position}", text[position]),
        None => "nothing".to_owned(),
    }
}

/// Returns whether all bytes are valid. Checks every byte, as the compiler can vectorise a loop without an early exit.
pub(crate) fn all(text: &[u8], is_valid: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |valid, &byte| valid & is_valid(byte))
}
