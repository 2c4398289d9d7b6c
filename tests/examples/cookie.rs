//! The cookie of a console admits nothing outside its pages: on no route of an example, whatever way a client presents its text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::Full;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use regex::Regex;
use serde_json::Value;
use support::postgres::{Database, is_absent};
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;
use tower_api_key::manage::OPENAPI;
use tower_api_key::{Environment, KeyFormat};

use crate::client::{browse, follow, request, send};
use crate::server::Server;
use crate::{portal, quickstart};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The user of the examples that have one, whose password and key Basic carries.
const EMAIL: &str = "ann@example.com";

/// A way to present a text.
#[derive(Debug, Clone, Copy)]
enum Way {
    Cookie,
    Bearer,
    Basic(&'static str),
    /// What the store digests of a session: only Basic carries its zero bytes.
    Digested(&'static str),
    Header(&'static str),
    Query,
}

const WAYS: [Way; 9] = [
    Way::Cookie,
    Way::Bearer,
    Way::Basic(""),
    Way::Basic(EMAIL),
    Way::Digested(""),
    Way::Digested(EMAIL),
    Way::Header("x-api-key"),
    Way::Header("memfault-project-key"),
    Way::Query,
];

/// What a client sees of an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    challenges: Vec<String>,
    body: String,
}

/// A session of a console.
struct Session {
    /// The path of the console.
    base: &'static str,
    /// The name of its cookie.
    name: String,
    text: String,
}

/// A running example.
struct Service {
    /// The source of its routes.
    source: &'static str,
    origin: String,
    /// The paths outside its consoles.
    paths: Vec<String>,
    sessions: Vec<Session>,
    /// A key that a way admits to a path.
    admitted: (Way, String, &'static str),
}

impl Session {
    fn new(base: &'static str, cookie: &str) -> Self {
        let (name, text) = cookie.split_once('=').unwrap();
        assert!(text.starts_with("console_session_"), "{text}");
        Self { base, name: name.to_owned(), text: text.to_owned() }
    }

    fn cookie(&self) -> String {
        format!("{}={}", self.name, self.text)
    }
}

impl Service {
    async fn call(&self, method: &Method, path: &str, presented: Option<(Way, &Session, &str)>) -> Seen {
        let mut url = format!("{}{path}", self.origin);
        let basic =
            |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let header = presented.and_then(|(way, session, text)| match way {
            Way::Cookie => Some(("cookie", format!("{}={text}", session.name))),
            Way::Bearer => Some(("authorization", format!("Bearer {text}"))),
            Way::Basic(user) => Some(("authorization", basic(user, text))),
            Way::Digested(user) => {
                let digested = format!("console_session\0{}{}/\0{text}", self.origin, session.base);
                Some(("authorization", basic(user, &digested)))
            }
            Way::Header(name) => Some((name, text.to_owned())),
            Way::Query => {
                url = format!("{url}?key={text}");
                None
            }
        });
        let request = header
            .iter()
            .fold(request(method.clone(), &url, None), |request, (name, value)| request.header(*name, value));
        let request = request.header("content-type", "application/json");
        let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        let body = Bytes::from_static(if has_body { b"{}" } else { b"" });
        let answer = send(request.body(Full::new(body)).unwrap()).await;
        let challenges = answer.headers.get_all("www-authenticate").iter();
        // The health of a node has times and counts.
        let numbers = Regex::new("[0-9]+").unwrap();
        Seen {
            status: answer.status,
            challenges: challenges.map(|value| value.to_str().unwrap().to_owned()).collect(),
            body: numbers.replace_all(std::str::from_utf8(&answer.body).unwrap(), "0").into_owned(),
        }
    }

    /// Presents a session that is in progress, one that never was, and none.
    async fn attack(&self, method: &Method, path: &str, way: Way, session: &Session) {
        let mint = KeyFormat::new("console_session").unwrap().mint(Environment::Live).unwrap().reveal();
        let seen = self.call(method, path, Some((way, session, &session.text))).await;
        let never = self.call(method, path, Some((way, session, mint.as_str()))).await;
        assert_eq!(seen, never, "{method} {path} {way:?}");
        if !matches!(seen.status.as_u16(), 401 | 403 | 404 | 405) {
            assert_eq!(seen, self.call(method, path, None).await, "{method} {path} {way:?}");
        }
    }

    async fn assert_open(&self) {
        for session in &self.sessions {
            let keys = format!("{}{}/keys", self.origin, session.base);
            assert_eq!(browse(&keys, &session.cookie(), "").await.status, StatusCode::OK, "{keys}");
        }
    }

    /// Asserts that the paths include each one in the source of the routes.
    fn assert_complete(&self) {
        let literal = Regex::new(r#""(?:\{\w+\})?(/[^"\s]*)""#).unwrap();
        let parameter = Regex::new(r"(?:\\\{)+\w+(?:\\\})+").unwrap();
        let literals: Vec<_> = literal.captures_iter(self.source).map(|found| found[1].to_owned()).collect();
        assert!(!literals.is_empty());
        for literal in literals {
            let escaped = regex::escape(&literal);
            let pattern = Regex::new(&format!("{}(/|$)", parameter.replace_all(&escaped, "[^/]+"))).unwrap();
            let is_base = self.sessions.iter().any(|session| session.base == literal);
            assert!(is_base || self.paths.iter().any(|path| pattern.is_match(path)), "{literal}");
        }
    }

    fn assert_admits_no_cookie(&self, runtime: &Runtime) {
        self.assert_complete();
        runtime.block_on(async {
            self.assert_open().await;
            // The same call admits a key, and tells it from another one.
            let (way, key, path) = &self.admitted;
            let session = &self.sessions[0];
            assert!(self.call(&Method::GET, path, Some((*way, session, key))).await.status.is_success());
            let other = self.call(&Method::GET, path, Some((*way, session, &session.text))).await;
            assert_eq!(other.status, StatusCode::UNAUTHORIZED);
        });
        let call =
            (select(&METHODS[..]), select(self.paths.clone()), select(&WAYS[..]), 0..self.sessions.len());
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        TestRunner::new(config)
            .run(&call, |(method, path, way, session)| {
                runtime.block_on(self.attack(&method, &path, way, &self.sessions[session]));
                Ok(())
            })
            .unwrap();
        runtime.block_on(self.assert_open());
    }
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// Returns the paths of key management over HTTP.
fn management(base: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap().keys();
    paths.map(|path| format!("{base}{}", path.replace("{id}", "key_1"))).collect()
}

/// Signs in by the form, with a key.
async fn paste(origin: &str, base: &'static str, key: &str) -> Session {
    let url = format!("{origin}{base}/sign-in");
    let page = browse(&url, "", "").await;
    let token = page.find(r#"name="token" value="([^"]+)""#);
    let signed_in = browse(&url, &page.cookie(), &format!("token={token}&key={key}")).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    Session::new(base, &signed_in.cookie())
}

/// Starts an example in a runtime of its own.
fn start(example: &str, variables: &[(&str, &str)]) -> (Runtime, TempDir, Server) {
    let (runtime, folder) = (Runtime::new().unwrap(), tempdir().unwrap());
    let server = runtime.block_on(Server::start_with(example, folder.path(), variables));
    (runtime, folder, server)
}

#[test]
fn memory_scope_admits_no_cookie_outside_its_pages() {
    let (runtime, _folder, server) = start("memory_scope", &[]);
    let (origin, key) = (server.url(""), server.key("test_key"));
    let own = paths(&["/memory", "/memory/mem_1", "/elsewhere"]);
    let service = Service {
        source: include_str!("../../examples/memory_scope/app.rs"),
        paths: [own, management("/console")].concat(),
        sessions: vec![runtime.block_on(paste(&origin, "/developer", key))],
        admitted: (Way::Header("x-api-key"), key.to_owned(), "/console/keys"),
        origin,
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn memsolus_admits_no_cookie_outside_its_pages() {
    let (runtime, _folder, server) = start("memsolus", &[]);
    let (origin, key) = (server.url(""), server.key("admin_key"));
    let service = Service {
        source: include_str!("../../examples/memsolus/app.rs"),
        paths: paths(&[
            "/v1/memories",
            "/v1/memories/mem_1",
            "/v1/api-keys",
            "/v1/api-keys/key_1",
            "/v1/api-keys/permissions",
            "/elsewhere",
        ]),
        sessions: vec![runtime.block_on(paste(&origin, "/settings/api-keys", key))],
        admitted: (Way::Header("x-api-key"), key.to_owned(), "/v1/memories"),
        origin,
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn memory_api_admits_no_cookie_outside_its_pages() {
    let (runtime, _folder, server) = start("memory_api", &[]);
    let (origin, key) = (server.url(""), server.key("admin_key"));
    let service = Service {
        source: include_str!("../../examples/memory_api/app.rs"),
        paths: paths(&[
            "/v1/memories",
            "/v1/memories/mem_1",
            "/v1/query",
            "/v1/account/api-keys",
            "/v1/account/api-keys/key_1",
            "/v1/usage",
            "/v1/usage/history",
            "/health",
            "/v1/signup",
            "/signup",
            "/elsewhere",
        ]),
        sessions: vec![runtime.block_on(paste(&origin, "/dashboard", key))],
        admitted: (Way::Bearer, key.to_owned(), "/v1/usage"),
        origin,
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn memfault_admits_no_cookie_outside_its_pages() {
    let (runtime, _folder, server) = start("memfault", &[]);
    assert_eq!(server.key("email"), EMAIL);
    let basic = format!("Basic {}", STANDARD.encode(format!("{EMAIL}:{}", server.key("password"))));
    let open = async |base, path| {
        let opened = request(Method::GET, &server.url(path), None).header("authorization", &basic);
        Session::new(base, &follow(&send(opened.body(Full::default()).unwrap()).await).await)
    };
    let sessions = runtime.block_on(async {
        vec![
            open("/account/api-keys", "/open/api-keys").await,
            open("/organization/auth-tokens", "/open/organizations/acme-inc/auth-tokens").await,
        ]
    });
    let own = [
        "/auth/me",
        "/auth/api_key",
        "/auth/password",
        "/open/api-keys",
        "/open/organizations/acme-inc/auth-tokens",
        "/api/v0/organizations",
        "/api/v0/chunks/device-1",
        "/api/v0/upload",
        "/api/v0/upload/coredump",
        "/api/v0/upload/mar",
        "/uploads/unknown",
        "/elsewhere",
    ];
    let of_organization =
        ["", "/auth_tokens", "/auth_tokens/key_1", "/members/ann@example.com", "/projects", "/elsewhere"];
    let of_project = [
        "",
        "/api_key",
        "/deployments",
        "/files",
        "/files/1",
        "/symbols-by-gnu-build-id/1",
        "/upload",
        "/coredumps",
        "/symbols",
        "/releases/ota_payload",
        "/mar",
        "/sboms",
    ];
    let organization = "/api/v0/organizations/acme-inc";
    let below = |base: &str, paths: &[&str]| paths.iter().map(|path| format!("{base}{path}")).collect();
    let service = Service {
        source: include_str!("../../examples/memfault/app.rs"),
        paths: [
            paths(&own),
            below(organization, &of_organization),
            below(&format!("{organization}/projects/smart-sink"), &of_project),
        ]
        .concat(),
        sessions,
        admitted: (Way::Basic(EMAIL), server.key("user_key").to_owned(), "/auth/me"),
        origin: server.url(""),
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn the_portal_admits_no_cookie_outside_its_pages() {
    let (runtime, _folder, server) = start("portal", &[]);
    let (customer, staff, key) = runtime.block_on(async {
        let customer = portal::open(&server, &portal::sign_in(&server, "ann").await).await;
        let staff = portal::open(&server, &portal::sign_in(&server, "staff").await).await;
        let (_, key) = portal::create(&server, &customer).await;
        (customer, staff, key)
    });
    let service = Service {
        source: include_str!("../../examples/portal/app.rs"),
        paths: paths(&["/", "/login", "/logout", "/api-keys", "/api/notes", "/elsewhere"]),
        sessions: vec![
            Session::new("/settings/api-keys", &customer),
            Session::new("/staff/api-keys", &staff),
        ],
        admitted: (Way::Bearer, key, "/api/notes"),
        origin: server.url(""),
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn the_quick_start_admits_no_cookie_outside_its_pages() {
    let (runtime, folder) = (Runtime::new().unwrap(), tempdir().unwrap());
    let started = runtime.block_on(quickstart::start(folder.path()));
    let (page, code) = started.link.split_once("?code=").unwrap();
    let signed_in = runtime.block_on(browse(page, "", &format!("code={code}")));
    let service = Service {
        source: include_str!("../../examples/quickstart.rs"),
        origin: started.url.strip_suffix("/notes").unwrap().to_owned(),
        paths: paths(&["/notes", "/elsewhere"]),
        sessions: vec![Session::new("/keys", &signed_in.cookie())],
        admitted: (Way::Header("x-api-key"), started.key.clone(), "/notes"),
    };
    service.assert_admits_no_cookie(&runtime);
}

#[test]
fn a_fleet_admits_no_cookie_outside_its_pages() {
    if is_absent() {
        return;
    }
    let database = Runtime::new().unwrap().block_on(Database::create());
    let (runtime, _folder, server) = start("fleet", &[("DATABASE_URL", &database.url())]);
    let (origin, key) = (server.url(""), server.key("admin_key"));
    let service = Service {
        source: include_str!("../../examples/fleet/node.rs"),
        paths: [paths(&["/v1/whoami", "/health", "/elsewhere"]), management("/admin")].concat(),
        sessions: vec![runtime.block_on(paste(&origin, "/console", key))],
        admitted: (Way::Bearer, key.to_owned(), "/v1/whoami"),
        origin,
    };
    service.assert_admits_no_cookie(&runtime);
}
