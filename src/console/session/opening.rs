//! How the sessions of a console are opened, by a code or at once, found, and ended.

// Layer 10 of 10: rim.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::HeaderValue;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::may_link_to;
use super::cookies::Cookie;
use super::handover::{Handover, SignInUrl};
use super::sessions::Sessions;
use super::state::{Door, State};
use crate::backend::{Actor, BackendError, Caller, KeyStore, Rotation};
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::key::{KeyFormat, KeyId, RevealedKey};
use crate::manage::{FieldError, ManageError, ManageErrorKind};
use crate::owner::Owner;
use crate::record::Record;
use crate::scope::Scopes;
use crate::trace::{self, Failure};

/// The prefixes of secrets, which mistyped and foreign texts lack.
const SESSION: &str = "console_session";
const CODE: &str = "console_code";
const SIGN_IN: &str = "console_sign_in";

/// How long a code works, and a form to sign in.
const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Sessions and codes of one opener: a link that is followed in a loop fills no store.
const MAX_SESSIONS: usize = 100;
/// The time between two purges by one node.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// The time after which a purge is tried again that failed, or that was dropped.
const PURGE_RETRY: Duration = Duration::from_secs(60);
/// The time that a visitor waits for a purge. What it has deleted by then stays deleted, and the next one goes on.
const PURGE_TIMEOUT: Duration = Duration::from_secs(1);

