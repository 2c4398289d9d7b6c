//! Checks of whole texts, byte by byte.

/// Tells whether all bytes are as they should be. To look at every byte, rather than up to the first wrong one, lets the
/// compiler look at sixteen of them at once.
pub(crate) fn all(text: &[u8], is_right: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |right, &byte| right & is_right(byte))
}
