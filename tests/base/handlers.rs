//! What handlers ask of a caller, and rejections without a framework.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};
use support::{Body, Key, authenticator, build, ok, request, revocation, store_with_key};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::audit::AuditEvent;
use tower_api_key::backend::{KeyChange, KeyStore, OwnerChange, OwnerStore};
use tower_api_key::credential::Scheme;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::principal::Resource;
use tower_api_key::reject::{Forbidden, Payload, RejectionBody, RequestHead, Respond};
use tower_api_key::{
    AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Owner, Principal, Reason, Rejection,
    RequireScopeLayer, Requirement, Scope, Scopes, Source,
};

const ANN: &str = "ann@example.com";

fn store() -> MemoryStore {
    MemoryStore::new()
}

fn scopes(list: &str) -> Scopes {
    Scopes::parse(list).unwrap()
}

fn role(organization: Organization, granted: &str) -> Membership {
    Membership::new(organization, "role", scopes(granted))
}

fn ann(memberships: &[Membership], granted: &str) -> Key {
    Key::mint().scopes(granted).with(|record| record.owner = Owner::user(ANN, memberships.to_vec()))
}

/// Returns the status behind a layer that requires `needed`, after checking that `require` decides alike, and that no organization
/// authorizes what the layer refuses.
async fn admitted(authenticator: &Authenticator, key: &Key, needed: &Requirement) -> bool {
    let service = ServiceBuilder::new()
        .layer(AuthenticateLayer::new(authenticator.clone()))
        .layer(RequireScopeLayer::new(needed.clone()))
        .service_fn(ok);
    let status = service.oneshot(key.bearer()).await.unwrap().status();
    let caller = authenticator.verify(&key.text).await.unwrap();
    match caller.require(needed) {
        Ok(()) => assert_eq!(status, StatusCode::OK),
        Err(rejection) => {
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert_eq!(rejection.reason(), &Reason::MissingScope(needed.clone()));
            for organization in caller.owner().organizations() {
                assert!(caller.authorize(needed, Resource::Organization(&organization.id)).is_err());
            }
        }
    }
    status == StatusCode::OK
}

#[tokio::test]
async fn the_layer_requires_scopes_of_the_key_and_of_the_user() {
    let all = |list: &str| Requirement::all_of(list.split(' ')).unwrap();
    let any = |list: &str| Requirement::any_of(list.split(' ')).unwrap();
    let open = |id: &str| Organization::new(id);
    let (mut closed, mut sso) = (open("closed"), open("sso"));
    closed.disabled = true;
    sso.requires_sso = true;
    let reader = [role(open("acme"), "notes.read")];
    let two = [role(open("acme"), "notes.read"), role(open("beta"), "notes.write")];
    let out_of_reach = [role(closed, "*"), role(sso, "*")];
    let admin = [role(open("acme"), "admin")];

    // The memberships, the scopes of the key, those of every user, what is required, and the decision.
    let cases: [(&[Membership], &str, &str, Requirement, bool); 19] = [
        (&reader, "notes.*", "", all("notes.read"), true),
        (&reader, "notes.*", "", all("notes.write"), false),
        (&reader, "notes.*", "", any("notes.write notes.read"), true),
        // The key has one of them and the role the other.
        (&reader, "notes.write", "", any("notes.write notes.read"), false),
        (&reader, "export", "", all("notes.read"), false),
        (&two, "*", "", all("notes.read"), true),
        (&two, "*", "", all("notes.write"), true),
        // No organization grants the sum.
        (&two, "*", "", all("notes.read notes.write"), false),
        (&out_of_reach, "*", "", all("notes.read"), false),
        (&out_of_reach, "*", "account.*", all("account.key"), true),
        (&[], "*", "", all("notes.read"), false),
        (&[], "*", "account.*", all("notes.read"), false),
        (&[], "account.*", "account.key", all("account.key"), true),
        (&[], "account.*", "account.key", all("account.password"), false),
        (&[], "notes.read", "*", all("notes.read"), true),
        (&[], "notes.read", "*", all("notes.write"), false),
        (&reader, "*", "account.*", all("notes.read account.key"), true),
        (&admin, "notes.read", "", all("notes.read"), true),
        (&reader, "admin", "", all("notes.write"), false),
    ];
    for (number, (memberships, granted, of_users, needed, expected)) in cases.into_iter().enumerate() {
        let store = store();
        let key = ann(memberships, granted).insert_with_user(&store).await;
        let builder = Authenticator::builder(store).admin_scope("admin").user_scopes(scopes(of_users));
        let admitted = admitted(&build(builder).0, &key, &needed).await;
        assert_eq!(admitted, expected, "case {number}: {memberships:?}, {granted}, {of_users}, {needed:?}");
    }
}

