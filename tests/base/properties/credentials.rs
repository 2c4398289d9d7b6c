//! The credentials of a request, and the sources they are read from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use tower_api_key::Source;
use tower_api_key::credential::Scheme;
use tower_api_key::key::KeyFormat;

/// A way to present a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Bearer,
    Basic,
    ApiKey,
    /// A custom header that accepts minted keys only.
    Device,
}

pub(crate) const WAYS: [Way; 4] = [Way::Bearer, Way::Basic, Way::ApiKey, Way::Device];

/// The texts of the keys, and the ways in which each can be presented. Their digests were chosen to share no counter of
/// the cache, so that a change of one key does not affect the others.
pub(crate) const TEXTS: [(&str, &[Way]); 6] = [
    ("demo_live_8aspm4G7VmSUfOoD6V1vrORcmn0iSHkp18kSAU", &WAYS),
    ("demo_test_Eby6vK111fY0yuOhDRk1XEmSyVZEMEhE1qlRcw", &WAYS),
    ("0123456789abcdef0123456789abcdef", &[Way::Bearer, Way::Basic, Way::ApiKey]),
    ("oat_organization", &[Way::Bearer, Way::Basic, Way::ApiKey]),
    // The first one with a wrong checksum, which only a source without formats accepts.
    ("demo_live_8aspm4G7VmSUfOoD6V1vrORcmn0iSHkp18kSA0", &[Way::ApiKey]),
    // A comma joins header lines; within base64 it is a character like any other.
    ("key,with,commas", &[Way::Basic]),
];

#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) way: Way,
    pub(crate) text: usize,
    /// The user beside the key, for ways that have one.
    pub(crate) user: &'static str,
}

/// The credentials of one request.
pub(crate) type Presented = Vec<Credential>;

pub(crate) fn sources() -> [Source; 4] {
    let minted = KeyFormat::new("demo").unwrap();
    [
        Source::bearer().format(minted.clone()).foreign(),
        Source::basic().format(minted.clone()).foreign().empty_user(),
        Source::x_api_key(),
        Source::header("device-key").unwrap().format(minted),
    ]
}

pub(crate) fn scheme(way: Way) -> Scheme {
    match way {
        Way::Bearer => Scheme::Bearer,
        Way::Basic => Scheme::Basic,
        Way::ApiKey => Scheme::Header(HeaderName::from_static("x-api-key")),
        Way::Device => Scheme::Header(HeaderName::from_static("device-key")),
    }
}

pub(crate) fn headers(presented: &Presented) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for Credential { way, text, user } in presented {
        let text = TEXTS[*text].0;
        let (name, value) = match way {
            Way::Bearer => ("authorization", format!("Bearer {text}")),
            Way::Basic => ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{text}")))),
            Way::ApiKey => ("x-api-key", text.to_owned()),
            Way::Device => ("device-key", text.to_owned()),
        };
        headers.append(name, value.parse().unwrap());
    }
    headers
}
