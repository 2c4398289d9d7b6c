//! Pages on which people manage keys: a portal for the customers of an application, and a console for its operators.
//!
//! [`Console::routes`] returns an [`axum::Router`] to nest anywhere outside the authenticating layer. The application resolves who is signed in, by
//! its own session or token; or the console has [`Sessions`] of this crate, into which the application hands its visitors over. An [`ExternalCaller`](crate::manage::ExternalCaller) gets the portal: the keys of its owner, with the permissions and
//! the environments that it has. [`SignedIn::operator`] gets the operator's console: the keys of all owners.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::Router;
//! use axum::body::Body;
//! use axum::http::{HeaderMap, Request, StatusCode};
//! use tower::ServiceExt;
//! use tower_api_key::console::Console;
//! use tower_api_key::manage::{ExternalCaller, KeyManager, Permissions};
//! use tower_api_key::{KeyFormat, MemoryStore, Owner};
//!
//! async fn signed_in(headers: HeaderMap) -> Result<ExternalCaller, StatusCode> {
//!     match headers.get("x-session") { // in place of a session of the application
//!         Some(session) if session == "17" => {}
//!         _ => return Err(StatusCode::UNAUTHORIZED),
//!     }
//!     let caller = ExternalCaller::new("user:17", Owner::organization("acme"));
//!     let caller = caller.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok(caller.across_environments().scopes("notes.*".parse().expect("valid scopes")))
//! }
//!
//! let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
//! let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).with_permissions(permissions);
//! let console = Console::new(manager)?.name("Acme Notes")?.accent("#0b5cad")?;
//! let app = Router::new().nest("/settings/api-keys", console.routes(signed_in));
//!
//! for (session, expected) in [("17", 200), ("18", 401)] {
//!     let request = Request::get("/settings/api-keys/keys").header("x-session", session).body(Body::empty())?;
//!     assert_eq!(app.clone().oneshot(request).await?.status(), expected);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Pages
//!
//! | Path | Page |
//! |---|---|
//! | the base | redirects to the list; with a slash at its end as well after `nest_service` |
//! | `/keys` | the list, by environment, state and the start of a name or of a key; for operators also by owner |
//! | `/new` | creates a key, and shows its text once |
//! | `/keys/{id}` | one key: its name, permissions and labels; disables and enables it; for operators also its limits and its plan, which customers see |
//! | `/keys/{id}/rotate` | replaces a key, and shows the text of the new one once |
//! | `/keys/{id}/revoke` | revokes a key, once its first characters were typed |
//! | `/revoke-keys` | for operators: counts the keys of a filter, and revokes them in batches once their number was typed |
//! | `/usage`, `/keys/{id}/usage` | the requests of 7, 30 or 90 days, with `.csv` as a file |
//! | `/audit` | the changes of keys |
//! | `/members` | for operators: the members, the projects and the plan of an organization, with [`Console::members`] |
//! | `/plans` | for operators: the plans that keys, organizations and users have, with [`Console::plans`] |
//! | `/sign-in`, `/sign-out` | of [`Sessions`] only |
//!
//! The pages are plain forms, and work without JavaScript. They load nothing from other origins, and no page may be stored or framed.
//!
//! # Security
//!
//! The security of sessions is [theirs](Sessions#security). The rest of this page holds for both.
//!
//! The function that resolves who is signed in is called before the body of a request is read, and again right before each change, after all that the
//! page reads: look at the session itself each time, in its store. What remains is the time that the store takes for the change itself, such as for a
//! lock. All changes go through the [`Delegate`](crate::manage::Delegate) of the caller, or through the manager with the operator as its
//! [actor](crate::manage::KeyManager::acting_for), so the store applies its rules in the transaction of each change, and authorizes there an operator
//! that is a key or a user. As callers need no key of their own here, they may end the last key of their owner.
//!
//! Forms of other origins are rejected with 403, by `Sec-Fetch-Site` or `Origin`: proxies have to forward these headers and `Host` unchanged. A
//! session cookie needs `SameSite=Lax` or `Strict` beside that. A response of the application to a request without a session, such as a redirect to
//! its login page, stays as it is; after a form, browsers follow such a redirect within the origin only (`form-action 'self'`).
//!
//! A form changes nothing once another visitor is signed in than the one that it was made for. Nor does one of limits or of a plan that were changed
//! since it was opened: it is shown again, with 409.
//!
//! A form to create or to replace a key works once: if it is sent again, also to another node, the answer says that the key exists, and its text
//! cannot be shown again.

