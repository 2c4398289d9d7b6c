//! Validates the values of a key, without the store and without the caller.

// Layer 9 of 10: management.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderName;

use super::{FieldError, ManageError, NewKey, Permissions};
use crate::backend::Grace;
use crate::clock::Timestamp;
use crate::credential::{MAX_CREDENTIAL_BYTES, Scheme};
use crate::owner::Owner;
use crate::quote::{MAX_NAMED, nearest, quote, shorten};
use crate::scope::{Scope, Scopes};

/// Most characters of a name, a reason or an owner's id.
const MAX_CHARACTERS: usize = 255;
/// Most scopes of a key, and most characters of a scope.
const MAX_SCOPES: (usize, usize) = (100, 128);
/// Longest grace of a rotated key in seconds, which every store can keep.
const MAX_GRACE: u64 = u32::MAX as u64;
/// A key text with fewer bytes can be guessed, whatever its characters.
const MIN_KEY_BYTES: usize = 16;
/// Most entries of metadata or labels, and most characters of a name and of a value.
const MAX_ENTRIES: (usize, usize, usize) = (50, 40, 500);

/// Collects the invalid fields of a key.
#[derive(Default)]
pub(super) struct Validation(Vec<FieldError>);

impl Validation {
    pub(super) fn owner(mut self, owner: &Owner) -> Self {
        let ids = match owner {
            Owner::Organization(own) => [Some(("organization", &own.id)), None],
            Owner::Project(own) => [Some(("organization", &own.organization.id)), Some(("project", &own.id))],
            Owner::User(own) => [Some(("user", &own.email)), None],
        };
        for (field, id) in ids.into_iter().flatten() {
            if id.is_empty() {
                self.add(field, "must not be empty");
            }
            self.text(field, id);
        }
        self
    }

    /// Checks that an e-mail has two parts.
    pub(super) fn email(mut self, email: &str) -> Self {
        let has_parts =
            email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !has_parts && !email.is_empty() {
            self.add("user", "must be an e-mail, with an `@`");
        }
        self
    }

    pub(super) fn name(mut self, name: &str, required: bool) -> Self {
        let is_blank = !name.chars().any(is_visible);
        if is_blank && required {
            self.add("name", "must not be empty");
        } else if is_blank && !name.is_empty() {
            self.add("name", "must have a visible character");
        }
        self.text("name", name);
        self
    }

    /// Checks the name of a caller in the audit log.
    pub(super) fn caller(mut self, name: &str) -> Self {
        if !name.chars().any(is_visible) {
            self.add("name", "must have a visible character");
        }
        self.text("name", name);
        self
    }

    pub(super) fn reason(mut self, reason: &str) -> Self {
        self.text("reason", reason);
        self
    }

    pub(super) fn scopes(mut self, scopes: &Scopes, required: bool) -> Self {
        if required && scopes.is_empty() {
            self.add("scopes", "must not be empty");
        }
        let (most, longest) = MAX_SCOPES;
        let count = scopes.iter().count();
        if count > most {
            self.add("scopes", format!("must have at most {most} scopes, got {count}"));
        }
        self.add_each(
            "scopes",
            scopes.iter().map(Scope::as_str).filter_map(|scope| {
                let length = scope.len();
                let message =
                    || format!("`{}` must have at most {longest} characters, got {length}", shorten(scope));
                (length > longest).then(message)
            }),
        );
        self
    }

