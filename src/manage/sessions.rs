//! The sessions of the console in the store: they are opened, redeemed, ended and purged by the application itself.
//!
//! A session is a record beside those of keys, which no list, count or filter of keys selects.

// Layer 9 of 10: management.

use std::time::Duration;

use super::{KeyManager, ManageError};
use crate::backend::{Actor, AuthorizedActor, KeyChange, KeyStore, ResolvedSubject, Rotation, Subject};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// The time after its end for which a session is kept: no process considers it active after that, whatever its clock and its cache.
const KEPT: Duration = Duration::from_secs(60 * 60);

impl<S: KeyStore> KeyManager<S> {
    /// Returns the digest under which a session is stored.
    pub(crate) fn session_digest(&self, secret: &[u8]) -> Digest {
        self.digesters.current.digest(secret)
    }

    pub(crate) async fn open_session(&self, session: Record) -> Result<(), ManageError> {
        let open = KeyChange::insert(session).made_with([self.digesters.current.fingerprint()]);
        self.store.change(open).await?;
        Ok(())
    }

    /// Replaces a code by its session. Of several attempts, on any number of nodes, one succeeds, and the others are conflicts.
    pub(crate) async fn redeem(&self, code: &KeyId, session: Rotation) -> Result<(), ManageError> {
        let redeem = KeyChange::rotate(code, session).made_with([self.digesters.current.fingerprint()]);
        self.store.change(redeem.of_session()).await?;
        Ok(())
    }

    pub(crate) async fn end_session(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        let revocation = Revocation::new(self.clock.wall(), reason);
        self.store.change(KeyChange::revoke(id, revocation).of_session()).await?;
        Ok(())
    }

    /// Ends the sessions of an opener, except the newest ones, and returns their number.
    pub(crate) async fn end_sessions_of(
        &self,
        opener: &str,
        kept: usize,
        reason: &str,
    ) -> Result<u64, ManageError> {
        let revocation = Revocation::new(self.clock.wall(), reason);
        Ok(self.store.change(KeyChange::end_sessions(opener, kept, revocation)).await?.keys)
    }

    /// Deletes the sessions that ended an hour ago.
    pub(crate) async fn purge_sessions(&self, now: Timestamp) -> Result<(), ManageError> {
        self.store.change(KeyChange::purge_sessions(now.saturating_sub(KEPT))).await?;
        Ok(())
    }

    /// Checks that the store would authorize a change of this actor, for an actor that is about to read. Of a session, `session` is the
    /// record by which it was admitted.
    pub(crate) async fn authorize_actor(
        &self,
        actor: &Actor,
        mut session: Option<Record>,
    ) -> Result<Option<AuthorizedActor>, ManageError> {
        let mut found = Vec::new();
        for subject in actor.subjects() {
            let subject = match (session.take(), subject) {
                (Some(session), Subject::Key(_)) => Some(ResolvedSubject::Key(session)),
                (_, Subject::Key(id)) => self.store.get(id).await?.map(ResolvedSubject::Key),
                (_, Subject::User(email)) => self.store.find_user(email).await?.map(ResolvedSubject::User),
            };
            found.push(subject.unwrap_or(ResolvedSubject::Missing));
        }
        Ok(actor.authorize(found)?)
    }
}
