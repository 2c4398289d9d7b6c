//! Notes of organizations over HTTP: sign-up, keys with scopes, usage and limits of each key, CORS, traces and an OpenAPI document.
//!
//! `DATABASE_URL=sqlite:saas.db RATE=60 ADDR=127.0.0.1:3101 cargo run --bin saas`
//!
//! Lines that exist for authentication are marked.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::RwLock;
use tower_api_key::axum::RouteRules; // auth
use tower_api_key::backend::{OwnerChange, OwnerStore}; // auth
use tower_api_key::limit::{Limit, Limits}; // auth
use tower_api_key::manage::{self, KeyManager, ManageError, ManageSettings, NewKey, RouteError}; // auth
use tower_api_key::reject::{Payload, Rejection}; // auth
use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, LimitLayer, Principal, RequireScopeLayer}; // auth
use tower_api_key::{Scope, SqliteStore, owner::Organization, usage::Usage}; // auth
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

type Error = Box<dyn std::error::Error>;

#[derive(OpenApi)]
#[openapi(info(title = "Notes"))]
struct Api;

#[derive(Clone)]
struct App {
    notes: Arc<RwLock<Vec<Note>>>,
    store: SqliteStore,            // auth
    keys: KeyManager<SqliteStore>, // auth
}

#[derive(Clone, Serialize, ToSchema)]
struct Note {
    text: String,
    by: String,
    #[serde(skip)]
    owner: String,
}

#[derive(Deserialize, ToSchema)]
struct NewNote {
    text: String,
}

#[derive(Deserialize, ToSchema)]
struct SignUp {
    name: String,
    email: String,
}

/// An error: `{"error":{"code":"…","message":"…"}}`.
struct ApiError(StatusCode, &'static str, String);

fn error_body(code: &str, message: &str) -> String {
    json!({ "error": { "code": code, "message": message } }).to_string()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, [(header::CONTENT_TYPE, "application/json")], error_body(code, &message)).into_response()
    }
}

// auth
impl<E: Into<ManageError>> From<E> for ApiError {
    // auth
    fn from(error: E) -> Self {
        let error = error.into(); // auth
        tracing::warn!(%error, "keys could not be managed"); // auth
        let answer = RouteError::from(error); // auth
        Self(answer.status, "key_management", answer.to_string()) // auth
    } // auth
} // auth

#[utoipa::path(get, path = "/v1/notes", responses((status = 200, body = Vec<Note>)))]
// auth
async fn list_notes(State(app): State<App>, caller: Principal) -> Json<Vec<Note>> {
    let owner = caller.owner().to_string(); // auth
    Json(app.notes.read().await.iter().filter(|note| note.owner == owner).cloned().collect())
}

#[utoipa::path(post, path = "/v1/notes", request_body = NewNote, responses((status = 201, body = Note)))]
async fn add_note(
    State(app): State<App>,
    caller: Principal, // auth
    Json(NewNote { text }): Json<NewNote>,
) -> (StatusCode, Json<Note>) {
    let note = Note { text, by: caller.key_id().to_string(), owner: caller.owner().to_string() }; // auth
    app.notes.write().await.push(note.clone());
    (StatusCode::CREATED, Json(note))
}

#[utoipa::path(post, path = "/v1/signup", request_body = SignUp, security(()), responses((status = 201)))] // auth
async fn sign_up(State(app): State<App>, Json(form): Json<SignUp>) -> Result<Response, ApiError> {
    let org = format!("org_{}", Uuid::now_v7().simple());
    app.store.change_owner(OwnerChange::put_user(&form.email)).await?; // auth
    app.store.change_owner(OwnerChange::put_organization(Organization::new(&*org))).await?; // auth
    let first = NewKey::for_organization(&*org).name("Default key").metadata([("org_name", form.name)]); // auth
    let created = app.keys.create(first.scopes(Scope::from_static("*").into())).await?; // auth
    let id = created.record().id.to_string(); // auth
    let body = Json(json!({ "org": org, "key_id": id, "key": created.reveal().as_str() })); // auth
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], body).into_response()) // auth
}

// auth
fn app(store: SqliteStore, usage: Usage, per_minute: u64) -> Result<Router, Error> {
    let authenticator = Authenticator::builder(store.clone()) // auth
        .usage(usage) // auth
        .respond(|error: &Rejection| Payload::json(error_body(error.reason().code(), &error.to_string()))) // auth
        .build()?; // auth
    let keys = KeyManager::new(store.clone(), KeyFormat::new("saas")?).acting_as("signup"); // auth
    let all = [("notes.read", "Read notes"), ("notes.write", "Add notes"), ("*", "All, and keys")]; // auth
    let keys = keys.with_permissions(manage::Permissions::new().group("Notes", all)?); // auth
    let settings = ManageSettings::new("keys.read".parse()?, "keys.write".parse()?) // auth
        .allow_cross_site() // auth
        .respond(|error: &RouteError| Payload::json(error_body("key_management", &error.to_string()))); // auth
    let manage = manage::routes(keys.clone(), settings); // auth
    let rules = RouteRules::new([("GET /v1/notes", "notes.read"), ("POST /v1/notes", "notes.write")])?; // auth
    let limit = Limit::rate("burst", per_minute, Duration::from_secs(60))?; // auth

    let notes = OpenApiRouter::with_openapi(Api::openapi()).routes(routes!(list_notes, add_note));
    let (notes, api) = notes.split_for_parts();
    let (open, open_api) = OpenApiRouter::new().routes(routes!(sign_up)).split_for_parts();
    let api = api.merge_from(open_api);
    let api = api.nest("/v1/account", serde_json::from_str::<utoipa::openapi::OpenApi>(manage::OPENAPI)?); // auth

    let cors = CorsLayer::new()
        .allow_origin("https://app.example.com".parse::<HeaderValue>()?)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]); // auth
    let app = App { notes: Arc::default(), store, keys }; // auth
    Ok(notes
        .route_layer(RequireScopeLayer::rules(rules)) // auth
        .with_state(app.clone())
        .layer(LimitLayer::new().default_limits(Limits::new([limit])?)) // auth
        // Outside of the limit, so that past it too a key that has leaked can be revoked.
        .nest("/v1/account", manage) // auth
        .layer(AuthenticateLayer::new(authenticator)) // auth
        .merge(open.with_state(app))
        .route("/openapi.json", get(async || Json(api)))
        .layer(cors)
        .layer(TraceLayer::new_for_http()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut terminate = signal(SignalKind::terminate())?;
    let rate = applications::setting("RATE")?.parse()?;
    let store = SqliteStore::open(&applications::setting("DATABASE_URL")?).await?; // auth
    let usage = Usage::builder(store.clone()).build()?; // auth
    let app = app(store.clone(), usage.clone(), rate)?; // auth
    let shutdown = async move { terminate.recv().await.unwrap_or_default() };
    axum::serve(applications::listen().await?, app).with_graceful_shutdown(shutdown).await?;
    usage.flush().await?; // auth
    store.close().await; // auth
    Ok(())
}