trait InsertWithUser {
    async fn insert_with_user(self, store: &MemoryStore) -> Key;
}

impl InsertWithUser for Key {
    /// Inserts the key, and its owner's memberships, which a store keeps beside the keys.
    async fn insert_with_user(self, store: &MemoryStore) -> Key {
        let change = async |change| store.change_owner(change).await.unwrap();
        if let Owner::User(user) = &self.record.owner {
            change(OwnerChange::put_user(&user.email)).await;
            for membership in &user.memberships {
                change(OwnerChange::put_organization(membership.organization.clone())).await;
                change(OwnerChange::put_membership(&user.email, membership.clone())).await;
            }
        }
        self.with(|record| record.owner = Owner::user(ANN, [])).insert_into(store).await
    }
}

#[tokio::test]
async fn keys_of_organizations_and_projects_have_their_own_scopes_alone() {
    let store = store();
    let (authenticator, _clock) = authenticator(store.clone());
    for owner in [Owner::organization("acme"), Owner::project(Organization::new("acme"), "sink")] {
        let key =
            Key::mint().scopes("notes.read").with(|record| record.owner = owner).insert_into(&store).await;
        assert!(admitted(&authenticator, &key, &Requirement::all_of(["notes.read"]).unwrap()).await);
        assert!(!admitted(&authenticator, &key, &Requirement::all_of(["notes.write"]).unwrap()).await);
        let caller = authenticator.verify(&key.text).await.unwrap();
        assert_eq!(caller.organization_id(), Some("acme"));
    }
}

#[tokio::test]
async fn a_user_who_leaves_the_last_organization_keeps_no_scope_of_it() {
    let store = store();
    let (authenticator, _clock) = authenticator(store.clone());
    let (read, write) = (["notes.read"], ["notes.write"]);
    let (read, write) = (Requirement::all_of(read).unwrap(), Requirement::all_of(write).unwrap());
    let key = ann(&[role(Organization::new("acme"), "notes.read")], "*").insert_with_user(&store).await;
    assert!(admitted(&authenticator, &key, &read).await);
    assert!(!admitted(&authenticator, &key, &write).await);
    assert_eq!(authenticator.verify(&key.text).await.unwrap().organization_id(), None);
    store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await.unwrap();
    assert!(!admitted(&authenticator, &key, &read).await);
    assert!(!admitted(&authenticator, &key, &write).await);
}

#[tokio::test]
async fn a_scope_or_a_requirement_is_required_by_question_mark() {
    fn notes(caller: &Principal) -> Result<(), Rejection> {
        caller.require(&Scope::new("notes.read").unwrap())?;
        caller.authorize(&Requirement::all_of(["notes.read"]).unwrap(), Resource::Organization("acme"))
    }
    let store = store();
    let (authenticator, _clock) = build(Authenticator::builder(store.clone()).realm("notes"));
    let caller = async |owner: &str, granted: &str| {
        let owner = Owner::organization(owner);
        let key = Key::mint().scopes(granted).with(|record| record.owner = owner).insert_into(&store).await;
        (authenticator.verify(&key.text).await.unwrap(), key)
    };
    assert!(notes(&caller("acme", "notes.*").await.0).is_ok());
    let (foreign, key) = caller("other", "notes.*").await;
    let rejection = notes(&foreign).unwrap_err();
    assert_eq!(rejection.reason(), &Reason::Forbidden(Forbidden::Organization));
    assert_eq!((rejection.key_id(), rejection.scheme()), (Some(key.id()), Some(&Scheme::Bearer)));
    let response: Response<Full<Bytes>> = notes(&caller("acme", "export").await.0).unwrap_err().into();
    let challenge = r#"Bearer realm="notes", error="insufficient_scope", scope="notes.read""#;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["www-authenticate"]),
        (403, &HeaderValue::from_static(challenge))
    );
}

