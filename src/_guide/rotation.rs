//! Rotate keys: replace a key while its clients still use it, disable one, or end one that others know.
//!
//! Features: a store (`sqlite` or `postgres`), and `routes` for customers who rotate their own keys.
//!
//! | Situation | Do | The old key |
//! |---|---|---|
//! | a regular replacement, for which the owner has a date | [`Grace::For`](crate::backend::Grace::For), over HTTP `{"grace_seconds": 86400}` | is valid until the grace has passed, beside the new one |
//! | a replacement whose client switches at an unknown date | [`Grace::FromFirstUse`](crate::backend::Grace::FromFirstUse), over HTTP also `"grace_from_first_use": true` | is valid until the grace has passed, counted from the first request with the new one |
//! | a key that may be in other hands, until that is known | [`disable`](crate::manage::KeyManager::disable), over HTTP `POST /keys/{id}/disable` | is rejected until it is [enabled](#states-of-a-key) |
//! | a key that others may know | [`revoke`](crate::manage::KeyManager::revoke), or [`Grace::None`](crate::backend::Grace::None) | is rejected from the next request on, by other processes within their [lease](crate::AuthenticatorBuilder::lease) |
//! | one key at a time, such as that of a device | [`create_exclusive`](crate::manage::KeyManager::create_exclusive) | is rejected, with all other keys of the filter |
//! | proof that no process admits the key | [`revoke_everywhere`](crate::manage::KeyManager::revoke_everywhere), over HTTP `DELETE /keys/{id}?wait=fleet` | is rejected by all nodes, if the call returns [`EveryNode`](crate::backend::Propagation::EveryNode) or [`LeaseEnd`](crate::backend::Propagation::LeaseEnd) |
//!
//! The new key has the owner, environment, scopes, sources, name, metadata and labels of the old one, and as long a lifetime:
//! [`rotation_renews`](crate::manage::KeyManager::rotation_renews) can keep the date of expiry instead.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use std::error::Error;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use tower_api_key::backend::{Grace, Propagation};
//! use tower_api_key::clock::{Clock, ManualClock};
//! use tower_api_key::manage::{KeyManager, ManageErrorKind, NewKey, RotateOptions, Wait};
//! use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Reason, Timestamp};
//!
//! const HOUR: Duration = Duration::from_secs(3_600);
//! const DAY: Duration = Duration::from_secs(86_400);
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     // A service sets no clock. This one is set forward below.
//!     let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(1_800_000_000_000)));
//!     let store = MemoryStore::new();
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?).with_clock(clock.clone());
//!     let authenticator = Authenticator::builder(store).with_clock(clock.clone()).build()?;
//!     let admits = async |key: &str| authenticator.verify(key).await.is_ok();
//!
//!     let expiring = NewKey::for_organization("acme").expires_at(clock.wall().saturating_add(90 * DAY));
//!     let (first, record) = manager.create(expiring).await?.into_parts();
//!
//!     // A key has one successor: the next rotation fails while that is valid, and works once it was revoked.
//!     let rotate = async || manager.rotate(&record.id, RotateOptions::new(Grace::For(DAY))).await;
//!     let (_answer_that_got_lost, lost) = rotate().await?.into_parts();
//!     assert_eq!(rotate().await.unwrap_err().kind(), ManageErrorKind::Conflict);
//!     manager.revoke(&lost.id, "its text got lost").await?;
//!
//!     // A day for the owner to deploy the new key: both are valid.
//!     let (second, successor) = rotate().await?.into_parts();
//!     assert!(admits(first.as_str()).await && admits(second.as_str()).await);
//!     assert_eq!(successor.rotated_from, Some(record.id.clone()));
//!     clock.advance(DAY);
//!     assert!(!admits(first.as_str()).await && admits(second.as_str()).await);
//!
//!     // The grace begins when the client has the new key, and uses it.
//!     let (third, last) =
//!         manager.rotate(&successor.id, RotateOptions::new(Grace::FromFirstUse(HOUR))).await?.into_parts();
//!     clock.advance(7 * DAY);
//!     assert!(admits(second.as_str()).await);
//!     assert!(admits(third.as_str()).await);
//!     while manager.get(&last.id).await?.first_use_grace.is_some() {
//!         tokio::task::yield_now().await; // The use is recorded beside the request.
//!     }
//!     clock.advance(HOUR);
//!     assert!(!admits(second.as_str()).await && admits(third.as_str()).await);
//!
//!     // A key that others may know. A store that lists its nodes, as PostgreSQL does, answers `EveryNode`.
//!     let propagation = manager.revoke_and_wait(&last.id, "found in a log", Wait::new()).await?;
//!     assert_eq!(propagation, Propagation::ThisProcess { missing: Vec::new() });
//!     assert_eq!(authenticator.verify(third.as_str()).await.unwrap_err().reason(), &Reason::Revoked);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # States of a key
//!
//! A disabled key ([`disable`](crate::manage::KeyManager::disable), over HTTP `POST /keys/{id}/disable`) is rejected until it is enabled: for
//! a key that may be in other hands, until that is known, or that is not needed for a while. Its owner cannot enable a key that the
//! application disabled. Everything else of the key stays as it is, and so does its expiry, which passes meanwhile. Its successor is a key of its
//! own, and stays active. In an emergency, revoke: a revocation by the application waits for no other change.
//!
//! Each cell is the state after the event. "refused" is the error [`Conflict`](crate::manage::ManageErrorKind::Conflict), over HTTP 409, and
//! the key stays as it was. A key is in grace from its rotation until its expiry, which the grace may have brought forward.
//! [`purge_ended`](crate::manage::KeyManager::purge_ended) deletes keys that have ended; nothing deletes other keys.
//!
//! | State | disable | enable | rotate | update | revoke | first use of the successor | expiry passes | purge |
//! |---|---|---|---|---|---|---|---|---|
//! | active | disabled | active | in grace | active | revoked | – | expired | active |
//! | disabled | disabled | active | refused | disabled | revoked | – | expired | disabled |
//! | in grace | disabled in its grace | in grace | refused | in grace | revoked | in grace | expired | in grace |
//! | disabled in its grace | disabled in its grace | in grace | refused | disabled in its grace | revoked | disabled in its grace | expired | disabled in its grace |
//! | expired | expired | refused | refused | expired | revoked | – | expired | deleted |
//! | revoked | refused | refused | refused | refused | revoked | – | revoked | deleted |
//!
//! A rotation without a grace revokes the key. An expired key is active again once its expiry is postponed, or disabled if it was disabled. A key
//! in grace is rotated again only if its successor has ended; a disabled successor has not.
//!
//! # The trap: a grace for a leaked key
//!
//! During its grace, a key does all that it did before, for its owner and for others who know it. If it may manage keys, it can create one that
//! outlives the grace in other hands. Revoke a leaked key first, and look for keys that it has made:
//! [`created_by`](crate::Record::created_by) names it.
//!
//! # When the answer is lost
//!
//! The text of the new key is in the answer alone. If that is lost, find the successor by
//! [`rotated_from`](crate::Record::rotated_from), revoke it, and rotate the old key again while it is valid. By the
//! routes, with `?force=true` if it is the only key that can manage keys.
//!
//! # All keys at once
//!
//! A [new pepper](super::operations#a-new-pepper) replaces no key: clients notice nothing. On the client, a key in a
//! [file](crate::client::ClientKey::file) is read again when it changes, so a rotation needs no restart.

// Layer 10 of 10: rim.
