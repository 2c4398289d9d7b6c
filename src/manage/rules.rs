//! Which values a key can have: long enough for people, short enough for a table.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;

use super::{FieldError, ManageError, NewKey};
use crate::backend::Grace;
use crate::clock::Timestamp;
use crate::credential::{MAX_CREDENTIAL_BYTES, Scheme};
use crate::owner::Owner;
use crate::scope::Scopes;

/// Characters of a name or a reason.
const TEXT: usize = 255;
/// Scopes of a key, and characters of one.
const SCOPES: (usize, usize) = (100, 128);
/// Seconds for which a replaced key goes on: what every store can keep, and more than anyone waits.
const GRACE: u64 = u32::MAX as u64;
/// Bytes of a key's text below which it can be guessed, whatever it consists of.
const WEAK: usize = 16;
/// Entries of metadata or labels, and characters of a name and a value.
const TEXTS: (usize, usize, usize) = (50, 40, 500);

/// What was found to be wrong with the values of a key.
#[derive(Default)]
pub(super) struct Findings(Vec<FieldError>);

impl Findings {
    pub(super) fn owner(mut self, owner: &Owner) -> Self {
        let ids = match owner {
            Owner::Organization(own) => [Some(("organization", &own.id)), None],
            Owner::Project(own) => [Some(("organization", &own.organization.id)), Some(("project", &own.id))],
            Owner::User(own) => [Some(("user", &own.email)), None],
        };
        for (field, id) in ids.into_iter().flatten() {
            if id.is_empty() {
                self.add(field, "expected at least one character, found none".to_owned());
            }
            self.text(field, id);
        }
        self
    }

    pub(super) fn name(mut self, name: &str, required: bool) -> Self {
        let is_blank = !name.chars().any(is_visible);
        if is_blank && required {
            self.add("name", "expected a name, found none".to_owned());
        } else if is_blank && !name.is_empty() {
            self.add("name", "expected a visible character, found none".to_owned());
        }
        self.text("name", name);
        self
    }

    pub(super) fn reason(mut self, reason: &str) -> Self {
        self.text("reason", reason);
        self
    }

    pub(super) fn scopes(mut self, scopes: &Scopes) -> Self {
        let (most, longest) = SCOPES;
        let count = scopes.iter().count();
        if count > most {
            self.add("scopes", format!("expected at most {most} scopes, found {count}"));
        }
        if scopes.iter().any(|scope| scope.as_str().len() > longest) {
            self.add(
                "scopes",
                format!("expected scopes of at most {longest} characters, found a longer one"),
            );
        }
        self
    }

    pub(super) fn expires_at(mut self, end: Option<Timestamp>, now: Timestamp) -> Self {
        if end.is_some_and(|end| end <= now) {
            self.add("expires_at", "expected a time in the future, found one in the past".to_owned());
        }
        self
    }

    /// Checks the text of a key that was made elsewhere. What no request can present is refused whatever is allowed: the key would stand in
    /// lists as one in force and admit no caller. Such a text is a mistake, as of a script that reads the line feed with it.
    pub(super) fn key_text(mut self, text: &str, new: &NewKey) -> Self {
        let user = new.owner.email().unwrap_or_default();
        let any = [Scheme::Bearer, Scheme::Basic, Scheme::Header(HeaderName::from_static("x-api-key"))];
        let schemes = if new.sources.is_empty() { &any } else { &*new.sources };
        let (length, most) = (text.len(), MAX_CREDENTIAL_BYTES);
        if length > most {
            self.add("text", format!("a key has {most} bytes at most; found {length}"));
        } else if length < WEAK && !new.allow_weak {
            let rule = "unless `allow_weak` permits less";
            self.add("text", format!("a key needs {WEAK} bytes, {rule}; found {length}"));
        } else if !schemes.iter().any(|scheme| scheme.carries(user, text)) {
            let rule = "Bearer takes letters, digits and `-._~+/`, with `=` at the end; a header takes visible ASCII without commas; Basic \
                        takes no control characters, and 384 bytes with the user and the colon";
            self.add("text", format!("no source of the key can carry this text: {rule}"));
        }
        self
    }

    pub(super) fn no_text_to_keep(mut self, retrievable: bool) -> Self {
        if retrievable {
            self.add(
                "retrievable",
                "expected the text of a key that is to be retrievable, found a digest".to_owned(),
            );
        }
        self
    }

    pub(super) fn grace(mut self, grace: Grace) -> Self {
        let (Grace::For(time) | Grace::FromFirstUse(time)) = grace else { return self };
        if time > Duration::from_secs(GRACE) {
            self.add("grace_seconds", format!("expected at most {GRACE} seconds, found more"));
        }
        self
    }

    /// Checks texts by name, such as metadata.
    pub(super) fn texts(mut self, field: &'static str, texts: &BTreeMap<String, String>) -> Self {
        let (most, name, value) = TEXTS;
        if texts.len() > most {
            self.add(field, format!("expected at most {most} entries, found {}", texts.len()));
        }
        let fits = |text: &str, most| text.chars().count() <= most && !text.contains('\0');
        if !texts.iter().all(|(key, text)| !key.is_empty() && fits(key, name) && fits(text, value)) {
            let expected = format!("expected names of 1 to {name} and values of up to {value} characters");
            self.add(field, format!("{expected}, found others"));
        }
        self
    }

    fn text(&mut self, field: &'static str, text: &str) {
        let length = text.chars().count();
        if length > TEXT {
            self.add(field, format!("expected at most {TEXT} characters, found {length}"));
        }
        if text.chars().any(|character| character.is_control() || turns_text(character)) {
            self.add(field, "expected no control characters, found one".to_owned());
        }
    }

    fn add(&mut self, field: &'static str, message: String) {
        self.0.push(FieldError::new(field, message));
    }

    /// Ends the check.
    pub(super) fn verdict(self) -> Result<(), ManageError> {
        if self.0.is_empty() { Ok(()) } else { Err(ManageError::invalid(self.0)) }
    }
}

/// Returns whether a character changes the direction of those around it (Unicode Standard Annex 9, explicit formatting): a name with it
/// would show as another one. The marks that languages need for a single character are left.
fn turns_text(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character shows, be it by itself or with others: not white space, a joiner, a mark of direction, or another character
/// without width.
fn is_visible(character: char) -> bool {
    let is_without_width = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    !(character.is_whitespace() || character.is_control() || is_without_width)
}
