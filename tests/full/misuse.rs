//! Mistakes of applications: each is reported as the page on troubleshooting says.

use std::fs;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{Request, Version};
use axum::routing::get;
use support::captured::Log;
use tempfile::TempDir;
use tokio::runtime;
use tower::util::MapRequestLayer;
use tower::{Layer, Service, ServiceExt};
use tower_api_key::axum::RouteRules;
use tower_api_key::digest::Digester;
use tower_api_key::limit_requests::{Outage, ValkeyCounters};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, routes};
use tower_api_key::rules::PathRules;
use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, KeyFormat, LimitLayer, MemoryStore, Principal,
    RequireScopeLayer, Scope, Source, SqliteStore, test_util,
};

use crate::other_user::{open_without_rights, set_mode};

/// How a mistake is reported, and the message.
type Report = (String, String);

/// The rows of the table below a heading of the page.
fn table(heading: &str) -> Vec<[String; 3]> {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/_guide/troubleshooting.rs"))
            .unwrap();
    let (_, below) = page.split_once(&format!("//! # {heading}\n")).unwrap();
    let lines = below.lines().take_while(|line| !line.starts_with("//! # "));
    let rows = lines.filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |")).skip(1);
    rows.map(|row| row.split(" | ").map(plain).collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// Returns the text of a cell without the targets of links, and a message without its marks.
fn plain(cell: &str) -> String {
    if let Some(message) = cell.strip_prefix("`` ") {
        return message.strip_suffix(" ``").unwrap().to_owned();
    }
    let link = regex::Regex::new(r"\[(`[^`]+`)\]\([^)]+\)").unwrap();
    link.replace_all(cell, "$1").into_owned()
}

fn request() -> Builder {
    Request::builder().uri("/a")
}

fn with_key() -> Builder {
    request().header("authorization", "Bearer test")
}

fn layer() -> AuthenticateLayer {
    test_util::layer("test", |record| record.scopes = "a".parse().unwrap())
}

async fn whoami(caller: Principal) -> String {
    caller.key_id().to_string()
}

fn router() -> Router {
    Router::new().route("/a", get("here"))
}

fn rules() -> RouteRules {
    RouteRules::new([("/a", "a")]).unwrap()
}

/// Calls a service twice, and returns its single kind of message with its answer.
async fn logged<S>(app: S, request: impl Fn() -> Builder) -> Report
where
    S: Service<Request<Body>, Response = axum::response::Response, Error: std::fmt::Debug> + Clone,
{
    let (log, _guard) = Log::begin();
    let mut answer = String::new();
    for _ in 0..2 {
        let response = app.clone().oneshot(request().body(Body::empty()).unwrap()).await.unwrap();
        answer = response.status().as_u16().to_string();
    }
    let mut lines: Vec<_> = log.lines().into_iter().filter(|line| !line.starts_with("INFO")).collect();
    let once = if lines.len() == 1 { ", once" } else { "" };
    lines.dedup();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let (level, message) = line.split_once(" tower_api_key: ").unwrap();
    (format!("log, {level}{once}; the client gets {answer}"), message.to_owned())
}

/// Returns the message of a panic in one line.
fn panicked<T>(reported: &str, act: impl FnOnce() -> T) -> Report {
    let payload = catch_unwind(AssertUnwindSafe(act)).err().expect("a panic");
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.unwrap_or_else(|| (*payload.downcast_ref::<&str>().unwrap()).to_owned());
    (reported.to_owned(), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Polls a future outside of a runtime.
fn polled<T>(future: impl Future<Output = T> + Send) -> Report {
    std::thread::scope(|scope| {
        let poll = || {
            panicked("panic, when it is polled", || {
                let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
            })
        };
        scope.spawn(poll).join().unwrap()
    })
}

fn built<T: std::fmt::Debug>(result: Result<T, tower_api_key::ConfigError>) -> Report {
    ("error, when they are built".to_owned(), result.unwrap_err().to_string())
}

/// Opens a file without the rights to write it or its folder.
async fn opened(exists: bool, mode: u32, folder_mode: u32) -> Report {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    if exists {
        SqliteStore::open(&format!("sqlite:{}", file.display())).await.unwrap().close().await;
        set_mode(&file, mode);
    }
    set_mode(folder.path(), folder_mode);
    let outcome = open_without_rights(&file);
    set_mode(folder.path(), 0o700);
    of_store(outcome.strip_prefix("Unavailable: ").unwrap(), folder.path())
}

fn pepper() -> Digester {
    Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap()
}

/// Opens a store with a key of the format `demo`, under SHA-256.
async fn store_with_key(folder: &TempDir) -> SqliteStore {
    let store = SqliteStore::open(&format!("sqlite:{}/keys.db", folder.path().display())).await.unwrap();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    manager.create(NewKey::for_organization("acme")).await.unwrap();
    store
}

/// Starts a node whose settings its store contradicts.
async fn started(set: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Report {
    let folder = TempDir::new().unwrap();
    let node = set(Authenticator::builder(store_with_key(&folder).await)).build().unwrap();
    ("error of `Authenticator::start`".to_owned(), node.start().await.unwrap_err().to_string())
}

/// Admits no request on such a node that was not started.
async fn unstarted(set: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Report {
    let folder = TempDir::new().unwrap();
    let node = set(Authenticator::builder(store_with_key(&folder).await)).build().unwrap();
    let app = router().layer(AuthenticateLayer::new(node));
    let (log, _guard) = Log::begin();
    let mut answer = 0;
    for _ in 0..2 {
        let response = app.clone().oneshot(with_key().body(Body::empty()).unwrap()).await.unwrap();
        answer = response.status().as_u16();
    }
    let errors: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("ERROR")).collect();
    let [line] = &errors[..] else { panic!("{errors:?}") };
    let (level, message) = line.split_once(" tower_api_key: ").unwrap();
    (format!("log, {level}, once; the client gets {answer}"), message.to_owned())
}

fn of_store(message: &str, folder: &Path) -> Report {
    let message = message.replace(&format!("{}/", folder.display()), "");
    ("error, when the store is opened".to_owned(), message)
}

/// Returns the report of each mistake, in the order of the page.
async fn reports() -> Vec<Report> {
    // While a process has one subscriber alone, an event that another thread meets first is lost for it.
    let _second_subscriber = Log::begin();
    let scope = RequireScopeLayer::scope("a").unwrap();
    let with_late = |handler| Router::new().layer(layer()).route("/a", handler);
    let unguarded = tokio::spawn(test_util::assert_guarded(with_late(get("here")), "test", [("GET", "/a")]));
    let unguarded = unguarded.await.unwrap_err().into_panic();
    let template = built(PathRules::new([("/notes/{id}", "notes.read")]));
    assert_eq!(built(layer().public("/notes/{id}")).1, template.1);
    assert_eq!(built(RequireScopeLayer::by_path([("/notes/{id}", "notes.read")])).1, template.1);
    let memory = || Authenticator::new(MemoryStore::new());
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let settings = ManageSettings::new("a".parse().unwrap(), "a".parse().unwrap());
    let missing = TempDir::new().unwrap();
    let missing_folder =
        SqliteStore::open(&format!("sqlite:{}/data/keys.db", missing.path().display())).await;
    let read_only = SqliteStore::open("sqlite:keys.db?mode=ro").await;
    let no_timer = || {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        drop(runtime.block_on(memory().verify("unknown-key")));
    };
    // A component that is no layer has one line in the process.
    let (reported, message) = logged(with_late(get(whoami)), with_key).await;
    let extracted = (reported.replace("once", "once in the process"), message);
    let (reported, message) = logged(router().layer(layer()).layer(LimitLayer::new()), with_key).await;
    let outside = (reported.replace("once", "once in the process"), message);
    let limited = test_util::layer("test", |record| record.limits = "a=5/60s".parse().unwrap());
    let away = ValkeyCounters::builder("redis://127.0.0.1:1").connect_lazy().unwrap();
    let counted = LimitLayer::new().counters(away, Outage::Refuse);
    let log = Log::begin();
    let managed = Router::new().nest("/a", routes(manager, settings));
    let response = managed.oneshot(with_key().uri("/a/keys").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), log.0.take("ERROR").len()), (500, 0));
    drop(log);
    let rewrite = MapRequestLayer::new(|mut request: Request<Body>| {
        *request.uri_mut() = "/b".parse().unwrap();
        request
    });
    let by_path = PathRules::new([("/a", "a")]).unwrap();
    vec![
        logged(router().layer(layer()).layer(scope.clone()), with_key).await,
        outside,
        logged(router().layer(counted).layer(limited), with_key).await,
        extracted,
        panicked("panic of `test_util::assert_guarded`, in a test of the application", || {
            std::panic::resume_unwind(unguarded)
        }),
        panicked("panic of axum, when the router is built", || {
            Router::<()>::new().route_layer(layer()).route("/a", get("here"))
        }),
        of_tonic().await,
        template,
        built(RouteRules::new([("/notes/:id", "notes.read")])),
        logged(layer().rules(rules()).layer(router()), with_key).await,
        logged(router().layer(layer().rules(rules())), || with_key().uri("/unknown")).await,
        logged(
            router().layer(RequireScopeLayer::rules(rules())).layer(layer().public("/a").unwrap()),
            request,
        )
        .await,
        logged(router().layer(scope).layer(layer().public_prefix("/a").unwrap()), request).await,
        logged(router().layer(layer().rules(by_path)).layer(rewrite), request).await,
        started(|builder| builder.digester(pepper())).await,
        unstarted(|builder| builder.digester(pepper())).await,
        started(|builder| builder.sources([Source::bearer().format(KeyFormat::new("other").unwrap())])).await,
        opened(true, 0o444, 0o777).await,
        opened(true, 0o666, 0o555).await,
        opened(false, 0, 0o555).await,
        of_store(&missing_folder.unwrap_err().to_string(), missing.path()),
        of_store(&read_only.unwrap_err().to_string(), Path::new("-")),
        polled(async { memory().verify("unknown-key").await.is_ok() }),
        polled(async { SqliteStore::open("sqlite:keys.db").await.is_ok() }),
        std::thread::scope(|threads| {
            threads.spawn(|| panicked("panic of Tokio, when it is polled", no_timer)).join().unwrap()
        }),
        panicked("compiler", || Scope::from_static("notes read")),
        of_compiler(),
    ]
}

async fn of_tonic() -> Report {
    let (log, _guard) = Log::begin();
    let status = tower_api_key::tonic::principal(&tonic::Request::new(())).unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    let line = log.lines().remove(0);
    let (level, message) = line.split_once(" tower_api_key: ").unwrap();
    (format!("log, {level}, once in the process; the client gets `INTERNAL`"), message.to_owned())
}

/// The message that the compiler takes from the trait. That it does not compile is shown by the page's example.
fn of_compiler() -> Report {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reject/body.rs")).unwrap();
    let message =
        source.lines().find_map(|line| line.trim().strip_prefix("message = \"")?.strip_suffix("\","));
    ("compiler".to_owned(), message.unwrap().replace("{Self}", "String"))
}

#[tokio::test]
async fn each_mistake_is_reported_as_the_page_says() {
    let (page, reports) = (table("Messages"), reports().await);
    assert_eq!(page.len(), reports.len());
    for ([mistake, reported, message], found) in page.into_iter().zip(reports) {
        assert_eq!((reported, message), found, "{mistake}");
    }
}

/// Returns the answers that the page explains, in its order. That to a call by gRPC-Web is shown by `tests/applications`.
async fn answers() -> Vec<String> {
    let public = Router::new().route("/a", get(whoami)).layer(layer().public("/a").unwrap());
    let settings = ManageSettings::new("a".parse().unwrap(), "a".parse().unwrap());
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let managed = Router::new().nest("/a", routes(manager, settings)).layer(layer());
    let store = MemoryStore::new();
    let peppered = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).digester(pepper());
    let created = peppered.create(NewKey::for_organization("acme")).await.unwrap().reveal();
    let of_created = request().header("x-api-key", created.as_str());
    let of_get = RouteRules::new([("GET /a", "a")]).unwrap();
    let other_method =
        Router::new().route("/a", get("here").post("there")).route_layer(layer().rules(of_get));
    let method = |method| request().method(method);
    let preflight =
        method("OPTIONS").header("origin", "https://a.page").header("access-control-request-method", "GET");
    let from_page = with_key().method("POST").uri("/a/keys").header("sec-fetch-site", "cross-site");
    let call = method("POST").header("content-type", "application/grpc").version(Version::HTTP_2);
    vec![
        answer(public, with_key()).await,
        answer(router().layer(layer()), request().uri("/unknown")).await,
        answer(router().layer(layer()), preflight).await,
        answer(router().layer(AuthenticateLayer::new(store)), of_created).await,
        answer(other_method, with_key().method("POST")).await,
        answer(managed, from_page).await,
        answer(router().layer(layer()), call).await,
    ]
}

/// Returns the status and the text of an answer.
async fn answer(app: Router, request: Builder) -> String {
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    format!("{status} `{}`", body["detail"].as_str().unwrap())
}

#[tokio::test]
async fn each_answer_that_the_page_explains_is_given() {
    let (page, answers) = (table("Answers"), answers().await);
    assert_eq!(page.len(), answers.len());
    for ([explained, _, _], answer) in page.into_iter().zip(answers) {
        assert!(explained.starts_with(&answer), "{explained}: {answer}");
    }
}
