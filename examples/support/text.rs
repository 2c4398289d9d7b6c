//! Texts that people name things by.

use serde::{Deserialize, Serialize};

/// A text of 1 to `MOST` characters, none of which is a control character.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Text<const MOST: usize = 255>(String);

impl<const MOST: usize> TryFrom<String> for Text<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            _ if text.chars().any(char::is_control) => {
                Err("expected no control characters, found one".to_owned())
            }
            length if (1..=MOST).contains(&length) => Ok(Self(text)),
            length => Err(format!("expected 1 to {MOST} characters, found {length}")),
        }
    }
}

impl<const MOST: usize> AsRef<str> for Text<MOST> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
