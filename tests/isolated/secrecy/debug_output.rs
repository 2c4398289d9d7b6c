//! The debug output of values that hold a secret or are derived from one.

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::{Invalidation, Invalidator};
use tower_api_key::credential::Sources;
use tower_api_key::key::KeyFormat;
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, RequireScopeLayer, Requirement};

use crate::secrecy::keys::{FOREIGN, Keys};
use crate::secrecy::requests;
use crate::secrecy::transcript::Transcript;

pub(crate) fn show(transcript: &Transcript, keys: &Keys) {
    show_keys(transcript, keys);
    show_credentials(transcript, keys);
    show_near_misses(transcript, keys);
    show_configured(transcript, keys);
}

fn show_keys(transcript: &Transcript, keys: &Keys) {
    let record = &keys.good.record;
    transcript.debug("revealed key", &keys.good.text);
    transcript.debug("digest", &record.digest);
    transcript.debug("digester", &keys.digester);
    transcript.debug("record", record);
    transcript.debug("record", &keys.revoked.record);
    transcript.debug("record", &keys.foreign);
    transcript.note("key id", &record.id);
    transcript.debug("change", &Invalidation::Revoked(record.digest));
    transcript.debug("change", &Invalidation::Changed(record.digest));
    transcript.debug("changes", &Invalidator::new());
}

fn show_credentials(transcript: &Transcript, keys: &Keys) {
    let sources = Sources::new(requests::sources()).unwrap();
    transcript.debug("sources", &sources);
    let good = keys.good.text.as_str();
    for (name, value) in requests::presentations(keys) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.clone());
        if let Err(error) =
            sources.extract(&headers, |credential| transcript.debug("credential", &credential))
        {
            transcript.error("credential error", &error);
        }
        headers.append(name, HeaderValue::from_str(good).unwrap());
        transcript.error("credential error", &sources.extract(&headers, |_| ()).unwrap_err());
    }
}

/// Texts that are almost keys, each with another invalid part.
fn show_near_misses(transcript: &Transcript, keys: &Keys) {
    let good = keys.good.text.as_str();
    let (body, checksum) = good.split_at(good.len() - 6);
    let format = KeyFormat::new("demo").unwrap();
    let misses = [
        good.replace("demo_", "dem0_"),
        good.replace("_live_", "_LIVE_"),
        good.replace("_live_", ""),
        good.replacen("demo_live_", "demo_", 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}="),
        format!("{good}\n"),
        format!("{body}-{}", &checksum[1..]),
        format!("{body}{}", checksum.chars().rev().collect::<String>() + "x"),
        format!("{}{checksum}", body.to_uppercase().replace("DEMO_LIVE", "demo_live")),
        format!("{body}000000"),
        FOREIGN.to_owned(),
    ];
    for text in misses {
        transcript.error("parse error", &format.parse(text.as_bytes()).unwrap_err());
    }
}

fn show_configured(transcript: &Transcript, keys: &Keys) {
    let builder = Authenticator::builder(MemoryStore::new()).digester(keys.digester.clone());
    transcript.debug("builder", &builder);
    let authenticator = builder.build().unwrap();
    transcript.debug("authenticator", &authenticator);
    transcript.debug("layer", &AuthenticateLayer::new(authenticator));
    let requirement = Requirement::all_of(["notes.read"]).unwrap();
    transcript.debug("layer", &RequireScopeLayer::new(requirement));
}