    /// Checks that scopes are listed, if permissions are.
    pub(super) fn permitted<'s>(
        mut self,
        scopes: impl IntoIterator<Item = &'s Scope>,
        permissions: Option<&Permissions>,
    ) -> Self {
        let Some(permissions) = permissions else { return self };
        let unlisted = scopes.into_iter().filter(|scope| !permissions.contains(scope)).map(Scope::as_str);
        self.add_each(
            "scopes",
            unlisted.map(|scope| {
                let shown = shorten(scope);
                match nearest(scope, permissions.scopes().map(Scope::as_str)) {
                    Some(near) => format!("no scope `{shown}`; did you mean `{near}`?"),
                    None => format!("no scope `{shown}`"),
                }
            }),
        );
        self
    }

    pub(super) fn expires_at(mut self, end: Option<Timestamp>, now: Timestamp) -> Self {
        if let Some(end) = end.filter(|end| *end <= now) {
            self.add("expires_at", format!("must be in the future, got {end}"));
        }
        self
    }

    /// Checks the text of an imported key. A text that no request can present is rejected even with `allow_weak`: the key would be listed as
    /// active and admit no caller. Such a text is a mistake, such as that of a script that reads the line feed with it.
    pub(super) fn key_text(mut self, text: &str, new: &NewKey) -> Self {
        let user = new.owner.email().unwrap_or_default();
        let any = [Scheme::Bearer, Scheme::Basic, Scheme::Header(HeaderName::from_static("x-api-key"))];
        let schemes = if new.sources.is_empty() { &any } else { &*new.sources };
        let (length, most) = (text.len(), MAX_CREDENTIAL_BYTES);
        if length > most {
            self.add("text", format!("must have at most {most} bytes, got {length}"));
        } else if length < MIN_KEY_BYTES && !new.allow_weak {
            let rule = "unless `allow_weak` is set";
            self.add("text", format!("must have at least {MIN_KEY_BYTES} bytes {rule}, got {length}"));
        } else if !schemes.iter().any(|scheme| scheme.carries(user, text)) {
            let rule = "Bearer permits letters, digits and `-._~+/`, with `=` at the end; a header permits visible ASCII without commas; \
                        Basic permits no control characters, and 384 bytes with the user and the colon";
            self.add("text", format!("no source of the key can carry this text: {rule}"));
        }
        self
    }

    /// Checks a key that is imported by its digest, of which no text can be kept.
    pub(super) fn not_retrievable(mut self, retrievable: bool) -> Self {
        if retrievable {
            self.add("retrievable", "requires the text of the key, got a digest");
        }
        self
    }

    pub(super) fn grace(mut self, grace: Grace) -> Self {
        let (Grace::For(time) | Grace::FromFirstUse(time)) = grace else { return self };
        if time > Duration::from_secs(MAX_GRACE) {
            self.add("grace_seconds", format!("must be at most {MAX_GRACE} seconds, got {}", time.as_secs()));
        }
        self
    }

    /// Checks metadata or labels.
    pub(super) fn entries(mut self, field: &'static str, entries: &BTreeMap<String, String>) -> Self {
        let (most, name, value) = MAX_ENTRIES;
        if entries.len() > most {
            self.add(field, format!("must have at most {most} entries, got {}", entries.len()));
        }
        let broken_rule = |text: &str, most| match text.chars().count() {
            length if length > most => Some(format!("must have at most {most} characters, got {length}")),
            _ if text.contains('\0') => Some("must not contain NUL".to_owned()),
            _ => None,
        };
        self.add_each(
            field,
            entries.iter().filter_map(|(key, text)| {
                if key.is_empty() {
                    return Some("a name must not be empty".to_owned());
                }
                let of_name = broken_rule(key, name).map(|rule| format!("the name {} {rule}", quote(key)));
                of_name.or_else(|| {
                    broken_rule(text, value).map(|rule| format!("the value of {} {rule}", quote(key)))
                })
            }),
        );
        self
    }

    pub(super) fn role(mut self, role: &str) -> Self {
        self.text("role", role);
        self
    }

    fn text(&mut self, field: &'static str, text: &str) {
        let length = text.chars().count();
        if length > MAX_CHARACTERS {
            self.add(field, format!("must have at most {MAX_CHARACTERS} characters, got {length}"));
        }
        let mut characters = text.chars().zip(1..);
        let control =
            characters.find(|(character, _)| character.is_control() || changes_direction(*character));
        if let Some((character, position)) = control {
            let found = u32::from(character);
            self.add(
                field,
                format!("must not contain control characters, got U+{found:04X} at position {position}"),
            );
        }
    }

    fn add_each(&mut self, field: &'static str, messages: impl Iterator<Item = String>) {
        messages.take(MAX_NAMED).for_each(|message| self.add(field, message));
    }

    fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// Returns an error if a field is invalid.
    pub(super) fn finish(self) -> Result<(), ManageError> {
        if self.0.is_empty() { Ok(()) } else { Err(ManageError::invalid(self.0)) }
    }
}

/// Returns whether a character changes the direction of the text around it (Unicode Standard Annex 9, explicit formatting): a name with it
/// would look like another name. Marks for a single character, which some languages need, are permitted.
fn changes_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character is visible, alone or combined: not white space, a joiner, a direction mark or another zero-width character.
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
