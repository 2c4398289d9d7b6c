//! The bodies of requests that create, change or rotate a key, read by their OpenAPI document.

use std::collections::BTreeMap;

use crate::calendar;
use crate::json::Json;

/// The kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    Key,
    Update,
    Rotation,
}

/// The reason for the rejection of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// It is not an object, or names a field twice.
    Unreadable,
    /// It has a field that only the service sets.
    Forbidden,
    /// These fields are invalid.
    Fields(Vec<&'static str>),
}

/// The fields of a body. A missing one is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyFields {
    pub name: Option<String>,
    pub scopes: Option<Vec<String>>,
    /// Milliseconds since 1970, or never.
    pub expires_at: Option<Option<i64>>,
    pub labels: Option<BTreeMap<String, String>>,
    pub grace_seconds: Option<u64>,
    pub grace_from_first_use: Option<bool>,
}

/// Reads a body at the time `now`.
pub fn read(kind: BodyKind, body: &[u8], now: i64) -> Result<BodyFields, Rejected> {
    let text = std::str::from_utf8(body).map_err(|_| Rejected::Unreadable)?;
    let empty = || Json::Object(Vec::new());
    let json = if body.is_empty() { empty() } else { Json::read(text).ok_or(Rejected::Unreadable)? };
    let Json::Object(fields) = &json else { return Err(Rejected::Unreadable) };
    if !json.names_each_field_once() {
        return Err(Rejected::Unreadable);
    }
    let is_of_key = matches!(kind, BodyKind::Key | BodyKind::Update);
    if is_of_key && fields.iter().any(|(name, _)| ["limits", "plan"].contains(&name.as_str())) {
        return Err(Rejected::Forbidden);
    }
    let known: &[&str] = match kind {
        BodyKind::Key | BodyKind::Update => &["name", "scopes", "expires_at", "labels"],
        BodyKind::Rotation => &["grace_seconds", "grace_from_first_use", "expires_at"],
    };
    let (mut said, mut wrong) = (BodyFields::default(), Vec::new());
    for &name in known {
        if let Some(value) = json.get(name) {
            wrong.extend(said.read(name, value).is_none().then_some(name));
        }
    }
    if fields.iter().any(|(name, _)| !known.contains(&name.as_str())) {
        wrong.push("body");
    }
    if wrong.is_empty() {
        wrong = said.beyond_limits(now);
    }
    wrong.sort_unstable();
    if wrong.is_empty() { Ok(said) } else { Err(Rejected::Fields(wrong)) }
}

impl BodyFields {
    fn read(&mut self, name: &str, value: &Json) -> Option<()> {
        match (name, value) {
            ("name", value) => self.name = Some(value.text()?.to_owned()),
            ("scopes", value) => {
                let scopes = self.scopes.insert(Vec::new());
                for item in value.items()? {
                    let scope = scope(item)?;
                    if !scopes.contains(&scope) {
                        scopes.push(scope);
                    }
                }
            }
            ("expires_at", Json::Null) => self.expires_at = Some(None),
            ("expires_at", value) => self.expires_at = Some(Some(calendar::time(value.text()?)?)),
            ("labels", value) => {
                let Json::Object(fields) = value else { return None };
                let entries =
                    fields.iter().map(|(name, value)| Some((name.clone(), value.text()?.to_owned())));
                self.labels = Some(entries.collect::<Option<_>>()?);
            }
            ("grace_seconds", Json::Number(number)) => {
                self.grace_seconds = Some(number.parse().ok().or_else(|| whole(number.parse().ok()?))?);
            }
            ("grace_from_first_use", Json::Truth(truth)) => self.grace_from_first_use = Some(*truth),
            _ => return None,
        }
        Some(())
    }

    fn beyond_limits(&self, now: i64) -> Vec<&'static str> {
        let control = |character: char| matches!(character, '\0'..' ' | '\u{7f}'..='\u{9f}');
        let length = |text: &str| text.chars().count();
        let name = self.name.as_deref().unwrap_or_default();
        let scopes = self.scopes.as_deref().unwrap_or_default();
        let has_null = |text: &String| text.contains('\0');
        let entry = |(name, text): (&String, &String)| {
            !(1..=40).contains(&length(name)) || length(text) > 500 || has_null(name) || has_null(text)
        };
        let labels = self.labels.clone().unwrap_or_default();
        [
            (
                "name",
                length(name) > 255
                    || name.contains(control)
                    || name.contains(is_bidi_control)
                    || is_blank(name),
            ),
            ("scopes", scopes.len() > 100 || scopes.iter().any(|scope| scope.len() > 128)),
            ("expires_at", self.expires_at.flatten().is_some_and(|end| end <= now)),
            ("labels", labels.len() > 50 || labels.iter().any(entry)),
            ("grace_seconds", self.grace_seconds.is_some_and(|grace| grace > 4_294_967_295)),
        ]
        .into_iter()
        .filter_map(|(name, is_wrong)| is_wrong.then_some(name))
        .collect()
    }
}

/// The explicit formatting characters of Unicode Standard Annex 9.
fn is_bidi_control(character: char) -> bool {
    "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".contains(character)
}

/// Returns whether a text is not empty but has no visible character.
fn is_blank(text: &str) -> bool {
    const WITHOUT_WIDTH: [(u32, u32); 20] = [
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfff8),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
        (0, 0x1f),
        (0x7f, 0x9f),
        (0x20, 0x20),
    ];
    let within =
        |character: char| WITHOUT_WIDTH.iter().any(|(from, to)| (*from..=*to).contains(&(character as u32)));
    !text.is_empty() && text.chars().all(|character| character.is_whitespace() || within(character))
}

/// Reads a scope (RFC 6749 §3.3).
fn scope(value: &Json) -> Option<String> {
    let text = value.text()?;
    let is_token = |character: char| matches!(character, '!'..='~') && !matches!(character, '"' | '\\');
    (!text.is_empty() && text.chars().all(is_token)).then(|| text.to_owned())
}

/// Parses a number written with a fraction or an exponent that has an integer value.
fn whole(number: f64) -> Option<u64> {
    let beyond = 2_f64.powi(64);
    ((0.0..beyond).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}
