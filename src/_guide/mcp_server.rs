//! An MCP server: keys as Bearer tokens over streamable HTTP, and a scope for each tool.
//!
//! Features: `axum`, and a store (`sqlite` or `postgres`).
//!
//! The protocol (Model Context Protocol) defines authorization by OAuth, and makes it optional. Keys that the user of a client sets as a header,
//! `Authorization: Bearer KEY`, are outside of that profile, and need no authorization server.
//!
//! | The protocol asks for | By |
//! |---|---|
//! | the `Authorization` header with every request, also of a session | the layer, which decides each request anew: a session id admits no request |
//! | no token in the query | no source reads one |
//! | 401 with `WWW-Authenticate` for a missing or invalid token | the challenge of [`Source::bearer`](crate::Source::bearer) |
//! | 403 with `error="insufficient_scope"` and the scopes needed | [`Principal::require`](crate::Principal::require), with `?` |
//!
//! A server that also accepts OAuth tokens names its metadata in the challenges, by
//! [`challenge_parameter("resource_metadata", …)`](crate::AuthenticatorBuilder::challenge_parameter) (RFC 9728).
//!
//! All tools share one path, so rules by route cannot tell them apart: the handler requires the scope of the tool.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::http::{Request, StatusCode};
//! use axum::response::{IntoResponse, Response};
//! use axum::{Json, Router, body::Body, routing::post};
//! use serde_json::{Value, json};
//! use tower::ServiceExt;
//! use tower_api_key::manage::{KeyManager, NewKey};
//! use tower_api_key::{
//!     AuthenticateLayer, Authenticator, ConfigError, KeyFormat, MemoryStore, Principal, Scope, Source,
//! };
//!
//! fn app(store: MemoryStore) -> Result<Router, ConfigError> {
//!     let authenticator = Authenticator::builder(store).sources([Source::bearer()]).realm("notes").build()?;
//!     Ok(Router::new().route("/mcp", post(serve)).route_layer(AuthenticateLayer::new(authenticator)))
//! }
//!
//! static TOOLS: [(&str, Scope); 2] =
//!     [("search", Scope::from_static("notes.read")), ("delete", Scope::from_static("notes.write"))];
//!
//! /// In place of the handler of an MCP library.
//! async fn serve(caller: Principal, Json(call): Json<Value>) -> axum::response::Result<Response> {
//!     let result = match call["method"].as_str() {
//!         Some("tools/list") => {
//!             let permitted = TOOLS.iter().filter(|(_, scope)| caller.require(scope).is_ok());
//!             let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
//!             json!({ "tools": permitted.map(|(name, _)| tool(name)).collect::<Vec<_>>() })
//!         }
//!         Some("tools/call") => {
//!             let tool = TOOLS.iter().find(|(name, _)| call["params"]["name"] == *name);
//!             let (name, scope) = tool.ok_or(StatusCode::BAD_REQUEST)?;
//!             caller.require(scope)?;
//!             json!({ "content": [{ "type": "text", "text": format!("{name}: done") }] })
//!         }
//!         _ => return Err(StatusCode::BAD_REQUEST.into()),
//!     };
//!     Ok(Json(json!({ "jsonrpc": "2.0", "id": call["id"], "result": result })).into_response())
//! }
//!
//! async fn ask(app: &Router, key: &str, method: &str, tool: &str) -> (StatusCode, String, Value) {
//!     let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "name": tool } });
//!     let mut request = Request::post("/mcp").header("content-type", "application/json");
//!     if !key.is_empty() {
//!         request = request.header("authorization", format!("Bearer {key}"));
//!     }
//!     let response = app.clone().oneshot(request.body(Body::from(call.to_string())).unwrap()).await.unwrap();
//!     let status = response.status();
//!     let challenge = response.headers().get("www-authenticate");
//!     let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
//!     let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
//!     (status, challenge.unwrap_or_default(), serde_json::from_slice(&body).unwrap())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = MemoryStore::new();
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?);
//!     let key = manager.create(NewKey::for_organization("acme").scopes("notes.read".parse()?)).await?.reveal();
//!     let app = app(store)?;
//!
//!     let (status, challenge, _) = ask(&app, "", "tools/list", "").await;
//!     assert_eq!((status.as_u16(), &*challenge), (401, r#"Bearer realm="notes""#));
//!     let (status, challenge, _) = ask(&app, "no-key-of-this-server", "tools/list", "").await;
//!     assert_eq!((status.as_u16(), &*challenge), (401, r#"Bearer realm="notes", error="invalid_token""#));
//!
//!     let (_, _, listed) = ask(&app, key.as_str(), "tools/list", "").await;
//!     assert_eq!(listed["result"]["tools"][0]["name"], "search");
//!     assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(1));
//!     assert_eq!(ask(&app, key.as_str(), "tools/call", "search").await.0, 200);
//!     let (status, challenge, _) = ask(&app, key.as_str(), "tools/call", "delete").await;
//!     assert_eq!(status, 403);
//!     assert!(challenge.ends_with(r#"error="insufficient_scope", scope="notes.write""#), "{challenge}");
//!
//!     // A client that looks for an authorization server learns that none exists.
//!     let request = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty())?;
//!     assert_eq!(app.oneshot(request).await?.status(), 404);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: a client that starts OAuth
//!
//! Many clients answer a 401 by looking for an authorization server under `/.well-known`. A 404 there says that none exists, and another 401 does
//! not: add the layer by `route_layer`, which leaves unknown paths to the router. Tell users to set the header, such as in the body of the
//! 401, by [`Respond`](crate::reject::Respond).
//!
//! # Streams
//!
//! A stream of server-sent events continues after its key was revoked; the next request is rejected. A server in a browser's reach checks
//! `Origin` as the protocol demands, which this crate does not.

// Layer 10 of 10: rim.