// Layer 10 of 10: rim.
// Above `manage`; nothing imports it. Bottom to top, a file importing only those before it:
// `words`, `look`, `signed_in`, `page`, `servers`, `once`, `keys`, `shared`, `fields`, `frame`, `picker`, `view`, `list`, `shown`, `create`, `one_key`, `rotate`,
// `revoke`, `mass_revoke`, `members`, `plans`, `usage`, `audit`, `routes`, `session`, `self`.

mod audit;
mod create;
mod fields;
mod frame;
mod keys;
mod list;
mod look;
mod mass_revoke;
mod members;
mod once;
mod one_key;
mod page;
mod picker;
mod plans;
mod revoke;
mod rotate;
mod routes;
mod servers;
mod session;
mod shared;
mod shown;
mod signed_in;
mod usage;
mod view;
mod words;

pub use session::{Handover, Sessions, SignInUrl, StripCookie, StripCookieLayer};
pub use signed_in::SignedIn;

use std::fmt;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::authenticator::Authenticator;
use crate::backend::{AuditLog, KeyStore, OwnerStore, PlanStore, UsageStore};
use crate::credential::Scheme;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::manage::{KeyManager, Permissions, Resolver};
use look::Look;
use routes::router;
use shared::{Further, Shared};

/// The pages of a manager, and how they look.
#[derive(Clone)]
pub struct Console<S> {
    manager: KeyManager<S>,
    permissions: Permissions,
    /// The length of the hints of new keys.
    hint: usize,
    look: Look,
    /// The pages of members and plans, if the store keeps these.
    further: Further<S>,
}

