//! Fingerprints of the settings by which keys are made: a store keeps them, so that a node with other settings notices.

// Layer 1 of 10: words.

use std::fmt;
use std::str::FromStr;

use crate::error::{InvalidValue, InvalidValueKind};

/// The fingerprint of a digester or a key format, by which it is recognized in a store.
///
/// It reveals neither a pepper nor a key: that of a digester with a pepper is an HMAC under it, which only an attacker who can guess 32 bytes
/// could test.
///
/// ```
/// use tower_api_key::digest::{Digester, Fingerprint};
///
/// let fingerprint = Digester::sha256().fingerprint();
/// assert_eq!(fingerprint.to_string(), "digester sha256");
/// assert_eq!(fingerprint, "digester sha256".parse::<Fingerprint>()?);
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(Box<str>);

const DIGESTER: &str = "digester ";
const FORMAT: &str = "format ";

/// The longest text: that of a format with the longest prefix is shorter.
const MAX_LEN: usize = 80;

impl Fingerprint {
    pub(super) fn of_digester(algorithm: &str) -> Self {
        Self(format!("{DIGESTER}{algorithm}").into())
    }

    /// Creates the fingerprint of a key format from its prefix.
    pub(crate) fn of_format(prefix: &str) -> Self {
        Self(format!("{FORMAT}{prefix}").into())
    }

    /// Returns the text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is of a digester, not of a key format.
    pub fn is_of_digester(&self) -> bool {
        self.0.starts_with(DIGESTER)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_kind = text.starts_with(DIGESTER) || text.starts_with(FORMAT);
        if is_kind && text.len() <= MAX_LEN && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Ok(Self(text.into()));
        }
        let message = "fingerprint is invalid: must be `digester` or `format`, a space and a name";
        Err(InvalidValue::new(InvalidValueKind::Fingerprint, message))
    }
}

/// The settings of a node that its store can contradict. `None`: any.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeSettings {
    pub(crate) digesters: Option<Box<[Fingerprint]>>,
    pub(crate) formats: Option<Box<[Fingerprint]>>,
}

/// A setting of a node with which none of a store's keys were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Digester,
    Format,
}

impl NodeSettings {
    /// Compares the settings with the fingerprints of a store. A kind of which the store has none matches.
    pub(crate) fn check(&self, stored: &[Fingerprint]) -> Result<(), Mismatch> {
        let matches = |own: &Option<Box<[Fingerprint]>>, is_of_digester: bool| {
            let mut stored =
                stored.iter().filter(|stored| stored.is_of_digester() == is_of_digester).peekable();
            stored.peek().is_none()
                || own.as_ref().is_none_or(|own| stored.any(|stored| own.contains(stored)))
        };
        match (matches(&self.digesters, true), matches(&self.formats, false)) {
            (false, _) => Err(Mismatch::Digester),
            (true, false) => Err(Mismatch::Format),
            (true, true) => Ok(()),
        }
    }
}

impl NodeSettings {
    /// Returns whether a store has a fingerprint of a digester of this node.
    pub(crate) fn has_one_of(&self, stored: &[Fingerprint]) -> bool {
        self.digesters.iter().flatten().any(|own| stored.contains(own))
    }

    /// Returns the digesters in a store that this node lacks.
    pub(crate) fn lacking(&self, stored: &[Fingerprint]) -> Vec<Fingerprint> {
        let Some(own) = &self.digesters else { return Vec::new() };
        stored.iter().filter(|stored| stored.is_of_digester() && !own.contains(stored)).cloned().collect()
    }
}

impl Mismatch {
    /// Returns what is wrong and what to change.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Digester => {
                "no key of the store was made with a digester of this node, so every key would be unknown: set the pepper with which they \
                 were made by `AuthenticatorBuilder::digester`, or by `former_digester` if new keys get another one"
            }
            Self::Format => {
                "no key of the store was made in a key format that a source of this node accepts, so every key would be malformed: add the \
                 format of the keys by `Source::format`"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(digesters: &[&str], formats: &[&str]) -> NodeSettings {
        let parse = |list: &[&str]| {
            (!list.is_empty()).then(|| list.iter().map(|text| text.parse().unwrap()).collect())
        };
        NodeSettings { digesters: parse(digesters), formats: parse(formats) }
    }

    #[test]
    fn a_node_matches_if_one_of_its_settings_is_in_the_store() {
        let (old, new, demo, other) = ("digester old", "digester new", "format demo", "format other");
        for (settings, stored, expected) in [
            (own(&[old], &[demo]), &[][..], Ok(())),
            (own(&[old], &[demo]), &[old, demo], Ok(())),
            (own(&[new, old], &[demo]), &[old], Ok(())),
            (own(&[new], &[demo]), &[old, new, other, demo], Ok(())),
            (own(&[], &[]), &[old, demo], Ok(())),
            (own(&[new], &[]), &[demo], Ok(())),
            (own(&[new], &[demo]), &[old, demo], Err(Mismatch::Digester)),
            (own(&[new], &[other]), &[old, demo], Err(Mismatch::Digester)),
            (own(&[old], &[other]), &[old, demo], Err(Mismatch::Format)),
        ] {
            let stored: Vec<_> = stored.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(settings.check(&stored), expected, "{settings:?} {stored:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_fingerprint_is_rejected() {
        let long = format!("format {}", "a".repeat(80));
        for text in ["", "sha256", "digester", "format\u{e9} a", "digester a\nb", &long] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
