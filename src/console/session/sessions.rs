//! The settings of the sessions of a console.

// Layer 10 of 10: rim.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::address::{Address, Origin};
use super::cookies::CookieNames;
use super::strip::StripCookieLayer;
use crate::authenticator::Authenticator;
use crate::backend::KeyStore;
use crate::clock::Clock;
use crate::console::look::Look;
use crate::console::shared::Further;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::manage::{KeyManager, Permissions};
use crate::scope::{Requirement, Scope};

/// The scope of a key that opens the portal of its owner.
pub(super) const CONSOLE: Scope = Scope::from_static("console");

/// How long a session lasts.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

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
    pub(super) further: Further<S>,
    pub(super) authenticator: Authenticator,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) address: Address,
    pub(super) cookies: Arc<CookieNames>,
    pub(super) pasted_keys: bool,
    pub(super) passwords: bool,
    pub(super) across_environments: bool,
    /// The organization whose keys and members are operators, and what they have to meet.
    pub(super) operators: Option<(Box<str>, Requirement)>,
    pub(super) is_development: bool,
    pub(super) origins: Vec<Origin>,
    pub(super) lifetime: Duration,
    /// When this node purges again, in milliseconds.
    pub(super) next_purge: Arc<AtomicI64>,
}

impl<S> Sessions<S> {
    pub(in crate::console) fn new(
        manager: KeyManager<S>,
        permissions: Permissions,
        hint: usize,
        look: Look,
        further: Further<S>,
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
        let cookies = Arc::new(CookieNames::new(&address, false));
        Ok(Self {
            manager: manager.of_sessions(authenticator)?,
            permissions,
            hint,
            look,
            further,
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
    /// scopes: customers give those out themselves. An operator cannot end the key that it has signed in with, nor change its own
    /// membership: it may be the last one.
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

    /// Adds an origin of the application, such as `https://docs.example.com`, to which a [return URL](super::Handover::return_url) may lead beside that of
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
        let cookies = Arc::new(CookieNames::new(&self.address, true));
        Ok(Self { is_development: true, cookies, ..self })
    }

    /// Returns a layer that takes the cookies of the console off requests, for the rest of the application or around all of it: the pages find
    /// them nevertheless.
    pub fn strip_cookie(&self) -> StripCookieLayer {
        StripCookieLayer { cookies: Arc::clone(&self.cookies) }
    }
}

fn invalid(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Console, message)
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("address", &self.address).finish_non_exhaustive()
    }
}
