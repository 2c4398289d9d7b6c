//! Verifies passwords. Compiled with the feature `password`; otherwise `disabled` has the same interface, for all files of
//! the authenticator.

// Layer 8 of 10: decision.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cache::{Cache, Entry, Fact, LookupError, LookupKey};
use crate::credential::{Credential, Scheme};
use crate::digest::Digest;
use crate::environment::Environment;
use crate::owner::{Owner, User};
use crate::password::{PasswordErrorKind, Passwords};
use crate::password_hash::PasswordHash;
use crate::scope::Scopes;
use crate::trace;

/// The verifier of passwords, if they are accepted, and the scopes that they grant.
#[derive(Default)]
pub(in super::super) struct PasswordAuth {
    pub(in super::super) verifier: Option<Passwords>,
    scopes: Scopes,
}

/// An e-mail, and a secret that may be the password. The secret is wiped when it is dropped.
pub(in super::super) struct PresentedPassword {
    user: Digest,
    email: Arc<str>,
    environment: Environment,
    secret: Zeroizing<Vec<u8>>,
}

impl PasswordAuth {
    pub(in super::super) fn is_enabled(&self) -> bool {
        self.verifier.is_some()
    }

    /// Sets the scopes that a password grants beside the roles of the user.
    pub(in super::super) fn granting(self, scopes: &Scopes) -> Self {
        Self { scopes: scopes.clone(), ..self }
    }

    /// Returns the lookup key of an entry that was found before.
    pub(in super::super) fn lookup_key_of(&self, entry: &Entry) -> LookupKey {
        let record = entry.record();
        match &record.owner {
            Owner::User(user) if record.digest == Digest::of_user(&user.email) => {
                self.lookup_key(record.digest, (&*user.email).into(), record.environment)
            }
            _ => entry.digests().into(),
        }
    }

    fn lookup_key(&self, digest: Digest, email: Arc<str>, environment: Environment) -> LookupKey {
        LookupKey::User { digest, email, environment, scopes: self.scopes.clone() }
    }

    /// Returns the secret that may be a password: that of a Basic credential that names a user.
    pub(in super::super) fn presented(
        &self,
        credential: &Credential<'_>,
        scheme: &Scheme,
        environment: Option<Environment>,
    ) -> Option<PresentedPassword> {
        self.verifier.as_ref()?;
        let is_basic = *scheme == Scheme::Basic;
        let email = User::new(credential.user().filter(|user| is_basic && !user.is_empty())?, []).email;
        Some(PresentedPassword {
            user: Digest::of_user(&email),
            email: email.into(),
            // A user has no environment: it is that of the deployment.
            environment: environment.unwrap_or(Environment::Live),
            secret: Zeroizing::new(credential.expose_secret().to_vec()),
        })
    }

    /// Returns the user if the cache has it, and [`Passwords`] has verified this password against its hash before. Returns [`Fact::Absent`]
    /// if the same attempt was rejected before. That no key has this secret as its text must be cached as well: a key that was created
    /// since takes precedence.
    ///
    /// A wrong password is never answered from a cached user: an e-mail without a user cannot be, which would reveal it.
    pub(in super::super) fn peek(
        &self,
        cache: &Cache,
        presented: &PresentedPassword,
        key: Option<&Fact>,
    ) -> Option<Fact> {
        let PresentedPassword { user, email, secret, .. } = presented;
        let passwords = self.verifier.as_ref()?;
        if matches!(key, Some(Fact::Absent))
            && cache.is_rejected_attempt(&passwords.attempt_digest(email, secret), user)
        {
            return Some(Fact::Absent);
        }
        let user = cache.get(user)?;
        passwords.was_verified(email, password_of(&user), secret).then_some(user)
    }

    /// Looks the user up, and verifies the password. [`Passwords`] remembers a right one, and the cache a wrong attempt. Without a user, it
    /// is verified against a hash that matches no password.
    pub(in super::super) async fn look_up(
        &self,
        cache: &Arc<Cache>,
        presented: PresentedPassword,
    ) -> Result<Fact, LookupError> {
        let PresentedPassword { user: digest, email, environment, secret } = presented;
        let Some(passwords) = &self.verifier else { return Ok(Fact::Absent) };
        // The absence of a key with this secret is evicted by unknown keys, the attempt is not.
        let attempt = passwords.attempt_digest(&email, &secret);
        if cache.is_rejected_attempt(&attempt, &digest) {
            return Ok(Fact::Absent);
        }
        let lookup_key = self.lookup_key(digest, Arc::clone(&email), environment);
        let (user, as_of) = cache.read_user(lookup_key).await?;
        let hash = password_of(&user);
        match passwords.verify(&email, hash, secret.clone()).await {
            Ok(true) => {
                if let Some(hash) = hash {
                    rehash(cache, passwords, &email, hash, secret);
                }
                Ok(user)
            }
            Ok(false) => {
                cache.keep_rejected_attempt(attempt, &as_of);
                Ok(Fact::Absent)
            }
            // A flood of wrong passwords can fill the queue.
            Err(error) if error.kind() == PasswordErrorKind::Busy && !cache.claim_flood_log() => {
                Err(LookupError)
            }
            Err(error) => {
                trace::failed("password verification", &trace::Failure::Password(&error));
                Err(LookupError)
            }
        }
    }
}

/// Replaces a hash in the store that was made with less work than is configured now, in a task. The request does not wait for it.
fn rehash(
    cache: &Arc<Cache>,
    passwords: &Passwords,
    email: &Arc<str>,
    hash: &PasswordHash,
    secret: Zeroizing<Vec<u8>>,
) {
    if !passwords.is_outdated(hash) {
        return;
    }
    let (cache, passwords, email, hash) =
        (Arc::clone(cache), passwords.clone(), Arc::clone(email), hash.clone());
    tokio::spawn(async move {
        if let Some(renewed) = passwords.rehash(secret).await {
            cache.replace_password_hash(&email, hash, renewed).await;
        }
    });
}

fn password_of(user: &Fact) -> Option<&PasswordHash> {
    match user {
        Fact::Known(entry) | Fact::Stale(entry) => match &entry.record().owner {
            Owner::User(user) => user.password_hash(),
            Owner::Organization(_) | Owner::Project(_) => None,
        },
        Fact::Absent | Fact::Revoked => None,
    }
}
