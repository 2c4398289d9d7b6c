//! How the pages look: name, logo and colour, checked when they are set.

// Layer 10 of 10: rim.

use crate::credential::Scheme;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::record::Record;

/// Most characters of the name of the application.
const MAX_NAME: usize = 60;
/// The lowest contrast of text (WCAG 2.2, 1.4.3).
const MIN_CONTRAST: f64 = 4.5;

const STYLE: &str = include_str!("templates/style.css");
pub(super) const SCRIPT: &str = include_str!("templates/script.js");

#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) name: Box<str>,
    pub(super) logo: Option<Box<str>>,
    accent: Box<str>,
    example: Option<(Box<str>, Scheme)>,
}

impl Default for Look {
    fn default() -> Self {
        Self { name: "API keys".into(), logo: None, accent: "#0b5cad".into(), example: None }
    }
}

impl Look {
    pub(super) fn name(self, name: Box<str>) -> Result<Self, ConfigError> {
        match name.chars().count() {
            _ if name.trim().is_empty() => Err(invalid("the name of the console must not be empty")),
            length if length > MAX_NAME => Err(invalid(format!(
                "the name of the console must have at most {MAX_NAME} characters, got {length}"
            ))),
            _ => Ok(Self { name, ..self }),
        }
    }

    pub(super) fn logo(self, path: Box<str>) -> Result<Self, ConfigError> {
        // Browsers read `//host` and `/\host` as other origins.
        let is_own = path.starts_with('/') && !path.starts_with("//") && is_plain(&path);
        if !is_own {
            let rule = "an absolute path on the origin of the pages, such as `/assets/logo.svg`";
            return Err(invalid(format!("the logo must be {rule}, got {path:?}")));
        }
        Ok(Self { logo: Some(path), ..self })
    }

    pub(super) fn accent(self, colour: &str) -> Result<Self, ConfigError> {
        let Some(channels) = channels(colour) else {
            let message = format!("the accent colour must be of the form `#0b5cad`, got {colour:?}");
            return Err(invalid(message));
        };
        let contrast = contrast_with_white(channels);
        if contrast < MIN_CONTRAST {
            let rule = format!("white text on it must have a contrast of {MIN_CONTRAST}, got {contrast:.1}");
            return Err(invalid(format!("the accent colour must be darker: {rule}")));
        }
        Ok(Self { accent: colour.into(), ..self })
    }

    pub(super) fn example(self, url: Box<str>, source: Scheme) -> Result<Self, ConfigError> {
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) || !is_plain(&url) {
            let rule = "a URL of HTTP in visible ASCII without quotes, backslashes and `$`";
            return Err(invalid(format!("the URL of the example must be {rule}, got {url:?}")));
        }
        if source == Scheme::Basic {
            return Err(invalid("the source of the example must not be Basic: curl needs a user with it"));
        }
        Ok(Self { example: Some((url, source)), ..self })
    }

    /// Returns the style sheet.
    pub(super) fn style(&self) -> String {
        format!(":root{{--accent:{}}}\n{STYLE}", self.accent)
    }

    /// Returns the name of the variable for a key.
    pub(super) fn variable(&self) -> String {
        let words = self.name.split(|character: char| !character.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect();
        match words.join("_").trim_end_matches("API_KEYS").trim_end_matches('_') {
            name if name.starts_with(|first: char| first.is_ascii_alphabetic()) => format!("{name}_API_KEY"),
            _ => "API_KEY".to_owned(),
        }
    }

    /// Returns a request with a key, as a command for a shell.
    pub(super) fn curl(&self, record: &Record) -> Option<String> {
        let (url, source) = self.example.as_ref().filter(|(_, source)| record.accepts(source))?;
        let header = match source {
            Scheme::Header(name) => format!("{name}: ${}", self.variable()),
            _ => format!("Authorization: Bearer ${}", self.variable()),
        };
        Some(format!("curl -H \"{header}\" '{url}'"))
    }
}

/// Returns whether a text is safe within quotes of a shell, in HTML and in CSS.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'$' | b'`' | b'<'))
}

fn channels(colour: &str) -> Option<[u8; 3]> {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some([red, green, blue])
}

/// Returns the contrast of a colour with white (WCAG 2.2, relative luminance).
fn contrast_with_white(channels: [u8; 3]) -> f64 {
    let linear = |channel: u8| match f64::from(channel) / 255.0 {
        low if low <= 0.040_45 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    };
    let [red, green, blue] = channels.map(linear);
    1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
}

fn invalid(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Console, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_of_another_origin_is_rejected() {
        for foreign in
            ["https://cdn.example/a.svg", "//cdn.example/a.svg", "/\\cdn.example", "a.svg", "", "/\n"]
        {
            assert!(Look::default().logo(foreign.into()).is_err(), "{foreign:?}");
        }
        assert!(Look::default().logo("/assets/logo.svg?v=1".into()).is_ok());
    }

    #[test]
    fn a_colour_has_six_digits_and_enough_contrast() {
        for colour in ["0b5cad", "#0b5ca", "#0b5cadd", "#+b5cad", "red", "#777777", "#ffffff"] {
            assert!(Look::default().accent(colour).is_err(), "{colour:?}");
        }
        for colour in ["#0b5cad", "#767676", "#000000", "#B00020"] {
            assert!(Look::default().accent(colour).is_ok(), "{colour:?}");
        }
    }

    #[test]
    fn the_variable_is_named_after_the_application() {
        for (name, variable) in [
            ("API keys", "API_KEY"),
            ("Acme Notes", "ACME_NOTES_API_KEY"),
            ("Acme API keys", "ACME_API_KEY"),
            ("24h", "API_KEY"),
            ("Ключи", "API_KEY"),
        ] {
            assert_eq!(Look::default().name(name.into()).unwrap().variable(), variable);
        }
    }
}
