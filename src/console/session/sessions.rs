//! The sessions of a console: their settings, how they are opened, and how they end.

// Layer 10 of 10: rim.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use zeroize::Zeroizing;

use super::address::{Address, Origin, may_link_to};
use super::cookies::{Cookie, Cookies};
use super::handover::{Handover, SignInUrl};
use super::state::{Door, State};
use super::strip::StripCookieLayer;
use crate::authenticator::Authenticator;
use crate::backend::{Actor, BackendError, Caller, KeyStore, Rotation};
use crate::clock::{Clock, Timestamp};
use crate::console::look::Look;
use crate::console::shared::Shared;
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::{KeyFormat, KeyId, RevealedKey};
use crate::manage::{FieldError, KeyManager, ManageError, ManageErrorKind, Permissions};
use crate::owner::Owner;
use crate::record::Record;
use crate::scope::{Requirement, Scope, Scopes};
use crate::trace::{self, Failure};

/// The scope of a key that opens the portal of its owner.
pub(super) const CONSOLE: Scope = Scope::from_static("console");

/// The prefixes of secrets, which mistyped and foreign texts lack.
const SESSION: &str = "console_session";
const CODE: &str = "console_code";
const SIGN_IN: &str = "console_sign_in";

/// How long a code works, and a form to sign in.
const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);
const DEFAULT_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Sessions and codes of one opener: a link that is followed in a loop fills no store.
const MAX_SESSIONS: usize = 100;
/// The time between two purges by one node.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// The time after which a purge is tried again that failed, or that was dropped with its request.
const PURGE_RETRY: Duration = Duration::from_secs(60);

/// A console whose visitors have sessions of this crate, instead of those of the application: by [`Console::sessions`](super::super::Console::sessions).
///
/// A session is itself a short-lived key, of a kind of its own, in the store of the manager. Each page looks it up as a request looks up its
/// key, by the cache of the authenticator: once a session was ended, this process admits it no more, and others no longer than their
/// [lease](crate::AuthenticatorBuilder::lease). No list, search, usage, audit log or rule of the last manager counts it, and no authenticator
/// admits it as a key.
///
/// There are three ways in, of which the hand-over is always open:
///
/// | Way | By | Opener |
/// |---|---|---|
/// | hand-over | [`session_for`](Self::session_for), for a visitor whom the application has signed in | the actor that the application names |
/// | pasted key | [`pasted_keys`](Self::pasted_keys): a key with the scope `console` | the key |
#[cfg_attr(
    feature = "password",
    doc = "| password | [`passwords`](Self::passwords): e-mail and password of a user | the user |"
)]
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::error::Error;
///
/// use axum::Router;
/// use axum::body::Body;
/// use axum::http::{Request, StatusCode};
/// use axum::routing::post;
/// use tower::ServiceExt;
/// use tower_api_key::backend::Actor;
/// use tower_api_key::console::{Console, Handover, Sessions, SignInUrl};
/// use tower_api_key::manage::{KeyManager, Permissions};
/// use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Owner};
///
/// let (store, format) = (MemoryStore::new(), KeyFormat::new("demo")?);
/// let authenticator = Authenticator::new(store.clone());
/// let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes")])?;
/// let manager = KeyManager::for_authenticator(&authenticator, store, format)?.with_permissions(permissions);
/// let address = "https://app.example.com/settings/api-keys";
/// let console = Console::new(manager)?.name("Acme Notes")?.sessions(&authenticator, address)?;
///
/// /// The handler of the application, behind its own login, to which the button "API keys" of a form leads. Each call makes a code, so it is
/// /// no GET, which an image of another site could send.
/// async fn open(console: Sessions<MemoryStore>) -> Result<SignInUrl, StatusCode> {
///     let handover = Handover::customer(Actor::external("user:17"), Owner::organization("acme"));
///     let handover = handover.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
///     let handover = handover.scopes("notes.*".parse().expect("valid scopes")).return_url("/settings");
///     console.session_for(handover).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
/// }
///
/// let handing_over = console.clone();
/// let app = Router::new()
///     .nest("/settings/api-keys", console.routes())
///     .route("/open-api-keys", post(move || open(handing_over)))
///     .layer(console.strip_cookie()); // handlers of the application do not see the session
///
/// let to_console = app.clone().oneshot(Request::post("/open-api-keys").body(Body::empty())?).await?;
/// let (url, cookie) = (to_console.headers()["location"].to_str()?, to_console.headers()["set-cookie"].to_str()?);
/// let (page, code) = url.split_once("?code=").ok_or("a code")?;
/// assert_eq!(page, "https://app.example.com/settings/api-keys/sign-in");
///
/// // The page at the URL sends the code by a form, with the cookie. Without the cookie, the code does not work.
/// let sign_in = |cookie: &str| {
///     let form = Request::post("/settings/api-keys/sign-in").header("sec-fetch-site", "same-origin").header("cookie", cookie);
///     form.header("content-type", "application/x-www-form-urlencoded").body(Body::from(format!("code={code}")))
/// };
/// assert_eq!(app.clone().oneshot(sign_in("")?).await?.status(), StatusCode::FORBIDDEN);
/// let signed_in = app.clone().oneshot(sign_in(cookie)?).await?;
/// assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
/// assert_eq!(app.clone().oneshot(sign_in(cookie)?).await?.status(), StatusCode::FORBIDDEN, "it worked once");
///
/// let session = signed_in.headers()["set-cookie"].to_str()?.to_owned();
/// let keys = || Request::get("/settings/api-keys/keys").header("cookie", &session).body(Body::empty());
/// assert_eq!(app.clone().oneshot(keys()?).await?.status(), StatusCode::OK);
///
/// // The user was removed from the organization.
/// assert_eq!(console.end_sessions(&Actor::external("user:17")).await?, 1);
/// assert_eq!(app.oneshot(keys()?).await?.headers()["location"], "./sign-in?ended");
/// # Ok::<(), Box<dyn Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Security
///
/// The cookie of a session has a name with `__Host-` and the base of the console, and is `Secure`, `HttpOnly` and `SameSite=Lax`. Only the pages of
/// the console read it. A code is redeemed by a form of the page at its URL, so that no preview of a link uses it up, and only with the cookie
/// of the browser that got it. A form to sign in is tied to its browser as well: another site can sign no visitor in. Each attempt with a key or a
/// password that fails is reported to the log, the metrics and the audit hook of the authenticator, as a rejected request is.
///
/// The opener is authorized before each page, and with its session in the transaction of each change. An opener that is a key or a user ends its
/// pages with its own end, and loses what it loses. Any other opener is an account of the application, which ends its sessions by
/// [`end_sessions`](Self::end_sessions).
///
/// An opener has up to 100 sessions at a time, among them the codes that were not redeemed yet: another one ends the oldest. So name each account of
/// the application apart. Sessions delete themselves an hour after their end, when others are opened.
#[derive(Clone)]
pub struct Sessions<S> {
    pub(super) manager: KeyManager<S>,
    pub(super) permissions: Permissions,
    pub(super) hint: usize,
    pub(super) look: Look,
    pub(super) members: Option<Router<Arc<Shared<S>>>>,
    pub(super) authenticator: Authenticator,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) address: Address,
    pub(super) cookies: Arc<Cookies>,
    pub(super) pasted_keys: bool,
    pub(super) passwords: bool,
    pub(super) across_environments: bool,
    /// The organization whose keys and members are operators, and what they have to meet.
    pub(super) operators: Option<(Box<str>, Requirement)>,
    pub(super) is_development: bool,
    origins: Vec<Origin>,
    lifetime: Duration,
    /// When this node purges again, in milliseconds.
    next_purge: Arc<AtomicI64>,
}

