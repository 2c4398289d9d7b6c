//! A login by session of axum-login, on routes of its own and on those that take a key as well.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum_login::{AuthManagerLayer, AuthManagerLayerBuilder, AuthUser, AuthnBackend, login_required};
use tower_api_key::reject::Reason;
use tower_api_key::{Principal, Rejection, test_util};
use tower_sessions::{MemoryStore, SessionManagerLayer};

use super::{bytes, lines, send, with_key};

/// The only user.
#[derive(Debug, Clone)]
struct Ann;

impl AuthUser for Ann {
    type Id = String;

    fn id(&self) -> String {
        "ann".to_owned()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash of the password"
    }
}

#[derive(Debug, Clone)]
struct Users;

impl AuthnBackend for Users {
    type User = Ann;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<Ann>, Infallible> {
        Ok(Some(Ann))
    }

    async fn get_user(&self, id: &String) -> Result<Option<Ann>, Infallible> {
        Ok((id == "ann").then_some(Ann))
    }
}

type Session = axum_login::AuthSession<Users>;

fn sessions() -> AuthManagerLayer<Users, MemoryStore> {
    AuthManagerLayerBuilder::new(Users, SessionManagerLayer::new(MemoryStore::default())).build()
}

async fn log_in(mut session: Session) -> StatusCode {
    let ann = session.authenticate(()).await.unwrap().unwrap();
    session.login(&ann).await.unwrap();
    StatusCode::NO_CONTENT
}

/// Answers with the caller by key, or else the user by session.
async fn whoami(key: Option<Principal>, session: Session) -> Response<Body> {
    match (key, session.user) {
        (Some(caller), _) => caller.key_id().to_string().into_response(),
        (None, Some(user)) => user.id().into_response(),
        (None, None) => Rejection::new(Reason::Missing).into_response(),
    }
}

/// Logs in, and returns the cookie of the session.
async fn cookie(app: &Router) -> String {
    let response = send(app, Request::post("/login")).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let cookie = lines(&response, header::SET_COOKIE.as_str()).concat();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn on_routes_of_their_own_neither_credential_opens_those_of_the_other() {
    let api = Router::new()
        .route("/api", get(async |caller: Principal| caller.key_id().to_string()))
        .route_layer(test_util::layer("test", |_| {}));
    let console = Router::new()
        .route("/console", get(async |session: Session| session.user.unwrap().id()))
        .route_layer(login_required!(Users))
        .route("/login", post(log_in));
    let app = api.merge(console).layer(sessions());
    let cookie = cookie(&app).await;

    for (request, status, expected) in [
        (with_key("GET", "/api"), StatusCode::OK, "key_test"),
        (
            Request::get("/api").header("cookie", &cookie),
            StatusCode::UNAUTHORIZED,
            r#"{"detail":"Missing API key"}"#,
        ),
        (Request::get("/console").header("cookie", &cookie), StatusCode::OK, "ann"),
        (with_key("GET", "/console"), StatusCode::UNAUTHORIZED, ""),
    ] {
        let response = send(&app, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(bytes(response).await, expected.as_bytes());
    }
}

#[tokio::test]
async fn where_a_key_is_optional_a_session_is_enough_and_a_bad_key_is_not_forgiven() {
    for is_session_outside in [true, false] {
        let routes = Router::new().route("/whoami", get(whoami)).route("/login", post(log_in));
        let authenticate = test_util::layer("test", |_| {}).optional().principal_in_response();
        let app = if is_session_outside {
            routes.layer(authenticate).layer(sessions())
        } else {
            routes.layer(sessions()).layer(authenticate)
        };
        let cookie = cookie(&app).await;
        let by_session = || Request::get("/whoami").header("cookie", &cookie);

        for (request, status, caller) in [
            (by_session(), StatusCode::OK, "ann"),
            (with_key("GET", "/whoami"), StatusCode::OK, "key_test"),
            (with_key("GET", "/whoami").header("cookie", &cookie), StatusCode::OK, "key_test"),
            (
                by_session().header("x-api-key", "bad"),
                StatusCode::UNAUTHORIZED,
                r#"{"detail":"Invalid API key"}"#,
            ),
            (Request::get("/whoami"), StatusCode::UNAUTHORIZED, r#"{"detail":"Missing API key"}"#),
        ] {
            let response = send(&app, request).await;
            assert_eq!(response.status(), status, "{caller}");
            assert_eq!(response.extensions().get::<Principal>().is_some(), caller == "key_test");
            let is_private = lines(&response, "cache-control") == ["private"];
            assert_eq!(is_private, caller == "key_test", "{caller}: {:?}", response.headers());
            assert_eq!(bytes(response).await, caller.as_bytes());
        }
    }
}
