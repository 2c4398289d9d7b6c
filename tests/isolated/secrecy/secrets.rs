//! The secrets to search for, in all spellings.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tower_api_key::digest::Digest;

/// A hint shows six random characters of a key. Eight in a row are a leak.
const WINDOW: usize = 8;

/// The least number of characters of a list of `WINDOW` bytes.
const LIST: usize = WINDOW * 3 - 2;

/// Parts of secrets in their possible spellings, in lower case, with the names of the secrets.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Grouped by length, so that one pass over a text searches for all parts of a length.
    parts: HashMap<usize, HashMap<Vec<u8>, &'static str>>,
}

impl Secrets {
    /// Adds a secret that must not show as text, base64, hexadecimal digits or a list of bytes.
    pub(crate) fn keep(&mut self, name: &'static str, text: &str) {
        assert!(text.len() >= WINDOW, "{name} is long enough to be recognised");
        self.keep_windows(name, text, WINDOW);
        self.keep_bytes(name, text.as_bytes());
    }

    /// Adds a digest. It is no secret, but a digest in a log identifies its key.
    pub(crate) fn keep_digest(&mut self, name: &'static str, digest: &Digest) {
        self.keep_bytes(name, digest.as_bytes());
    }

    fn keep_bytes(&mut self, name: &'static str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.keep_windows(name, &hex, 2 * WINDOW);
        for window in bytes.windows(WINDOW) {
            let list = format!("{window:?}");
            self.keep_windows(name, &list[1..1 + LIST], LIST);
        }
        // The bytes before a secret in the same base64 text shift it by none, one or two bytes.
        for shift in 0..3 {
            let shifted = [&vec![0; shift], bytes].concat();
            let encoded = STANDARD_NO_PAD.encode(shifted);
            // The characters at either end depend on the neighbours as well.
            self.keep_windows(name, &encoded[[0, 2, 3][shift]..encoded.len() - 1], WINDOW);
        }
    }

    fn keep_windows(&mut self, name: &'static str, text: &str, length: usize) {
        let text = text.to_ascii_lowercase();
        let parts = self.parts.entry(length).or_default();
        parts.extend(text.as_bytes().windows(length).map(|window| (window.to_vec(), name)));
    }

    /// Returns the name of a secret of which a part shows in `text`.
    pub(crate) fn found_in(&self, text: &str) -> Option<&'static str> {
        let text = text.to_ascii_lowercase();
        let mut by_length = self.parts.iter();
        by_length.find_map(|(&length, parts)| {
            text.as_bytes().windows(length).find_map(|window| parts.get(window).copied())
        })
    }
}
