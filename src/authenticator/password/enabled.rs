//! The twin that looks people up by their e-mail.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::super::Authenticator;
use crate::cache::{Fact, LookupError, LookupKey};
use crate::credential::{Credential, Scheme};
use crate::digest::Digest;
use crate::environment::Environment;
use crate::owner::{Owner, User};
use crate::password::{PasswordErrorKind, Passwords};
use crate::password_hash::PasswordHash;
use crate::record::Record;
use crate::scope::Scopes;
use crate::trace;

/// Whether passwords are accepted, and what they grant.
#[derive(Default)]
pub(in super::super) struct Accepted {
    pub(in super::super) verifier: Option<Passwords>,
    /// What a person may do beside what the roles grant.
    pub(in super::super) scopes: Scopes,
}

/// An e-mail and what may be the password, which is wiped when it is dropped.
pub(in super::super) struct Presented {
    account: Digest,
    email: Arc<str>,
    secret: Zeroizing<Vec<u8>>,
}

pub(in super::super) fn granted(accepted: &Accepted) -> Scopes {
    accepted.scopes.clone()
}

impl Authenticator {
    /// Returns what to ask the store about a record that was found before.
    pub(in super::super) fn lookup_key_of(&self, record: &Record) -> LookupKey {
        match &record.owner {
            Owner::User(user) if record.digest == Digest::of_account(&user.email) => {
                self.account_key(record.digest, (&*user.email).into())
            }
            _ => record.digest.into(),
        }
    }

    fn account_key(&self, digest: Digest, email: Arc<str>) -> LookupKey {
        // A person has no environment: it is that of the deployment.
        let environment = self.0.environment.unwrap_or(Environment::Live);
        LookupKey::Account { digest, email, environment, scopes: self.0.passwords.scopes.clone() }
    }

    /// Returns what may be a password: a Basic credential that names a person.
    pub(in super::super) fn password_in(&self, credential: &Credential<'_>) -> Option<Presented> {
        self.0.passwords.verifier.as_ref()?;
        let is_basic = *self.scheme(credential.source()) == Scheme::Basic;
        let email = User::new(credential.user().filter(|user| is_basic && !user.is_empty())?, []).email;
        Some(Presented {
            account: Digest::of_account(&email),
            email: email.into(),
            secret: Zeroizing::new(credential.expose_secret().to_vec()),
        })
    }

    /// Returns the person if both the account and the right password are remembered, or that the same was refused before. That no key has
    /// the secret for its text has to be remembered as well: a key that was made since goes before the password.
    ///
    /// A wrong password is never answered by the account that is remembered: an e-mail that no person has could not be, and would be told
    /// by that.
    pub(in super::super) fn known_by(&self, presented: &Presented, key: Option<&Fact>) -> Option<Fact> {
        let Presented { account, email, secret } = presented;
        let (cache, passwords) = (&self.0.cache, self.0.passwords.verifier.as_ref()?);
        if matches!(key, Some(Fact::Absent)) && cache.has_refused(&passwords.attempt(email, secret), account)
        {
            return Some(Fact::Absent);
        }
        let account = cache.peek(account)?;
        passwords.is_known(email, password_of(&account), secret).then_some(account)
    }

    /// Looks the person up, and verifies the password. Where there is none, it is verified against a hash that no password has.
    pub(in super::super) async fn look_up_account(&self, presented: Presented) -> Result<Fact, LookupError> {
        let Presented { account: digest, email, secret } = presented;
        let Some(passwords) = &self.0.passwords.verifier else { return Ok(Fact::Absent) };
        let question = self.account_key(digest, Arc::clone(&email));
        let (account, as_of) = self.0.cache.read_account(question).await?;
        let hash = password_of(&account);
        match passwords.verify(&email, hash, secret.clone()).await {
            Ok(true) => {
                if let Some(hash) = hash {
                    self.renew(passwords, &email, hash, secret);
                }
                Ok(account)
            }
            Ok(false) => {
                self.0.cache.refused(passwords.attempt(&email, &secret), &as_of);
                Ok(Fact::Absent)
            }
            // Strangers can fill the queue.
            Err(error) if error.kind() == PasswordErrorKind::Busy && !self.0.cache.may_log_flood() => {
                Err(LookupError)
            }
            Err(error) => {
                trace::failed("password verification", &trace::Failure::Password(&error));
                Err(LookupError)
            }
        }
    }

    /// Has the store keep a hash that was made with more work, if that is asked for by now. The request does not wait for it.
    fn renew(
        &self,
        passwords: &Passwords,
        email: &Arc<str>,
        hash: &PasswordHash,
        secret: Zeroizing<Vec<u8>>,
    ) {
        if !passwords.is_outdated(hash) {
            return;
        }
        let (cache, passwords, email, hash) =
            (Arc::clone(&self.0.cache), passwords.clone(), Arc::clone(email), hash.clone());
        tokio::spawn(async move {
            if let Some(renewed) = passwords.renewed(secret).await {
                cache.replace_password_hash(&email, &hash, &renewed).await;
            }
        });
    }
}

fn password_of(account: &Fact) -> Option<&PasswordHash> {
    match account {
        Fact::Known(entry) | Fact::Stale(entry) => match &entry.record().owner {
            Owner::User(user) => user.password().map(|password| &password.hash),
            Owner::Organization(_) | Owner::Project(_) => None,
        },
        Fact::Absent | Fact::Revoked => None,
    }
}
