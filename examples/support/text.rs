//! Names given by people.

use serde::{Deserialize, Serialize};

/// A text of `LEAST` to `MOST` characters without control characters, and not only of blanks.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Text<const MOST: usize = 255, const LEAST: usize = 1>(String);

impl<const MOST: usize, const LEAST: usize> TryFrom<String> for Text<MOST, LEAST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            _ if text.chars().any(char::is_control) => Err("must not contain control characters".to_owned()),
            length if !(LEAST..=MOST).contains(&length) => {
                Err(format!("must have {LEAST} to {MOST} characters, got {length}"))
            }
            _ if text.trim().is_empty() => Err("must not be blank".to_owned()),
            _ => Ok(Self(text)),
        }
    }
}

impl<const MOST: usize, const LEAST: usize> AsRef<str> for Text<MOST, LEAST> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
