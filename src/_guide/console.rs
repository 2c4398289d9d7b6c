//! Give people pages for their keys: a portal for customers, a console for operators.
//!
//! Features: `console`, and a store (`sqlite` or `postgres`).
//!
#![doc = concat!("![The list of keys](data:image/png;base64,", include_str!("../../docs/screenshots/keys.base64"), ")")]
//!
//! | Step | By |
//! |---|---|
//! | list what keys can be permitted, in groups | [`Permissions`](crate::manage::Permissions), given to the manager |
//! | serve the pages | [`Console::routes`](crate::console::Console::routes), nested at a path of yours, outside the authenticating layer |
//! | say who is signed in | a function of yours that looks at the session: an [`ExternalCaller`](crate::manage::ExternalCaller) gets the portal, [`SignedIn::operator`](crate::console::SignedIn::operator) the keys of all owners |
//! | or hand users over, once they are signed in | [`Console::sessions`](crate::console::Console::sessions), whose [`session_for`](crate::console::Sessions::session_for) opens the pages to one browser, with a cookie that the rest of the application never sees |
//! | let people sign in on the pages | [`pasted_keys`](crate::console::Sessions::pasted_keys): by a key with the scope `console`; `Sessions::passwords`: by e-mail and password |
//! | make some of them operators | [`operators`](crate::console::Sessions::operators): live keys and members of your own organization that meet a requirement |
//! | let some only look | [`SignedIn::read_only`](crate::console::SignedIn::read_only) |
//! | limit the keys that a customer creates | `ExternalCaller`: its scopes, its environments, the latest end of its keys, and their limits and plan |
//! | let operators manage members, projects and plans | [`members`](crate::console::Console::members), [`plans`](crate::console::Console::plans), for a store that keeps them |
//! | name the application | [`name`](crate::console::Console::name), [`logo`](crate::console::Console::logo), [`accent`](crate::console::Console::accent) |
//! | show how a new key is used | [`example`](crate::console::Console::example), a command of curl beside the variable of the environment |
//! | show the requests by day | [`AuthenticatorBuilder::usage`](crate::AuthenticatorBuilder::usage) |
//!
//! The text of a key is shown once, as the answer to its form:
//!
#![doc = concat!("![The page that shows a new key](data:image/png;base64,", include_str!("../../docs/screenshots/shown.base64"), ")")]
//!
//! Neither Back nor a reload, the history or another tab shows it again: a form that is sent twice creates one key, and says so. The pages need no
//! JavaScript; with it, buttons copy the text, and a page that is left loses it.
//!
//! # A portal and a console
//!
//! The session is that of the application; a header stands for it here. `examples/portal` is a whole service with a login, which hands its users over
//! to both doors.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::body::{Body, to_bytes};
//! use axum::http::{HeaderMap, Request, StatusCode};
//! use axum::routing::get;
//! use axum::Router;
//! use tower::ServiceExt;
//! use tower_api_key::backend::Actor;
//! use tower_api_key::console::{Console, SignedIn};
//! use tower_api_key::manage::{ExternalCaller, KeyManager, Permissions};
//! use tower_api_key::{AuthenticateLayer, Authenticator, ConfigError, KeyFormat, MemoryStore, Owner, Principal, Source};
//!
//! fn app(store: MemoryStore) -> Result<Router, ConfigError> {
//!     let authenticator = Authenticator::builder(store.clone()).build()?;
//!     let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
//!     let manager = KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("acme")?)?;
//!     let console = Console::new(manager.with_permissions(permissions).require_names())?.name("Acme Notes")?;
//!     let console = console.example("https://api.acme.example/notes", Source::bearer())?;
//!     let programs = Router::new()
//!         .route("/notes", get(async |caller: Principal| caller.owner().to_string()))
//!         .layer(AuthenticateLayer::new(authenticator));
//!     Ok(programs
//!         .nest("/settings/api-keys", console.clone().routes(customer))
//!         .nest("/staff/api-keys", console.routes(operator)))
//! }
//!
//! /// Returns the customer of a session. It is called before each page, and again right before each change: look into your tables each time.
//! async fn customer(headers: HeaderMap) -> Result<ExternalCaller, StatusCode> {
//!     let organization = match headers.get("x-session").map(|session| session.as_bytes()) {
//!         Some(b"ann") => "acme",
//!         Some(b"eve") => "globex",
//!         _ => return Err(StatusCode::UNAUTHORIZED), // or a redirect to your login
//!     };
//!     let caller = ExternalCaller::new(format!("member of {organization}"), Owner::organization(organization));
//!     let caller = caller.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok(caller.across_environments().scopes("notes.*".parse().expect("valid scopes")))
//! }
//!
//! async fn operator(headers: HeaderMap) -> Result<SignedIn, StatusCode> {
//!     match headers.get("x-session").map(|session| session.as_bytes()) {
//!         Some(b"staff") => SignedIn::operator(Actor::named("staff:3")).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR),
//!         _ => Err(StatusCode::UNAUTHORIZED),
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let app = app(MemoryStore::new())?;
//!     let call = async |method: &str, path: &str, session: &str, form: String| {
//!         let request = Request::builder().method(method).uri(path).header("x-session", session);
//!         let request = request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form));
//!         let response = app.clone().oneshot(request.unwrap()).await.unwrap();
//!         let (status, body) = (response.status(), to_bytes(response.into_body(), 65_536).await.unwrap());
//!         (status, String::from_utf8(body.to_vec()).unwrap())
//!     };
//!     let found = |html: &str, before: &str, after: char| {
//!         html.split_once(before).and_then(|(_, rest)| rest.split_once(after)).expect("a text").0.to_owned()
//!     };
//!     let notes = async |key: &str| {
//!         let request = Request::get("/notes").header("authorization", format!("Bearer {key}")).body(Body::empty());
//!         app.clone().oneshot(request.unwrap()).await.unwrap().status()
//!     };
//!
//!     // What a browser does with the form of the page.
//!     let (_, page) = call("GET", "/settings/api-keys/new", "ann", String::new()).await;
//!     let form = found(&page, "name=\"form\" value=\"", '"');
//!     let fields = format!("form={form}&name=CI&permission=notes.read&expires=30");
//!     let (status, shown) = call("POST", "/settings/api-keys/new", "ann", fields.clone()).await;
//!     let key = found(&shown, "aria-labelledby=\"key-label\">", '<');
//!     assert_eq!((status, notes(&key).await), (StatusCode::CREATED, StatusCode::OK));
//!     let (status, again) = call("POST", "/settings/api-keys/new", "ann", fields).await;
//!     assert!(status == StatusCode::CONFLICT && !again.contains(&key));
//!
//!     // Another customer has no such key; the staff has it, and ends it.
//!     let id = found(&shown, "keys/key_", '"');
//!     let path = |door: &str| format!("/{door}/api-keys/keys/key_{id}");
//!     assert_eq!(call("GET", &path("settings"), "eve", String::new()).await.0, StatusCode::NOT_FOUND);
//!     assert_eq!(call("GET", &path("staff"), "ann", String::new()).await.0, StatusCode::UNAUTHORIZED);
//!     let hint = found(&call("GET", &path("staff"), "staff", String::new()).await.1, "<code>", '.');
//!     let confirmed = format!("confirmation={hint}&reason=Leaked");
//!     let (status, _) = call("POST", &format!("{}/revoke", path("staff")), "staff", confirmed).await;
//!     assert!(status.is_success() || status.is_redirection());
//!     assert_eq!(notes(&key).await, StatusCode::UNAUTHORIZED);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # Requests
//!
#![doc = concat!("![The requests of 30 days](data:image/png;base64,", include_str!("../../docs/screenshots/usage.base64"), ")")]
//!
//! A plot by day, live and test apart, of a key or of all keys, with a table beneath and a file for spreadsheets.
//!
//! # The ways of the examples
//!
//! | Example | Path | People sign in by |
//! |---|---|---|
//! | `portal` | `/settings/api-keys`, `/staff/api-keys` | the login of the product, which hands them over |
//! | `memory_scope` | `/developer` | a key with the scope `console` |
//! | `memsolus` | `/settings/api-keys` | a key with all permissions |
//! | `memory_api` | `/dashboard` | a key with the scope `admin` |
//! | `memfault` | `/account/api-keys`, `/organization/auth-tokens` | e-mail and password, for which the browser asks; then they are handed over |
//! | `fleet` | `/console` on each node | the key that manages keys |
//! | `quickstart` | `/keys` | the link that it prints |
//!
//! # The trap: the pages inside the layer
//!
//! A browser presents no key, so pages inside the authenticating layer answer 401 to everyone. Nest them beside the routes that it protects, as
//! above. The function that resolves who is signed in is what protects them: without a session it returns an error, never a default caller.

// Layer 10 of 10: rim.
