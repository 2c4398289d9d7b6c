//! What a request presents, and where it is looked for.

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
    /// A header of our own, which takes minted keys only.
    Device,
}

pub(crate) const WAYS: [Way; 4] = [Way::Bearer, Way::Basic, Way::ApiKey, Way::Device];

/// The texts that keys are issued with, and the ways in which they can be presented at all. Their digests were chosen to
/// share no counter of the cache, so that the change of one key has no effect on the others.
pub(crate) const TEXTS: [(&str, &[Way]); 6] = [
    ("demo_live_8aspm4G7VmSUfOoD6V1vrORcmn0iSHkp18kSAU", &WAYS),
    ("demo_test_Eby6vK111fY0yuOhDRk1XEmSyVZEMEhE1qlRcw", &WAYS),
    ("0123456789abcdef0123456789abcdef", &[Way::Bearer, Way::Basic, Way::ApiKey]),
    ("oat_organization", &[Way::Bearer, Way::Basic, Way::ApiKey]),
    // The first one with a wrong checksum, which only a source without formats does not notice.
    ("demo_live_8aspm4G7VmSUfOoD6V1vrORcmn0iSHkp18kSA0", &[Way::ApiKey]),
    // A comma joins header lines; within base64 it is a character like any other.
    ("key,with,commas", &[Way::Basic]),
];

#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) way: Way,
    pub(crate) text: usize,
    /// The user beside the key, where the way has one.
    pub(crate) user: &'static str,
}

/// All that one request presents.
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
