//! Checks of whole texts, byte by byte.

/// Describes the first byte that is not as it should be. Whole texts are not shown in errors: someone may have pasted a key.
pub(crate) fn describe_first_wrong(text: &[u8], is_right: impl Fn(u8) -> bool) -> String {
    match text.iter().position(|&byte| !is_right(byte)) {
        Some(position) => format!("byte {:#04x} at position {position}", text[position]),
        None => "nothing".to_owned(),
    }
}

/// Tells whether all bytes are as they should be. To look at every byte, rather than up to the first wrong one, lets the
/// compiler look at sixteen of them at once.
pub(crate) fn all(text: &[u8], is_right: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |right, &byte| right & is_right(byte))
}
