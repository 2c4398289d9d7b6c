//! JSON (RFC 8259), and objects whose values are all strings.

use std::collections::{BTreeMap, BTreeSet};

/// The greatest depth of nested lists and objects.
const DEPTH: usize = 127;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Truth(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// Including repeated names.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text.
    pub fn read(json: &str) -> Option<Self> {
        let (value, rest) = value(blank(json), 0)?;
        blank(rest).is_empty().then_some(value)
    }

    /// Returns a field of an object. The last of a repeated name counts.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Returns whether no object in this value repeats a name.
    pub fn names_each_field_once(&self) -> bool {
        match self {
            Self::List(items) => items.iter().all(Self::names_each_field_once),
            Self::Object(fields) => {
                let names: BTreeSet<_> = fields.iter().map(|(name, _)| name).collect();
                names.len() == fields.len() && fields.iter().all(|(_, value)| value.names_each_field_once())
            }
            _ => true,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the values of a list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns an object whose values are all strings, including those of repeated names.
    pub fn texts(&self) -> Option<BTreeMap<String, String>> {
        let Self::Object(fields) = self else { return None };
        fields.iter().map(|(name, value)| Some((name.clone(), value.text()?.to_owned()))).collect()
    }
}

/// Parses an object whose values are all strings. The last value of a repeated name counts.
pub fn texts(json: &str) -> Option<BTreeMap<String, String>> {
    Json::read(json)?.texts()
}

fn value(json: &str, depth: usize) -> Option<(Json, &str)> {
    for (word, value) in [("null", Json::Null), ("true", Json::Truth(true)), ("false", Json::Truth(false))] {
        if let Some(rest) = json.strip_prefix(word) {
            return Some((value, rest));
        }
    }
    match json.chars().next()? {
        '"' => string(json).map(|(text, rest)| (Json::Text(text), rest)),
        '[' => {
            let (items, rest) = members(json, ['[', ']'], |json| value(json, depth + 1))?;
            (depth < DEPTH).then_some((Json::List(items), rest))
        }
        '{' => {
            let (fields, rest) = members(json, ['{', '}'], |json| {
                let (name, rest) = string(json)?;
                let (value, rest) = value(blank(blank(rest).strip_prefix(':')?), depth + 1)?;
                Some(((name, value), rest))
            })?;
            (depth < DEPTH).then_some((Json::Object(fields), rest))
        }
        _ => number(json),
    }
}

fn members<T>(
    json: &str,
    [open, close]: [char; 2],
    mut member: impl FnMut(&str) -> Option<(T, &str)>,
) -> Option<(Vec<T>, &str)> {
    let mut members = Vec::new();
    let mut rest = blank(json.strip_prefix(open)?);
    if let Some(after) = rest.strip_prefix(close) {
        return Some((members, after));
    }
    loop {
        let (found, after) = member(rest)?;
        members.push(found);
        let after = blank(after);
        if let Some(after) = after.strip_prefix(close) {
            return Some((members, after));
        }
        rest = blank(after.strip_prefix(',')?);
    }
}

/// Parses a number that is finite as `f64`.
fn number(json: &str) -> Option<(Json, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut end = usize::from(json.starts_with('-'));
    let whole = digits(&json[end..]);
    if whole == 0 || whole > 1 && json[end..].starts_with('0') {
        return None;
    }
    end += whole;
    if json[end..].starts_with('.') {
        let fraction = digits(&json[end + 1..]);
        end += (fraction > 0).then_some(1 + fraction)?;
    }
    if json[end..].starts_with(['e', 'E']) {
        let sign = usize::from(json[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&json[end + 1 + sign..]);
        end += (exponent > 0).then_some(1 + sign + exponent)?;
    }
    let (number, rest) = json.split_at(end);
    let is_finite = number.parse().is_ok_and(f64::is_finite);
    is_finite.then(|| (Json::Number(number.to_owned()), rest))
}

fn string(json: &str) -> Option<(String, &str)> {
    let mut units = Vec::new();
    let mut characters = json.strip_prefix('"')?.chars();
    loop {
        let character = match characters.next()? {
            '"' => return Some((String::from_utf16(&units).ok()?, characters.as_str())),
            '\\' => match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (digits, after) = characters.as_str().split_at_checked(4)?;
                    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    units.push(is_hex.then(|| u16::from_str_radix(digits, 16).ok())??);
                    characters = after.chars();
                    continue;
                }
                plain @ ('"' | '\\' | '/') => plain,
                _ => return None,
            },
            '\0'..' ' => return None,
            plain => plain,
        };
        units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }
}

fn blank(json: &str) -> &str {
    json.trim_start_matches([' ', '\t', '\n', '\r'])
}