impl<S> Sessions<S> {
    pub(in crate::console) fn new(
        manager: KeyManager<S>,
        permissions: Permissions,
        hint: usize,
        look: Look,
        members: Option<Router<Arc<Shared<S>>>>,
        authenticator: &Authenticator,
        address: &str,
    ) -> Result<Self, ConfigError>
    where
        S: KeyStore,
    {
        let address = Address::parse(address)?;
        if !address.origin.is_secure() && !address.origin.is_loopback() {
            return Err(invalid(
                "the address of the console must begin with https://: plain HTTP shows its cookie",
            ));
        }
        let cookies = Arc::new(Cookies::new(&address, false));
        Ok(Self {
            manager: manager.of_sessions(authenticator)?,
            permissions,
            hint,
            look,
            members,
            authenticator: authenticator.clone(),
            clock: Arc::clone(authenticator.clock()),
            origins: vec![address.origin.clone()],
            address,
            cookies,
            pasted_keys: false,
            passwords: false,
            across_environments: false,
            operators: None,
            is_development: false,
            lifetime: DEFAULT_LIFETIME,
            next_purge: Arc::new(AtomicI64::new(i64::MIN)),
        })
    }

    /// Lets a visitor sign in by a key with the scope `console`, which is pasted into a form. It manages the keys of its owner, in its own
    /// environment, and cannot end the last key by which they are managed. A key that is limited to sources is checked as
    /// [`Authenticator::verify`] does.
    #[must_use]
    pub fn pasted_keys(self) -> Self {
        Self { pasted_keys: true, ..self }
    }

    /// Lets a user sign in by e-mail and password, and manage their own keys.
    ///
    /// # Errors
    ///
    /// When the authenticator accepts no [passwords](crate::AuthenticatorBuilder::passwords), or has no source [Basic](crate::Source::basic).
    #[cfg(feature = "password")]
    pub fn passwords(self) -> Result<Self, ConfigError> {
        if !self.authenticator.accepts_passwords() {
            return Err(invalid(
                "the console cannot verify passwords: give them, and the source Basic, to the authenticator (`AuthenticatorBuilder::passwords`)",
            ));
        }
        Ok(Self { passwords: true, ..self })
    }