impl<S: KeyStore + UsageStore + AuditLog + Clone> Console<S> {
    /// Creates the console of a manager.
    ///
    /// # Errors
    ///
    /// When the random generator of the operating system fails, or the manager has no [permissions](KeyManager::with_permissions), from which
    /// people select those of a key:
    ///
    /// ```
    /// use tower_api_key::console::Console;
    /// use tower_api_key::manage::KeyManager;
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let error = Console::new(KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?)).unwrap_err();
    /// assert_eq!(error.to_string(), "the console needs permissions to offer: give them to the manager (`KeyManager::with_permissions`)");
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn new(manager: KeyManager<S>) -> Result<Self, ConfigError> {
        let Some(permissions) = manager.permissions().cloned() else {
            let message = "the console needs permissions to offer: give them to the manager (`KeyManager::with_permissions`)";
            return Err(ConfigError::new(ConfigErrorKind::Console, message));
        };
        let hint = manager.hint_length().map_err(|error| {
            ConfigError::new(ConfigErrorKind::Console, format!("cannot read the format of keys: {error}"))
        })?;
        Ok(Self { manager, permissions, hint, look: Look::default(), further: Further::none() })
    }

    /// Sets the name of the application in the head of each page. The variable of a new key is named after it, such as `ACME_NOTES_API_KEY`.
    ///
    /// # Errors
    ///
    /// When it is empty, or longer than 60 characters.
    pub fn name(self, name: impl Into<Box<str>>) -> Result<Self, ConfigError> {
        Ok(Self { look: self.look.name(name.into())?, ..self })
    }

    /// Sets the logo in the head of each page: an absolute path on the origin of the pages, such as `/assets/logo.svg`.
    ///
    /// # Errors
    ///
    /// When it is not such a path. Pages load nothing from other origins.
    pub fn logo(self, path: impl Into<Box<str>>) -> Result<Self, ConfigError> {
        Ok(Self { look: self.look.logo(path.into())?, ..self })
    }

    /// Sets the colour of buttons, such as `#0b5cad`.
    ///
    /// # Errors
    ///
    /// When it is not of this form, or white text on it has a contrast below 4.5 (WCAG 2.2, 1.4.3):
    ///
    /// ```
    /// # use tower_api_key::console::Console;
    /// # use tower_api_key::manage::{KeyManager, Permissions};
    /// # use tower_api_key::{KeyFormat, MemoryStore};
    /// # let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).with_permissions(Permissions::new());
    /// let error = Console::new(manager)?.accent("#ffcc00").unwrap_err();
    /// assert_eq!(error.to_string(), "the accent colour must be darker: white text on it must have a contrast of 4.5, got 1.5");
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn accent(self, colour: &str) -> Result<Self, ConfigError> {
        Ok(Self { look: self.look.accent(colour)?, ..self })
    }

    /// Sets a request to show with a new key, as a command of curl: a URL of the application's API, and the source that the key is presented by.
    /// A key that is limited to other sources is shown without it.
    ///
    /// # Errors
    ///
    /// When the URL is not one of HTTP in visible ASCII without quotes, backslashes and `$`, or the source is a password.
    ///
    /// ```
    /// # use tower_api_key::console::Console;
    /// # use tower_api_key::manage::{KeyManager, Permissions};
    /// # use tower_api_key::{KeyFormat, MemoryStore, Source};
    /// # let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).with_permissions(Permissions::new());
    /// let console = Console::new(manager)?.example("https://api.acme.example/v1/notes", Source::bearer())?;
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn example(self, url: impl Into<Box<str>>, source: impl Into<Scheme>) -> Result<Self, ConfigError> {
        Ok(Self { look: self.look.example(url.into(), source.into())?, ..self })
    }

    /// Adds pages on which operators manage the members, the projects and the plan of organizations, in a store that keeps them.
    #[must_use]
    pub fn members(mut self) -> Self
    where
        S: OwnerStore,
    {
        let pages = self.further.pages;
        let pages = pages
            .route("/members", get(members::show::<S>))
            .route("/members/put", post(members::put_member::<S>))
            .route("/members/remove", post(members::remove_member::<S>))
            .route("/members/project", post(members::put_project::<S>))
            .route("/members/delete-project", post(members::delete_project::<S>))
            .route("/members/plan", post(members::set_plan::<S>));
        self.further = Further { members: true, pages, ..self.further };
        self
    }

    /// Adds a page on which operators manage [plans](crate::limit::Plan), in a store that keeps them. A change of a plan has no actor that the store
    /// could authorize, and no entry in the audit log: an operator is looked at again right before it.
    #[must_use]
    pub fn plans(mut self) -> Self
    where
        S: PlanStore,
    {
        let pages = self.further.pages;
        let pages = pages
            .route("/plans", get(plans::show::<S>))
            .route("/plans/put", post(plans::put::<S>))
            .route("/plans/delete", post(plans::delete::<S>));
        self.further = Further { plans: true, pages, ..self.further };
        self
    }

    /// Gives the visitors sessions of this crate, for an application without a login of its own, or whose login does not reach the pages: see
    /// [`Sessions`]. `authenticator` is that of the application, which reads the store of the manager. `address` is the URL at which browsers find
    /// the pages, the same on each node, such as `https://app.example.com/settings/api-keys`: [`Sessions::routes`] are to be nested at its path.
    ///
    /// # Errors
    ///
    /// When the address is not one of HTTPS, or of this machine; or its path has anything but letters, digits, `-`, `_`, `~` and slashes; or the
    /// manager has a digester that the authenticator lacks.
    ///
    /// ```
    /// # use tower_api_key::console::Console;
    /// # use tower_api_key::manage::{KeyManager, Permissions};
    /// # use tower_api_key::{Authenticator, KeyFormat, MemoryStore};
    /// # let store = MemoryStore::new();
    /// # let authenticator = Authenticator::new(store.clone());
    /// # let manager = KeyManager::new(store, KeyFormat::new("demo")?).with_permissions(Permissions::new());
    /// let console = Console::new(manager)?;
    /// assert!(console.clone().sessions(&authenticator, "http://app.example.com/keys").is_err());
    /// assert!(console.clone().sessions(&authenticator, "https://app.example.com/keys").is_ok());
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn sessions(self, authenticator: &Authenticator, address: &str) -> Result<Sessions<S>, ConfigError>
    where
        S: KeyStore,
    {
        Sessions::new(
            self.manager,
            self.permissions,
            self.hint,
            self.look,
            self.further,
            authenticator,
            address,
        )
    }

    /// Returns the pages, given the function that resolves who is signed in. Its argument is any extractor, such as a session, a tuple of
    /// extractors, or the [`Parts`](http::request::Parts) of the request. It returns an
    /// [`ExternalCaller`](crate::manage::ExternalCaller) for the portal, or a [`SignedIn`] for either door. Its error is the
    /// response, which caches may not store.
    ///
    /// It is called before the body is read, and again right before each change, with the head of the request as it arrived. An extension that
    /// a middleware has filled shows what held before: look at the session itself, in its store.
    pub fn routes<E, F, C, R>(self, signed_in: impl Fn(E) -> F + Send + Sync + 'static) -> Router
    where
        E: FromRequestParts<()> + Send + 'static,
        F: Future<Output = Result<C, R>> + Send + 'static,
        C: Into<SignedIn> + 'static,
        R: IntoResponse + 'static,
    {
        let resolver = Resolver::new(signed_in);
        let shared =
            Shared::new(self.manager, self.permissions, self.hint, self.look, &self.further, resolver);
        router(shared, self.further.pages)
    }
}

impl<S> fmt::Debug for Console<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("look", &self.look).finish_non_exhaustive()
    }
}