#[tokio::test]
async fn a_text_without_headers_is_verified_as_by_the_first_source_that_is_not_basic() {
    let (store, key) = store_with_key().await;
    let device = Key::foreign("device-1");
    let device = device.with(|record| record.sources = [Scheme::from(Source::x_api_key())].into());
    let device = device.insert_into(&store).await;
    let short = Key::foreign("short").insert_into(&store).await;
    let sources = |list: &[Source]| build(Authenticator::builder(store.clone()).sources(list.to_vec())).0;
    let reason = async |authenticator: &Authenticator, text: &str| {
        authenticator.verify(text).await.map(|_| ()).map_err(|rejection| rejection.reason().clone())
    };

    let both = sources(&[Source::basic(), Source::bearer(), Source::x_api_key()]);
    let caller = both.verify(&key.text).await.unwrap();
    assert_eq!((caller.key_id(), caller.scheme()), (key.id(), &Scheme::Bearer));
    // From the cache as well.
    assert_eq!(both.verify(&key.text).await.unwrap().key_id(), key.id());
    assert_eq!(reason(&both, &device.text).await, Err(Reason::WrongSource));
    assert_eq!(reason(&sources(&[Source::x_api_key(), Source::bearer()]), &device.text).await, Ok(()));
    for text in ["", " ", &format!(" {}", key.text), &format!("{}\n", key.text), &"a".repeat(513), "ä\0"] {
        assert_eq!(reason(&both, text).await, Err(Reason::Malformed), "{text:?}");
    }
    assert_eq!(reason(&both, "unknown").await, Err(Reason::Unknown));

    let formatted = sources(&[Source::bearer().format(KeyFormat::new("demo").unwrap()), Source::x_api_key()]);
    assert_eq!(reason(&formatted, &key.text).await, Ok(()));
    assert_eq!(reason(&formatted, &short.text).await, Err(Reason::Malformed));
    let rejection = formatted.verify(&short.text).await.unwrap_err();
    assert_eq!(rejection.scheme(), Some(&Scheme::Bearer));

    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(reason(&both, &key.text).await, Err(Reason::Revoked));
}

#[tokio::test]
async fn a_text_counts_as_presented_without_a_user_where_all_sources_are_basic() {
    let (store, key) = store_with_key().await;
    let personal = ann(&[], "").insert_into(&store).await;
    let verify = async |source: Source, text: &str| {
        let (authenticator, _clock) = build(Authenticator::builder(store.clone()).sources([source]));
        let by_text = authenticator.verify(text).await.map(|caller| caller.key_id().clone());
        let headers = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            format!("Basic {}", STANDARD.encode(format!(":{text}"))).parse().unwrap(),
        )]);
        let by_header = authenticator.authenticate(&headers).await.map(|caller| caller.key_id().clone());
        let [by_text, by_header] =
            [by_text, by_header].map(|outcome| outcome.map_err(|rejection| rejection.reason().clone()));
        assert_eq!(by_text, by_header);
        by_text
    };
    assert_eq!(verify(Source::basic(), &key.text).await, Err(Reason::Malformed));
    assert_eq!(verify(Source::basic().empty_user(), &key.text).await.as_ref(), Ok(key.id()));
    assert_eq!(verify(Source::basic().empty_user(), &personal.text).await, Err(Reason::WrongOwner));
    assert_eq!(verify(Source::basic().empty_user(), "a\nb").await, Err(Reason::Malformed));
}

