//! Replace a hand-written middleware: what its parts become, and how existing keys stay valid.
//!
//! Features: `routes`, for errors as responses, and a store (`sqlite` or `postgres`).
//!
//! | Hand-written | Here |
//! |---|---|
//! | `if header == env::var("API_KEY")` | the value imported at the start of the service, then a key for each client |
//! | `SELECT … WHERE key = $1`, in each request | an [`Authenticator`](crate::Authenticator), which caches, and [`rules`](crate::rules) |
//! | `extensions_mut().insert(user)` | [`Principal`](crate::Principal); your user's id in its [`metadata`](crate::Principal::metadata) |
//! | `UPDATE … SET last_used = now()` | [`Usage`](crate::usage::Usage), which writes in batches |
//! | 500 or 401 when the database fails | 503, see [`Reason`](crate::Reason) |
//! | a body of your own | [`Respond`](crate::reject::Respond) |
//! | a key in the query, in a cookie, or in `Authorization` without `Bearer` | no source reads it: move it into a header in a layer outside |
//!
//! # Existing keys
//!
//! | Your table has | Import |
//! |---|---|
//! | the text | [`import_text`](crate::manage::KeyManager::import_text): at least 16 bytes, unless [`allow_weak`](crate::manage::NewKey::allow_weak) |
//! | SHA-256 of the whole text | [`import`](crate::manage::KeyManager::import), from the 32 bytes; decode hexadecimal digits or base64 first |
//! | HMAC-SHA-256 of the whole text under one secret | `import`, with [`Digester::hmac_sha256`](crate::digest::Digester::hmac_sha256) of that secret for all managers and authenticators |
//! | bcrypt, Argon2, a salt for each row, another hash, or the hash of a part | the text, at the next use of the key |
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::extract::{Request, State};
//! use axum::http::StatusCode;
//! use axum::middleware::{Next, from_fn_with_state};
//! use axum::response::{Response, Result};
//! use axum::{Router, body::Body, routing::get};
//! use sha2::Digest as _;
//! use tower::ServiceExt;
//! use tower_api_key::backend::Grace;
//! use tower_api_key::digest::Digest;
//! use tower_api_key::manage::{KeyManager, ManageError, ManageErrorKind, NewKey, RotateOptions};
//! use tower_api_key::{AuthenticateLayer, Authenticator, ConfigError, KeyFormat, MemoryStore};
//! use tower_api_key::{Principal, Reason, Source};
//!
//! #[derive(Clone)]
//! struct Keys {
//!     manager: KeyManager<MemoryStore>,
//!     authenticator: Authenticator,
//! }
//!
//! impl Keys {
//!     fn new(store: MemoryStore) -> Result<Self, ConfigError> {
//!         let format = KeyFormat::new("notes")?;
//!         // `foreign`: beside new keys, those of the old table, which have no prefix.
//!         let source = Source::x_api_key().format(format.clone()).foreign();
//!         let authenticator = Authenticator::builder(store.clone()).sources([source]).build()?;
//!         Ok(Self { manager: KeyManager::new(store, format), authenticator })
//!     }
//!
//!     /// Imports a key, or does nothing if another run or request has imported it.
//!     async fn import(&self, text: &str, customer: &str) -> Result<(), ManageError> {
//!         let new = NewKey::for_organization(customer).name("From the old table");
//!         match self.manager.import_text(text, new).await {
//!             Err(error) if error.kind() != ManageErrorKind::Conflict => Err(error),
//!             _ => Ok(()),
//!         }
//!     }
//! }
//!
//! /// Returns the customer with this key, by the slow hashes of the old table. Its failure is 503, not an unknown key.
//! async fn find_in_old_table(text: &str) -> Result<Option<&'static str>, StatusCode> {
//!     Ok((text == "key-with-a-bcrypt-hash").then_some("initech"))
//! }
//!
//! /// Outside the layer: imports a key that only the old table knows.
//! async fn import_at_next_use(State(keys): State<Keys>, mut request: Request, next: Next) -> Result<Response> {
//!     match keys.authenticator.authenticate(request.headers()).await {
//!         Ok(caller) => drop(request.extensions_mut().insert(caller)), // counted once, by both
//!         Err(rejection) if *rejection.reason() == Reason::Unknown => {
//!             let text = request.headers()["x-api-key"].to_str().unwrap_or_default().to_owned();
//!             if let Some(customer) = find_in_old_table(&text).await? {
//!                 keys.import(&text, customer).await?;
//!                 // Delete the row of the old table here.
//!             }
//!         }
//!         Err(_) => {} // the layer answers
//!     }
//!     Ok(next.run(request).await)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let keys = Keys::new(MemoryStore::new())?;
//!     // Once: the rows with a text, such as that of an environment variable, and those with a digest.
//!     keys.import("key-in-plain-text", "acme").await?;
//!     let old_hash: [u8; 32] = sha2::Sha256::digest("key-with-a-sha256-hash").into();
//!     let globex = NewKey::for_organization("globex");
//!     let record = keys.manager.import(Digest::from_bytes(old_hash), globex).await?;
//!
//!     let app: Router = Router::new()
//!         .route("/whoami", get(async |caller: Principal| caller.key_id().to_string()))
//!         .route_layer(AuthenticateLayer::new(keys.authenticator.clone()))
//!         .route_layer(from_fn_with_state(keys.clone(), import_at_next_use));
//!     let status = async |key: &str| {
//!         let request = Request::get("/whoami").header("x-api-key", key).body(Body::empty()).unwrap();
//!         app.clone().oneshot(request).await.unwrap().status()
//!     };
//!     for known in ["key-in-plain-text", "key-with-a-sha256-hash", "key-with-a-bcrypt-hash"] {
//!         assert_eq!(status(known).await, 200, "{known}");
//!     }
//!     assert_eq!(status("a-key-of-no-table").await, 401);
//!
//!     // Customers keep their keys, until they rotate them: the next one has the new format.
//!     let next = keys.manager.rotate(&record.id, RotateOptions::new(Grace::None)).await?.reveal();
//!     assert!(next.as_str().starts_with("notes_live_"));
//!     assert_eq!(status("key-with-a-sha256-hash").await, 401);
//!     assert_eq!(status(next.as_str()).await, 200);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: two tables that both admit
//!
//! A key that was revoked here and is still in the old table would be imported again once its record is purged: delete each row
//! after its import, and revoke in the new store only. Each unknown key costs a slow hash until the old table is empty, so find its row by a
//! part of the text first, bound the hashes that run at a time, and remove the layer on a date that customers know.

// Layer 10 of 10: rim.
