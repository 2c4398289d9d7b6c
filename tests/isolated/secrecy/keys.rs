//! The secrets, and the records of the keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::credential::Scheme;
use tower_api_key::digest::Digester;
use tower_api_key::key::{KeyFormat, RevealedKey};
use tower_api_key::record::Revocation;
use tower_api_key::{Environment, KeyId, Owner, Record, Scopes, Timestamp};

use crate::secrecy::secrets::Secrets;
use crate::secrecy::transcript::Transcript;

/// A key issued elsewhere, without a prefix or a checksum.
pub(crate) const FOREIGN: &str = "Zq8vT3mK9xWb2LpR7cYd5Nf0Hs4JgU6e";

/// A key issued elsewhere that no store has.
pub(crate) const STRAY: &str = "aX71nGhw0PzYtQ3kVfLs8dRmBc5Ju2Eo";

/// A user that presents another user's key. The values that a client sends must not be written either.
pub(crate) const INTRUDER: &str = "wq0xv7zk3y@intruder.example";

/// The value of headers that this crate does not read.
pub(crate) const SESSION: &str = "5uPqLz0Xw8Jt1Rk6Vn3Yc9Gb";

/// The password in the URL of another kind of database.
pub(crate) const PASSWORD: &str = "Tn6Wd1Xr9Qk4Hz7Lb2Gv8Mf3";

pub(crate) const EMAIL: &str = "ada@example.com";

const PEPPER: &str = "m4Tz9Kq2Xc7Vw1Hb6Rf8Ns3Jd5Lg0PyQ2";

/// A minted key with its record.
pub(crate) struct Minted {
    pub(crate) text: RevealedKey,
    pub(crate) record: Record,
}

pub(crate) struct Keys {
    pub(crate) secrets: Secrets,
    pub(crate) digester: Digester,
    pub(crate) good: Minted,
    /// Valid, but without a scope.
    pub(crate) powerless: Minted,
    /// Valid, and owned by a person.
    pub(crate) personal: Minted,
    pub(crate) expired: Minted,
    pub(crate) revoked: Minted,
    /// Of the test environment.
    pub(crate) test: Minted,
    /// Accepted as Basic only.
    pub(crate) basic_only: Minted,
    /// In no store.
    pub(crate) unknown: Minted,
    pub(crate) foreign: Record,
}

impl Keys {
    pub(crate) fn mint(transcript: &Transcript) -> Self {
        let mut secrets = Secrets::default();
        for (name, text) in [
            ("the foreign key", FOREIGN),
            ("the stray key", STRAY),
            ("the intruder's name", INTRUDER),
            ("the session", SESSION),
            ("the password", PASSWORD),
            ("the pepper", PEPPER),
        ] {
            secrets.keep(name, text);
        }
        let digester = Digester::hmac_sha256(PEPPER.as_bytes()).unwrap();
        for text in [FOREIGN, STRAY] {
            keep_digests(&mut secrets, &digester, text);
        }
        let mut mint = |id, environment, complete: fn(&mut Record)| {
            let mut minted = mint(transcript, &mut secrets, &digester, id, environment);
            complete(&mut minted.record);
            minted
        };
        let good = mint("key_good", Environment::Live, |_| {});
        let powerless = mint("key_powerless", Environment::Live, |key| key.scopes = Scopes::default());
        let personal = mint("key_personal", Environment::Live, |key| key.owner = Owner::user(EMAIL, []));
        let expired = mint("key_expired", Environment::Live, |key| {
            key.expires_at = Some(Timestamp::from_unix_millis(1));
        });
        let revoked = mint("key_revoked", Environment::Live, |key| {
            key.revoked = Some(Revocation::new(Timestamp::from_unix_millis(1), "found in a repository"));
        });
        let test = mint("key_test", Environment::Test, |_| {});
        let basic_only = mint("key_basic", Environment::Live, |key| key.sources = [Scheme::Basic].into());
        let unknown = mint("key_unknown", Environment::Live, |_| {});
        let foreign = Record::imported(
            KeyId::new("key_foreign").unwrap(),
            digester.digest(FOREIGN.as_bytes()),
            Owner::organization("acme"),
        );
        Self {
            secrets,
            digester,
            good,
            powerless,
            personal,
            expired,
            revoked,
            test,
            basic_only,
            unknown,
            foreign,
        }
    }

    /// Inserts all keys but the unknown ones into a store.
    pub(crate) async fn store_in<S: KeyStore>(&self, store: S) -> S {
        let minted = [
            &self.good,
            &self.powerless,
            &self.personal,
            &self.expired,
            &self.revoked,
            &self.test,
            &self.basic_only,
        ];
        for record in minted.map(|minted| &minted.record).into_iter().chain([&self.foreign]) {
            store.change(KeyChange::insert(record.clone())).await.unwrap();
        }
        store
    }
}

fn mint(
    transcript: &Transcript,
    secrets: &mut Secrets,
    digester: &Digester,
    id: &str,
    environment: Environment,
) -> Minted {
    let key = KeyFormat::new("demo").unwrap().mint(environment).unwrap();
    transcript.debug("minted key", &key);
    transcript.note("hint", key.hint());
    let mut record = Record::new(KeyId::new(id).unwrap(), &key, digester, Owner::organization("acme"));
    record.scopes = Scopes::new(["notes.read"]).unwrap();
    let text = key.reveal();

    // The part before the random one names the kind of key and is no secret.
    let (_, secret) = text.as_str().rsplit_once('_').unwrap();
    secrets.keep("a minted key", secret);
    keep_digests(secrets, digester, text.as_str());
    for user in [EMAIL, INTRUDER, ""] {
        let pair = STANDARD.encode(format!("{user}:{}", text.as_str()));
        secrets.keep("a Basic pair", &pair[pair.len() - secret.len()..]);
    }
    Minted { text, record }
}

fn keep_digests(secrets: &mut Secrets, digester: &Digester, text: &str) {
    secrets.keep_digest("a digest", &digester.digest(text.as_bytes()));
    secrets.keep_digest("a digest without pepper", &Digester::sha256().digest(text.as_bytes()));
}