#[tokio::test]
async fn a_rejection_is_a_complete_response_with_any_body() {
    async fn text<B>(rejection: &Rejection) -> String
    where
        B: RejectionBody + http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
    {
        let response: Response<B> = rejection.clone().into();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="ws", error="invalid_token""#);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.extensions().get::<Rejection>().unwrap().reason(), &Reason::Unknown);
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
    let (authenticator, _clock) = build(Authenticator::builder(store()).realm("ws"));
    let rejection = authenticator.verify("unknown").await.unwrap_err();
    let expected = r#"{"detail":"Invalid API key"}"#;
    assert_eq!(text::<Full<Bytes>>(&rejection).await, expected);
    assert_eq!(text::<BoxBody<Bytes, std::io::Error>>(&rejection).await, expected);
    assert_eq!(text::<UnsyncBoxBody<Bytes, std::io::Error>>(&rejection).await, expected);
    assert_eq!(Response::<Bytes>::from(rejection.clone()).into_body(), expected);
    assert_eq!(Response::<Vec<u8>>::from(rejection).into_body(), expected.as_bytes());
    let unavailable: Response<Bytes> = Rejection::new(Reason::Unavailable).into();
    assert_eq!(unavailable.headers()["retry-after"], "1");
}

/// Writes what a body may learn of a request.
struct Told;

impl Respond for Told {
    fn respond(&self, rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
        let code = rejection.reason().code();
        let Some(request) = request else { return Payload::json(format!("{code} of an unknown request")) };
        let shown = ["authorization", "x-api-key", "x-request-id"].map(|name| request.header(name).is_some());
        let id = request.extensions().get::<u32>();
        Payload::json(format!("{code} {} {} {shown:?} {id:?}", request.method(), request.uri().path()))
    }
}

#[tokio::test]
async fn a_body_can_name_its_request_wherever_it_was_rejected() {
    let (store, key) = store_with_key().await;
    let builder = Authenticator::builder(store).respond(Told);
    let service = ServiceBuilder::new()
        .map_request(|mut request: Request<Body>| {
            request.extensions_mut().insert(7_u32);
            request
        })
        .layer(AuthenticateLayer::new(build(builder).0))
        .layer(RequireScopeLayer::scope("notes.read").unwrap())
        .service_fn(ok);
    let body = async |mut request: Request<Body>| {
        *request.uri_mut() = "/notes?key=secret".parse().unwrap();
        request.headers_mut().insert("x-request-id", HeaderValue::from_static("7"));
        let response = service.clone().oneshot(request).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    let seen = "GET /notes [false, false, true] Some(7)";
    // Decided at once, after a lookup, and by the scope layer.
    assert_eq!(body(Request::default()).await, format!("missing_key {seen}"));
    assert_eq!(body(request("x-api-key", "a b")).await, format!("invalid_key {seen}"));
    assert_eq!(body(Key::foreign("unknown").bearer()).await, format!("invalid_key {seen}"));
    assert_eq!(body(key.bearer()).await, format!("insufficient_scope {seen}"));
}

#[tokio::test]
async fn a_body_sees_no_key_of_a_request_that_no_layer_has_marked() {
    let (authenticator, _clock) = build(Authenticator::builder(store()).respond(Told));
    for (name, value) in [("x-api-key", "unknown"), ("authorization", "Bearer unknown")] {
        let request = request(name, value);
        let rejection = authenticator.authenticate(request.headers()).await.unwrap_err();
        let response: Response<Bytes> = rejection.into_response_to(&request);
        assert_eq!(response.into_body(), "invalid_key GET / [false, false, false] None");
    }
}

#[tokio::test]
async fn a_call_is_answered_in_its_protocol_by_hand_as_by_the_layer() {
    let (authenticator, _clock) = authenticator(store());
    let by_hand = authenticator.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let authenticator = by_hand.clone();
        async move {
            let rejection = authenticator.verify("unknown").await.unwrap_err();
            Ok::<Response<Body>, Infallible>(rejection.into_response_to(&request))
        }
    });
    for (is_enabled, status) in [(true, 200), (false, 401)] {
        let layer = AuthenticateLayer::new(authenticator.clone()).optional();
        let layer = if is_enabled { layer.grpc() } else { layer };
        let call =
            Request::post("/a.B/C").version(http::Version::HTTP_2).header("content-type", "application/grpc");
        let service = ServiceBuilder::new().layer(layer).service(inner.clone());
        let response = service.oneshot(call.body(Body::default()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key("grpc-status"), is_enabled);
    }
    // A body that stays unread ends the connection.
    let post = Request::post("/").header("content-length", "100000").body(()).unwrap();
    let response: Response<Body> = Rejection::new(Reason::Missing).into_response_to(&post);
    assert_eq!(response.headers()["connection"], "close");
}

#[test]
fn a_code_keeps_from_clients_what_the_text_does() {
    let alike = [
        Reason::Malformed,
        Reason::Unknown,
        Reason::Expired,
        Reason::Revoked,
        Reason::Disabled,
        Reason::WrongEnvironment,
        Reason::WrongSource,
        Reason::WrongOwner,
    ];
    for reason in &alike {
        assert_eq!((reason.code(), reason.detail()), ("invalid_key", "Invalid API key"));
    }
    let of = |why: Forbidden| Reason::from(why).code();
    assert_eq!(of(Forbidden::Organization), of(Forbidden::SsoRequired));
    assert_eq!(of(Forbidden::Undeclared), "forbidden");
}

#[cfg(feature = "axum")]
mod in_axum {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower_api_key::axum::RequireResourceLayer;

    use super::*;

    #[tokio::test]
    async fn a_body_names_its_request_except_where_a_handler_returned_the_rejection() {
        let (store, key) = store_with_key().await;
        let layer = AuthenticateLayer::new(build(Authenticator::builder(store).respond(Told)).0).optional();
        let needed = || Requirement::all_of(["notes.read"]).unwrap();
        let app: Router = Router::new()
            .route("/of/{organization}", get(async |_: Principal| ()))
            .route_layer(RequireResourceLayer::new(needed()))
            .route("/extracted", get(async |_: Principal| ()))
            .route("/returned", get(async move |caller: Principal| caller.require(&needed())))
            .layer(layer);
        let body = async |path: &str, key: Option<&Key>| {
            let mut request = Request::get(path);
            if let Some(key) = key {
                request = request.header("x-api-key", &key.text);
            }
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        };
        let seen = "[false, false, false] None";
        assert_eq!(body("/extracted", None).await, format!("missing_key GET /extracted {seen}"));
        assert_eq!(body("/of/other", Some(&key)).await, format!("forbidden GET /of/other {seen}"));
        assert_eq!(body("/returned", Some(&key)).await, "insufficient_scope of an unknown request");
    }
}

/// A server without a framework, as it stands in front of an upgrade, and a client of it.
#[tokio::test]
async fn a_plain_server_answers_a_rejected_upgrade_completely() {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (store, key) = store_with_key().await;
    let (authenticator, _clock) = authenticator(store);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let authenticator = authenticator.clone();
            let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                let authenticator = authenticator.clone();
                async move {
                    Ok::<Response<Full<Bytes>>, Infallible>(
                        match authenticator.authenticate(request.headers()).await {
                            Ok(_) => {
                                let switching = Response::builder().status(101).header("upgrade", "echo");
                                switching.header("connection", "upgrade").body(Full::default()).unwrap()
                            }
                            Err(rejection) => rejection.into_response_to(&request),
                        },
                    )
                }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    for (header, expected) in [
        (
            String::new(),
            &[
                "HTTP/1.1 401 ",
                "www-authenticate: Bearer realm=\"api\"\r\n",
                "{\"detail\":\"Missing API key\"}",
            ][..],
        ),
        (
            "X-API-Key: unknown\r\n".into(),
            &["HTTP/1.1 401 ", "error=\"invalid_token\"", "{\"detail\":\"Invalid API key\"}"],
        ),
        (format!("X-API-Key: {}\r\n", key.text), &["HTTP/1.1 101 ", "upgrade: echo"]),
    ] {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: echo\r\n{header}\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        for part in expected {
            assert!(answer.contains(part), "`{part}` in {answer}");
        }
    }
    server.abort();
}

/// Creates an authenticator that panics while it writes the body of a rejection, and the number of rejections that it has reported.
pub(crate) fn panicking() -> (Authenticator, Arc<AtomicUsize>) {
    let reported = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reported);
    let builder = Authenticator::builder(MemoryStore::new())
        .respond(|_: &Rejection| -> Payload { panic!("told to panic") })
        .audit(move |_: &AuditEvent| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    (builder.build().unwrap(), reported)
}

#[tokio::test]
async fn a_rejection_is_reported_before_the_code_of_the_application_panics() {
    let (authenticator, reported) = panicking();
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator)).service_fn(ok);
    let request = request("x-api-key", "demo_live_unknown");
    assert!(tokio::spawn(service.oneshot(request)).await.unwrap_err().is_panic());
    assert_eq!(reported.load(Ordering::Relaxed), 1);
}