impl<S: KeyStore> Sessions<S> {
    /// Opens the console to a visitor whom the application has signed in: returns the URL to send the browser to, and the cookie to send with it.
    /// The result is a redirection, if a handler returns it. Let that be one of POST, as each call stores a code.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ManageErrorKind::Invalid) if the return URL leads to an origin that is not [one of the application](Self::origin), or if the
    /// hand-over of an operator has limits: scopes, sources, an environment, an end of its keys, or limits and a plan of these;
    /// [`Forbidden`](ManageErrorKind::Forbidden) if the actor is a key or a user that is not active, lacks a requirement or a source, or may not
    /// manage the keys of the owner or of the environment;
    /// [`Conflict`](ManageErrorKind::Conflict) if the owner was deleted; [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn session_for(&self, handover: Handover) -> Result<SignInUrl, ManageError> {
        let (browser, cookie) = self.new_browser()?;
        let code = self.code_for(handover, browser.as_str()).await?;
        Ok(SignInUrl { url: self.url_of(&code), cookie })
    }

    /// Returns a URL that opens the console once within 15 minutes in any browser of this machine, for the output of a program. Its page names the
    /// account, and asks first.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](ManageErrorKind::Forbidden) unless the console is [in development](Self::development); and those of
    /// [`session_for`](Self::session_for).
    pub async fn link_for(&self, handover: Handover) -> Result<String, ManageError> {
        if !self.is_development {
            return Err(ManageError::forbidden("code", "works without a cookie in development only"));
        }
        let code = self.code_for(handover, "").await?;
        Ok(self.url_of(&code))
    }

    /// Ends all sessions that an actor has opened, with the codes that were not redeemed yet, and returns their number. In this process that takes
    /// effect with the next request, in others within the lease.
    ///
    /// Call it when the application signs a user out or removes one, after its login no longer knows the user: a hand-over that was decided
    /// before, and is stored after this, opens a session. A key or a user of the store need not be ended here: their sessions end
    /// with them.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn end_sessions(&self, actor: &Actor) -> Result<u64, ManageError> {
        match actor.opener() {
            Some(opener) => self.manager.end_sessions_of(&opener, 0, "ended by the application").await,
            None => Ok(0),
        }
    }

    fn url_of(&self, code: &RevealedKey) -> String {
        self.address.url(&format!("sign-in?code={}", code.as_str()))
    }

    /// Stores a code for a browser, or for any if it is empty.
    async fn code_for(&self, handover: Handover, browser: &str) -> Result<RevealedKey, ManageError> {
        if let Some(field) = handover.limit_of_operator() {
            let message = "cannot be limited for an operator, who manages the keys of all owners";
            return Err(ManageError::invalid(vec![FieldError::new(field, message)]));
        }
        let Handover { state, bounds, owner, scopes } = handover;
        let return_url = state.return_url.as_deref();
        if return_url.is_some_and(|url| !may_link_to(url, &self.origins)) {
            let message = "must be a path, or a URL of an origin of the application (`Sessions::origin`)";
            return Err(ManageError::invalid(vec![FieldError::new("return_url", message)]));
        }
        let state = State { bounds: Some(bounds.clone()), ..state };
        if let Some(authorized) = self.manager.authorize_actor(&state.opener, None).await? {
            if state.door == Door::Operator && authorized.record().environment != Environment::Live {
                return Err(ManageError::forbidden("environment", "must be live for an operator"));
            }
            if let Some(grant) = state.grant(&owner, &scopes) {
                grant.check_opener(authorized.record())?;
            }
            let own = Caller::from(authorized).sources;
            if !own.is_empty() && bounds.sources.iter().any(|source| !own.contains(source)) {
                return Err(ManageError::forbidden("sources", "must be among those of the actor"));
            }
        }
        let (code, end) = (mint(CODE)?, self.clock.wall().saturating_add(CODE_LIFETIME));
        let secret = self.secret(CODE, &[code.as_str(), browser]);
        self.insert(&state, owner, scopes, &secret, end).await?;
        Ok(code)
    }

    /// Opens a session, and returns its cookie.
    pub(super) async fn open(
        &self,
        state: &State,
        owner: Owner,
        scopes: Scopes,
    ) -> Result<HeaderValue, ManageError> {
        let (text, end) = (mint(SESSION)?, self.clock.wall().saturating_add(self.lifetime));
        let secret = self.secret(SESSION, &[text.as_str()]);
        self.insert(state, owner, scopes, &secret, end).await?;
        Ok(self.cookies.set(Cookie::Session, text.as_str(), self.lifetime))
    }

    async fn insert(
        &self,
        state: &State,
        owner: Owner,
        scopes: Scopes,
        secret: &[u8],
        end: Timestamp,
    ) -> Result<(), ManageError> {
        let now = self.clock.wall();
        let digest = self.manager.session_digest(secret);
        let session = Record::imported(KeyId::generate(now)?, digest, owner).scopes(scopes);
        let session = session.created_at(now).expires_at(end);
        // OK because a hand-over requires a name of its actor, and a key and a user have one.
        let state = state.encode().ok_or_else(ManageError::not_found)?;
        self.manager.end_sessions_of(&state.opener, MAX_SESSIONS - 1, "too many sessions").await?;
        self.manager.open_session(session.session(state)).await?;
        self.purge(now).await;
        Ok(())
    }

    /// Redeems a code of a browser, or of any if it is empty, and returns the cookie of the session. `None` if the code does not work, or no longer.
    pub(super) async fn redeem(&self, code: &str, browser: &str) -> Result<Option<HeaderValue>, ManageError> {
        let Some(found) = self.find_code(code, browser).await? else { return Ok(None) };
        let (text, now) = (mint(SESSION)?, self.clock.wall());
        let digest = self.manager.session_digest(&self.secret(SESSION, &[text.as_str()]));
        let session = Rotation::new(KeyId::generate(now)?, digest, "", now);
        match self.manager.redeem(&found.id, session.expires_at(now.saturating_add(self.lifetime))).await {
            Ok(()) => Ok(Some(self.cookies.set(Cookie::Session, text.as_str(), self.lifetime))),
            // Another request has redeemed it, or it has ended, since it was looked up.
            Err(error) if matches!(error.kind(), ManageErrorKind::Conflict | ManageErrorKind::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn find_code(&self, code: &str, browser: &str) -> Result<Option<Record>, ManageError> {
        let is_tied = is_of(SIGN_IN, browser);
        if !is_of(CODE, code) || !(is_tied || browser.is_empty() && self.is_development) {
            return Ok(None);
        }
        self.find(&self.secret(CODE, &[code, browser])).await
    }

    /// Returns the session with this text, unless it has ended.
    pub(super) async fn find_session(&self, text: &str) -> Result<Option<Record>, ManageError> {
        if !is_of(SESSION, text) {
            return Ok(None);
        }
        self.find(&self.secret(SESSION, &[text])).await
    }

    async fn find(&self, secret: &[u8]) -> Result<Option<Record>, ManageError> {
        let found = self.authenticator.find_session(secret).await;
        found.map_err(|_| BackendError::unavailable("the session could not be looked up").into())
    }

    /// Deletes sessions that ended, once in a while. Their rows admit no visitor, so a failure does not concern this one.
    async fn purge(&self, now: Timestamp) {
        if now.unix_millis() < self.next_purge.load(Ordering::Relaxed) {
            return;
        }
        let next = |after| self.next_purge.store(now.saturating_add(after).unix_millis(), Ordering::Relaxed);
        next(PURGE_RETRY);
        match timeout(PURGE_TIMEOUT, self.manager.purge_sessions(now)).await {
            Ok(Ok(())) => next(PURGE_INTERVAL),
            Ok(Err(error)) => trace::failed("purge of sessions", &Failure::Other(&error)),
            Err(_) => trace::failed("purge of sessions", &Failure::Deadline(PURGE_TIMEOUT)),
        }
    }
}

impl<S> Sessions<S> {
    /// Returns a secret as it is digested. No credential has a zero byte, so none is looked up as this; nor has another console this address.
    fn secret(&self, kind: &str, texts: &[&str]) -> Zeroizing<Vec<u8>> {
        let address = self.address.text();
        // The capacity is exact: a vector that grows leaves unwiped copies of itself behind.
        let length = kind.len() + address.len() + texts.iter().map(|text| 1 + text.len()).sum::<usize>() + 1;
        let mut secret = Zeroizing::new(Vec::with_capacity(length));
        secret.extend_from_slice(kind.as_bytes());
        for text in [&*address].iter().chain(texts) {
            secret.push(0);
            secret.extend_from_slice(text.as_bytes());
        }
        secret
    }

    /// Returns a new secret that ties a form or a code to a browser, and its cookie.
    pub(super) fn new_browser(&self) -> Result<(RevealedKey, HeaderValue), ManageError> {
        let browser = mint(SIGN_IN)?;
        let cookie = self.cookies.set(Cookie::SignIn, browser.as_str(), CODE_LIFETIME);
        Ok((browser, cookie))
    }

    /// Returns whether a text may be such a secret.
    pub(super) fn is_browser(text: &str) -> bool {
        is_of(SIGN_IN, text)
    }
}

fn format(prefix: &str) -> KeyFormat {
    // OK because the prefixes are constants, which the tests mint.
    KeyFormat::new(prefix).expect("a valid prefix")
}

fn mint(prefix: &str) -> Result<RevealedKey, ManageError> {
    Ok(format(prefix).mint(Environment::Live)?.reveal())
}

fn is_of(prefix: &str, text: &str) -> bool {
    format(prefix).parse(text.as_bytes()).is_ok()
}
