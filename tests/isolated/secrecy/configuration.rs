//! Keys pasted in place of a setting.
//!
//! The commonest mistake is a line break at the end of a file, then the scheme or the header's name before the key.

use tower_api_key::client::{AttachKeyLayer, ClientKey};
use tower_api_key::credential::Source;
use tower_api_key::digest::Digester;
use tower_api_key::key::{KeyFormat, KeyId};
use tower_api_key::scope::{Requirement, Scope, Scopes};
use tower_api_key::{AuthenticateLayer, Authenticator, AuthenticatorBuilder, ConfigError, Environment};
use tower_api_key::{MemoryStore, RequireScopeLayer};

use crate::secrecy::secrets::Secrets;

/// Uses a text as a setting, and returns the error.
type Setting = fn(&str) -> Option<ConfigError>;

const SETTINGS: [(&str, Setting); 15] = [
    ("KeyId::new", |text| KeyId::new(text).err().map(Into::into)),
    ("KeyFormat::new", |text| KeyFormat::new(text).err()),
    ("Source::header", |text| Source::header(text).err()),
    ("Scope::new", |text| Scope::new(text).err().map(Into::into)),
    ("Scopes::new", |text| Scopes::new([text]).err().map(Into::into)),
    ("Scopes::parse", |text| Scopes::parse(text).err().map(Into::into)),
    ("Requirement::all_of", |text| Requirement::all_of([text]).err().map(Into::into)),
    ("realm", |text| built(|builder| builder.realm(text))),
    ("admin_scope", |text| built(|builder| builder.admin_scope(text))),
    ("public", |text| layer().public(text).err()),
    ("public_prefix", |text| layer().public_prefix(text).err()),
    ("by_path", |text| {
        let requirement = Requirement::all_of(["notes.read"]).ok()?;
        RequireScopeLayer::by_path([(text, requirement)]).err()
    }),
    ("AttachKeyLayer::new, origin", |text| attached(text, "demo_live_1")),
    ("AttachKeyLayer::new, key", |text| attached("https://api.example.com", &format!("{text}\n"))),
    // Fifteen bytes: too short for a pepper.
    ("Digester::hmac_sha256", |text| Digester::hmac_sha256(&text.as_bytes()[text.len() - 15..]).err()),
];

#[test]
fn a_key_pasted_as_a_setting_does_not_show_in_the_error() {
    let key = KeyFormat::new("demo").unwrap().mint(Environment::Live).unwrap().reveal();
    let (_, secret) = key.as_str().rsplit_once('_').unwrap();
    let mut secrets = Secrets::default();
    secrets.keep("the key", secret);

    let mut echoing = Vec::new();
    for pasted in pasted(key.as_str()) {
        for (name, setting) in SETTINGS {
            let shown = setting(&pasted).map(|error| format!("{error} {error:?}")).unwrap_or_default();
            if secrets.found_in(&shown).is_some() && !echoing.contains(&name) {
                echoing.push(name);
            }
        }
    }
    assert_eq!(echoing, [""; 0], "these errors show the rejected text");
}

fn pasted(key: &str) -> [String; 7] {
    [
        key.to_owned(),
        format!("{key}\n"),
        format!(" {key}"),
        format!("\"{key}\""),
        format!("Bearer {key}"),
        format!("X-API-Key: {key}\r\n"),
        format!("/notes?key={key}"),
    ]
}

fn layer() -> AuthenticateLayer {
    AuthenticateLayer::new(Authenticator::builder(MemoryStore::new()).build().unwrap())
}

fn attached(origin: &str, key: &str) -> Option<ConfigError> {
    AttachKeyLayer::new(origin, Source::bearer(), ClientKey::new(key)).err()
}

fn built(configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Option<ConfigError> {
    configure(Authenticator::builder(MemoryStore::new())).build().err()
}
