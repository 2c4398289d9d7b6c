//! Texts that people name things by.

use serde::{Deserialize, Serialize};

/// A text of `LEAST` to `MOST` characters, none of which is a control character and not all of which are blanks.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Text<const MOST: usize = 255, const LEAST: usize = 1>(String);

impl<const MOST: usize, const LEAST: usize> TryFrom<String> for Text<MOST, LEAST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            _ if text.chars().any(char::is_control) => {
                Err("expected no control characters, found one".to_owned())
            }
            length if !(LEAST..=MOST).contains(&length) => {
                Err(format!("expected {LEAST} to {MOST} characters, found {length}"))
            }
            _ if text.trim().is_empty() => Err("expected a text, found nothing but blanks".to_owned()),
            _ => Ok(Self(text)),
        }
    }
}

impl<const MOST: usize, const LEAST: usize> AsRef<str> for Text<MOST, LEAST> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
