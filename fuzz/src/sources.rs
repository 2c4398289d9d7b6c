//! The credential that a request presents, found line by line.

use tower_api_key::credential::{Scheme, Source};
use tower_api_key::key::KeyFormat;

use crate::credential::{self, Pair};
use crate::key;

/// A source of credentials, with the keys that it accepts.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub at: At,
    /// The prefixes of the formats.
    pub formats: &'static [&'static str],
    /// Whether keys of no format are accepted in addition to those of the formats.
    pub foreign: bool,
    pub empty_user: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Bearer,
    Basic,
    Header(&'static str),
}

/// The credential of a request. Numbers are positions among the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    Nothing,
    Several,
    Malformed(usize),
    Credential(usize, Pair),
}

/// A field line: a name in lower case and a value.
pub type Line = (String, Vec<u8>);

impl Place {
    /// Creates a place that accepts keys of any text.
    pub const fn any(at: At) -> Self {
        Self { at, formats: &[], foreign: true, empty_user: false }
    }

    /// Returns the crate's source for the place.
    pub fn source(&self) -> Source {
        let mut source = match self.at {
            At::Bearer => Source::bearer(),
            At::Basic => Source::basic(),
            At::Header("x-api-key") => Source::x_api_key(),
            At::Header("memfault-project-key") => Source::memfault_project_key(),
            At::Header(name) => Source::header(name).expect("a name that may hold a key"),
        };
        for prefix in self.formats {
            source = source.format(KeyFormat::new(*prefix).expect("a valid prefix"));
        }
        if self.foreign {
            source = source.foreign();
        }
        if self.empty_user { source.empty_user() } else { source }
    }

    /// Returns whether the scheme is that of this place.
    pub fn has_scheme(&self, scheme: &Scheme) -> bool {
        match (self.at, scheme) {
            (At::Bearer, Scheme::Bearer) | (At::Basic, Scheme::Basic) => true,
            (At::Header(own), Scheme::Header(name)) => name.as_str() == own,
            _ => false,
        }
    }

    fn accepts(&self, pair: &Pair) -> bool {
        let known = self.formats.iter().any(|prefix| key::judge(prefix, &pair.secret).is_ok());
        let claimed = self.formats.iter().any(|prefix| key::claims(prefix, &pair.secret));
        let named = self.empty_user || pair.user.as_deref() != Some("");
        named && (known || self.foreign && !claimed)
    }
}

/// Returns the place that reads a value of `Authorization`, and the credential in it. One that stands behind another scheme is malformed.
pub fn authorization(places: &[Place], value: &[u8]) -> (Option<usize>, Option<Pair>) {
    let of_scheme = |scheme: &[u8]| {
        let at = match scheme {
            b"bearer" => At::Bearer,
            b"basic" => At::Basic,
            _ => return None,
        };
        places.iter().position(|place| place.at == at)
    };
    let (scheme, rest) = credential::split(value);
    match of_scheme(&scheme) {
        Some(position) if places[position].at == At::Bearer => (Some(position), credential::bearer(rest)),
        Some(position) => (Some(position), credential::basic(rest)),
        None => (credential::words_before_blanks(value).iter().find_map(|word| of_scheme(word)), None),
    }
}

/// Returns the credential that the lines present.
pub fn presented(places: &[Place], lines: &[Line]) -> Presented {
    let mut found = Vec::new();
    for (name, value) in lines {
        let (position, pair) = if name == "authorization" {
            authorization(places, value)
        } else {
            let own = |place: &Place| matches!(place.at, At::Header(own) if own == name);
            (places.iter().position(own), credential::named(value))
        };
        found.extend(position.map(|position| (position, pair)));
    }
    let reads_authorization = places.iter().any(|place| matches!(place.at, At::Bearer | At::Basic));
    let authorizations = lines.iter().filter(|(name, _)| name == "authorization").count();
    match &found[..] {
        // `Authorization` is a single field (RFC 9110 §5.3), so a second line makes it ambiguous.
        _ if reads_authorization && authorizations > 1 => Presented::Several,
        [] => Presented::Nothing,
        [(position, Some(pair))] if places[*position].accepts(pair) => {
            Presented::Credential(*position, pair.clone())
        }
        [(position, _)] => Presented::Malformed(*position),
        _ => Presented::Several,
    }
}
