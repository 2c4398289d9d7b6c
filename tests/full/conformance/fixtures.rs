//! The keys that the table names, and the expansion of their names in texts.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use regex::{Captures, Regex};
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::key::{KeyFormat, KeyId};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::record::{Disabling, Revocation};
use tower_api_key::{Environment, Owner, Record, Scopes, Timestamp};

/// The prefix of every minted key.
pub(crate) const PREFIX: &str = "demo";

/// The start of every case's clock.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

pub(crate) fn format() -> KeyFormat {
    KeyFormat::new(PREFIX).unwrap()
}

/// The keys of one case. The store has their records; only the fixtures have their texts.
#[derive(Default)]
pub(crate) struct Fixtures {
    texts: BTreeMap<&'static str, String>,
    /// Ids of keys, by their names in the table.
    ids: BTreeMap<&'static str, &'static str>,
    /// The text of a key created by the case.
    new: OnceLock<String>,
    pub(crate) records: Vec<Record>,
}

impl Fixtures {
    pub(crate) fn new() -> Self {
        use Environment::{Live, Test};

        let mut fixtures = Self::default();
        let second = Duration::from_secs(1);
        fixtures.mint("VALID", Live, |record| {
            record.scopes = Scopes::new(["things:read", "things:delete", "svc:write"]).unwrap();
        });
        fixtures.mint("VALID2", Live, |record| record.owner = user("second@example.com"));
        fixtures.mint("PROJECT", Live, |record| {
            record.owner = Owner::project(Organization::new("acme"), "rocket");
        });
        fixtures.mint("READONLY", Live, |_| {});
        let organization = |id: &'static str, scopes: &'static str| {
            move |record: &mut Record| {
                record.owner = Owner::organization(id);
                record.scopes = Scopes::parse(scopes).unwrap();
            }
        };
        fixtures.mint("ADMIN", Live, organization("acme", "keys.read keys.write things:read"));
        fixtures.mint("READONLY_ADMIN", Live, organization("acme", "keys.read keys.write things:read"));
        fixtures.mint("OF_TENANT", Live, organization("acme", "things:read"));
        fixtures.mint("OF_OTHER_TENANT", Live, organization("other", "things:read"));
        fixtures.mint("OLD", Live, organization("acme", "things:read"));
        fixtures.ids = [("ID", "OF_TENANT"), ("OTHER_TENANT_KEY_ID", "OF_OTHER_TENANT")].into();
        fixtures.mint("TESTKEY", Test, |_| {});
        fixtures.mint("EXPIRED", Live, |record| record.expires_at = Some(NOW.saturating_sub(second)));
        fixtures.mint("REVOKED", Live, |record| record.revoked = Some(Revocation::new(NOW, "leaked")));
        fixtures.mint("DISABLED", Live, |record| record.disabled = Some(Disabling::new(NOW, "unusual")));
        fixtures.mint("EXP_IN_1S", Live, |record| record.expires_at = Some(NOW.saturating_add(second)));
        fixtures.mint("ONLY_A", Live, |_| {});
        fixtures.texts.insert("UNKNOWN", format().mint(Live).unwrap().reveal().as_str().to_owned());

        let altered = fixtures.text("VALID").replace("_live_", "_test_");
        fixtures.texts.insert("LIVEKEY_WITH_TEST_PREFIX_TEXT", altered);

        let foreign = "from-elsewhere._~+/09azAZ==";
        let id = KeyId::new("TOKEN68KEY").unwrap();
        fixtures.records.push(Record::imported(id, digest(foreign), user("user@example.com")));
        fixtures.texts.insert("TOKEN68KEY", foreign.to_owned());
        fixtures
    }

    fn mint(&mut self, name: &'static str, environment: Environment, describe: impl FnOnce(&mut Record)) {
        let key = format().mint(environment).unwrap();
        let id = KeyId::new(name).unwrap();
        let mut record = Record::new(id, &key, &Digester::sha256(), user("user@example.com"));
        record.scopes = Scopes::new(["things:read"]).unwrap();
        describe(&mut record);
        self.records.push(record);
        self.texts.insert(name, key.reveal().as_str().to_owned());
    }

    /// Returns the text of the key called `name`. Its id is the name.
    pub(crate) fn text(&self, name: &str) -> &str {
        let text = match name {
            "NEW" => self.new.get(),
            name => self.texts.get(name),
        };
        text.unwrap_or_else(|| panic!("no fixture ${name}"))
    }

    /// Sets the text of `$NEW`.
    pub(crate) fn set_new(&self, text: &str) {
        self.new.set(text.to_owned()).expect("one new key");
    }

    pub(crate) fn digest(&self, name: &str) -> Digest {
        digest(self.text(name))
    }

    /// Returns all texts that no response may show.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.texts.values().chain(self.new.get()).map(String::as_str)
    }

    /// Expands escapes, then fixtures, then macros. A character stands for the byte of its number.
    pub(crate) fn expand(&self, text: &str, escape: bool) -> Vec<u8> {
        let text = if escape { unescaped(text) } else { text.to_owned() };
        let named = Regex::new(r"\$([A-Z][A-Z0-9_]*)(\(?)").unwrap();
        let text = named.replace_all(&text, |found: &Captures<'_>| match &found[2] {
            "" => {
                self.ids.get(&found[1]).map_or_else(|| self.text(&found[1]).to_owned(), |id| (*id).to_owned())
            }
            _ => found[0].to_owned(),
        });
        let applied = Regex::new(r"(?s)\$([A-Z][A-Z0-9]*)\(([^)]*)\)").unwrap();
        let text = applied.replace_all(&text, |found: &Captures<'_>| encoded(&found[1], &found[2]));
        latin1(&text)
    }
}

fn digest(text: &str) -> Digest {
    Digester::sha256().digest(text.as_bytes())
}

fn user(email: &str) -> Owner {
    let scopes = Scopes::new(["*"]).unwrap();
    Owner::user(email, [Membership::new(Organization::new("acme"), "member", scopes)])
}

fn encoded(name: &str, text: &str) -> String {
    let bytes = latin1(text);
    match name {
        "B64" => STANDARD.encode(bytes),
        "B64NOPAD" => {
            assert_ne!(bytes.len() % 3, 0, "a text that would have been padded");
            STANDARD_NO_PAD.encode(bytes)
        }
        "B64TRAILINGBITS" => with_trailing_bits(&STANDARD.encode(bytes)),
        other => panic!("no macro ${other}"),
    }
}

/// Sets the lowest unused bit of the last symbol.
fn with_trailing_bits(padded: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let symbols = padded.trim_end_matches('=');
    let padding = &padded[symbols.len()..];
    assert!(!padding.is_empty(), "a text that leaves bits unused");
    let (rest, last) = symbols.split_at(symbols.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}{padding}", &ALPHABET[next..=next])
}

/// Expands `\t`, `\n`, `\r` and `\xHH`.
pub(crate) fn unescaped(text: &str) -> String {
    let escape = Regex::new(r"\\(?:x([0-9a-fA-F]{2})|(.))").unwrap();
    let written = escape.replace_all(text, |found: &Captures<'_>| match found.get(1) {
        Some(hex) => char::from(u8::from_str_radix(hex.as_str(), 16).unwrap()).to_string(),
        None => match &found[2] {
            "t" => "\t".to_owned(),
            "n" => "\n".to_owned(),
            "r" => "\r".to_owned(),
            other => panic!("no escape \\{other}"),
        },
    });
    written.into_owned()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).expect("a character of one byte")).collect()
}