    /// Lets a live key that was pasted, and a user with a password, manage keys of all environments.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { across_environments: true, ..self }
    }

    /// Lets a pasted key of an organization, or a member of it with a password, manage the keys of all owners, as an operator. A key has to be
    /// live, and to meet the requirement, as has the role of a member there. Keys and roles of other organizations never suffice, whatever their
    /// scopes: customers give those out themselves. An operator cannot end the key that it has signed in with: it may be the last one.
    #[must_use]
    pub fn operators(self, organization: impl Into<Box<str>>, requirement: Requirement) -> Self {
        Self { operators: Some((organization.into(), requirement)), ..self }
    }

    /// Sets how long a session lasts at most, up to 24 hours. Default: 8 hours.
    ///
    /// # Errors
    ///
    /// When it is shorter than a second, or longer than that.
    pub fn lifetime(self, lifetime: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(1)..=MAX_LIFETIME).contains(&lifetime) {
            let message = format!("a session must last between 1 s and 24 hours, got {lifetime:?}");
            return Err(ConfigError::new(ConfigErrorKind::Limit, message));
        }
        Ok(Self { lifetime, ..self })
    }

    /// Adds an origin of the application, such as `https://docs.example.com`, to which a [return URL](Handover::return_url) may lead beside that of
    /// the console.
    ///
    /// # Errors
    ///
    /// When it is not an origin.
    pub fn origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        let Some(origin) = Origin::parse(origin) else {
            let message = format!(
                "an origin must be a scheme and a host, such as https://app.example.com, got {origin:?}"
            );
            return Err(invalid(message));
        };
        self.origins.push(origin);
        Ok(self)
    }

    /// Serves the console over plain HTTP to the browser of this machine alone, for the time before there is TLS.
    ///
    /// The cookie gets a name without `__Host-`, and [`link_for`](Self::link_for) makes links. Each request is rejected with 403 whose
    /// [`ConnectInfo`](axum::extract::ConnectInfo) is missing or not loopback, which a proxy has forwarded, or which names another host: serve the
    /// application by [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info).
    ///
    /// # Errors
    ///
    /// When the address of the console is not one of this machine, such as `http://127.0.0.1:3000/console`.
    pub fn development(self) -> Result<Self, ConfigError> {
        if !self.address.origin.is_loopback() {
            return Err(invalid(
                "the address of a console in development must be on 127.0.0.1, [::1] or localhost",
            ));
        }
        let cookies = Arc::new(Cookies::new(&self.address, true));
        Ok(Self { is_development: true, cookies, ..self })
    }

    /// Returns a layer that takes the cookies of the console off requests, for the rest of the application or around all of it: the pages find
    /// them nevertheless.
    pub fn strip_cookie(&self) -> StripCookieLayer {
        StripCookieLayer { cookies: Arc::clone(&self.cookies) }
    }

    /// Returns a secret as it is digested. No credential has a zero byte, so none is looked up as this; nor has another console this address.
    pub(super) fn secret(&self, kind: &str, texts: &[&str]) -> Zeroizing<Vec<u8>> {
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
}

impl<S: KeyStore> Sessions<S> {
    /// Opens the console to a visitor whom the application has signed in: returns the URL to send the browser to, and the cookie to send with it.
    /// The result is a redirection, if a handler returns it. Let that be one of POST, as each call stores a code.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ManageErrorKind::Invalid) if the return URL leads to an origin that is not [one of the application](Self::origin), or if the
    /// hand-over of an operator has limits: scopes, sources, an environment or an end of its keys;
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
        let Handover { state, limits, owner, scopes } = handover;
        let return_url = state.return_url.as_deref();
        if return_url.is_some_and(|url| !may_link_to(url, &self.origins)) {
            let message = "must be a path, or a URL of an origin of the application (`Sessions::origin`)";
            return Err(ManageError::invalid(vec![FieldError::new("return_url", message)]));
        }
        let state = State { limits: Some(limits.clone()), ..state };
        if let Some(authorized) = self.manager.authorize_actor(&state.opener, None).await? {
            if state.door == Door::Operator && authorized.record().environment != Environment::Live {
                return Err(ManageError::forbidden("environment", "must be live for an operator"));
            }
            if let Some(grant) = state.grant(&owner, &scopes) {
                grant.role_of(authorized.record())?;
            }
            let own = Caller::from(authorized).sources;
            if !own.is_empty() && limits.sources.iter().any(|source| !own.contains(source)) {
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
        match self.manager.purge_sessions(now).await {
            Ok(()) => next(PURGE_INTERVAL),
            Err(error) => trace::failed("purge of sessions", &Failure::Other(&error)),
        }
    }
}

impl<S> Sessions<S> {
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

fn invalid(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Console, message)
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("address", &self.address).finish_non_exhaustive()
    }
}
