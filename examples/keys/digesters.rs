//! The digesters of the nodes, from the environment: a pepper on the command line would be visible to other users of the machine.

use std::env;

use serde_json::{Value, json};
use tower_api_key::backend::{Backend, KeyStore};
use tower_api_key::digest::{Digest, Digester, Fingerprint, FormerDigester};
use tower_api_key::manage::KeyManager;
use tower_api_key::{AuthenticatorBuilder, ConfigError};

use crate::failure::Failure;
use crate::table;

const CURRENT: &str = "KEYS_PEPPER";
const FORMER: &str = "KEYS_FORMER_PEPPERS";

/// The part of the help about the environment.
pub(crate) const HELP: &str = "\
Environment:
  KEYS_PEPPER          The pepper of the nodes, in hexadecimal digits, as `openssl rand -hex 32` prints them; by default
                       `sha256`: none.
  KEYS_FORMER_PEPPERS  The peppers under which keys were stored before, `sha256` for none, with commas between them.";

/// The digesters of the nodes.
pub(crate) struct Digesters {
    current: Digester,
    former: Vec<FormerDigester>,
}

impl Digesters {
    /// Reads them from the environment. No message shows a value.
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let digester = |pepper: &str| parse(CURRENT, pepper, Digester::sha256, Digester::hmac_sha256);
        let former =
            |pepper: &str| parse(FORMER, pepper, || Digester::sha256().into(), FormerDigester::hmac_sha256);
        let current = value_of(CURRENT)?.map_or(Ok(Digester::sha256()), |pepper| digester(&pepper))?;
        let former = match value_of(FORMER)? {
            Some(peppers) => peppers.split(',').map(former).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let digesters = Self { current, former };
        let known = digesters.own().filter_map(|(_, fingerprint)| fingerprint).collect::<Vec<_>>();
        match known.iter().enumerate().find(|(place, own)| known[..*place].contains(own)) {
            Some(_) => {
                Err(Failure::value(format!("{FORMER} must not repeat a pepper, or have that of {CURRENT}")))
            }
            None => Ok(digesters),
        }
    }

    pub(crate) fn manage<S: KeyStore>(&self, manager: KeyManager<S>) -> KeyManager<S> {
        let manager = manager.digester(self.current.clone());
        self.former.iter().cloned().fold(manager, KeyManager::former_digester)
    }

    pub(crate) fn authenticate(&self, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
        let builder = builder.digester(self.current.clone());
        self.former.iter().cloned().fold(builder, AuthenticatorBuilder::former_digester)
    }

    /// Returns the digests under which a database may have a text.
    pub(crate) fn digests(&self, text: &str) -> Vec<Digest> {
        let former = self.former.iter().map(|former| former.digest(text.as_bytes()));
        [self.current.digest(text.as_bytes())].into_iter().chain(former).collect()
    }

    /// Returns whether nodes find keys that were imported by their SHA-256 digest.
    pub(crate) fn have_sha256(&self) -> bool {
        self.own().any(|(_, own)| own.is_some_and(|own| own == Digester::sha256().fingerprint()))
    }

    /// Checks that a key of the database was made with one of the digesters, if it knows with which its keys were made: a key that is made with
    /// another one is unknown to the nodes.
    pub(crate) async fn check<S: Backend>(&self, store: &S) -> Result<(), Failure> {
        let stored = stored(store).await?;
        let mut own = self.own();
        if stored.is_empty() || own.any(|(_, own)| own.is_none_or(|own| stored.contains(&own))) {
            return Ok(());
        }
        Err(Failure::value(format!(
            "no key of the database was made with this pepper: set {CURRENT} to the pepper of the nodes, or {FORMER} to the one that it \
             replaces; `digesters` lists those of the database"
        )))
    }

    /// Checks that former digesters are named: without them, the setting of the current one may have been forgotten.
    pub(crate) fn check_has_former(&self) -> Result<(), Failure> {
        if self.former.is_empty() {
            return Err(Failure::value(format!(
                "{FORMER} is not set: name the peppers to retire, `sha256` for none"
            )));
        }
        Ok(())
    }

    /// Formats the digesters of the nodes and of the database, and the number of keys in force that have none by the current one.
    pub(crate) async fn table<S: KeyStore>(
        &self,
        store: &S,
        left: u64,
        as_json: bool,
    ) -> Result<String, Failure> {
        let stored = stored(store).await?;
        let own: Vec<_> = self.own().collect();
        let others = stored.iter().filter(|stored| own.iter().all(|(_, own)| own.as_ref() != Some(*stored)));
        let others = others.map(|other| (None, Some(other)));
        let own = own.iter().map(|(role, own)| (Some(*role), own.as_ref()));
        let lines = own.chain(others);
        if as_json {
            let value = |(role, fingerprint): (Option<&str>, Option<&Fingerprint>)| {
                json!({
                    "fingerprint": fingerprint.map(Fingerprint::as_str),
                    "here": role,
                    "in_database": fingerprint.map(|fingerprint| stored.contains(fingerprint)),
                })
            };
            let digesters: Value = lines.map(value).collect();
            return Ok(json!({ "digesters": digesters, "keys_under_former": left }).to_string());
        }
        let row = |(role, fingerprint): (Option<&str>, Option<&Fingerprint>)| {
            let is_stored = fingerprint.map(|fingerprint| stored.contains(fingerprint));
            [
                fingerprint.map_or("a pepper of less than 32 bytes".to_owned(), ToString::to_string),
                role.unwrap_or("-").to_owned(),
                is_stored.map_or("unknown", |is_stored| if is_stored { "yes" } else { "no" }).to_owned(),
            ]
        };
        let heads = ["FINGERPRINT", "HERE", "IN DATABASE"].map(str::to_owned);
        let rows: Vec<_> = [heads].into_iter().chain(lines.map(row)).collect();
        Ok(format!("{}\n\nKeys in force under former digesters only: {left}", table::of_rows(&rows)))
    }

    /// Returns the fingerprints with their roles. A former digester with a short pepper has none.
    fn own(&self) -> impl Iterator<Item = (&'static str, Option<Fingerprint>)> {
        let former = self.former.iter().map(|former| ("former", former.fingerprint()));
        [("current", Some(self.current.fingerprint()))].into_iter().chain(former)
    }
}

async fn stored<S: Backend>(store: &S) -> Result<Vec<Fingerprint>, Failure> {
    let mut stored = store.fingerprints().await?.unwrap_or_default();
    stored.retain(Fingerprint::is_of_digester);
    stored.sort();
    Ok(stored)
}

fn value_of(name: &str) -> Result<Option<String>, Failure> {
    env::var_os(name).map(|value| value.into_string().map_err(|_| unreadable(name))).transpose()
}

fn parse<D>(
    name: &str,
    pepper: &str,
    sha256: impl Fn() -> D,
    hmac_sha256: impl Fn(&[u8]) -> Result<D, ConfigError>,
) -> Result<D, Failure> {
    let pepper = pepper.trim();
    if pepper == "sha256" {
        return Ok(sha256());
    }
    let bytes = bytes(pepper).ok_or_else(|| unreadable(name))?;
    hmac_sha256(&bytes).map_err(|error| Failure::value(format!("{name}: {error}")))
}

fn unreadable(name: &str) -> Failure {
    Failure::value(format!(
        "{name} must be set to hexadecimal digits, as of `openssl rand -hex 32`, or to `sha256`"
    ))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let is_complete = rest.is_empty() && !pairs.is_empty();
    is_complete
        .then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect())
        .flatten()
}
