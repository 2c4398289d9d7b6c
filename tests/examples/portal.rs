//! A product whose customers and staff manage keys on pages.

use http::{Method, StatusCode};
use http_body_util::Full;
use regex::Regex;
use tempfile::tempdir;

use crate::client::{Answer, get, request, send};
use crate::server::Server;

const KEYS: &str = "/settings/api-keys/keys";
const NEW: &str = "/settings/api-keys/new";
const STAFF: &str = "/staff/api-keys/keys";

/// Calls with a session, or none; with a form, unless it is empty.
async fn call(server: &Server, session: &str, path: &str, form: &str) -> Answer {
    let method = if form.is_empty() { Method::GET } else { Method::POST };
    let request = request(method, &server.url(path), None).header("cookie", session);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(Full::new(form.to_owned().into())).unwrap()).await
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

/// Signs in to the product, and returns its cookie.
async fn sign_in(server: &Server, user: &str) -> String {
    let answer = call(server, "", "/login", &format!("ticket={}", server.key(user))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    cookie(&answer)
}

/// Goes from the product to the pages, and returns the cookie of their session.
async fn open(server: &Server, product: &str) -> String {
    let handed_over = call(server, product, "/api-keys", "open=1").await;
    assert_eq!(handed_over.status, StatusCode::SEE_OTHER);
    let url = handed_over.headers["location"].to_str().unwrap().strip_prefix(&server.url("")).unwrap();
    let (path, code) = url.split_once("?code=").unwrap();
    let signed_in = call(server, &cookie(&handed_over), path, &format!("code={code}")).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    cookie(&signed_in)
}

fn found(answer: &Answer, pattern: &str) -> String {
    let html = std::str::from_utf8(&answer.body).unwrap();
    Regex::new(pattern).unwrap().captures(html).unwrap_or_else(|| panic!("{html}"))[1].to_owned()
}

#[tokio::test]
async fn a_customer_creates_a_key_on_a_page_and_the_staff_revokes_it() {
    let folder = tempdir().unwrap();
    let server = Server::start("portal", folder.path()).await;
    let without = call(&server, "", "/", "").await;
    assert_eq!(
        (without.status, &without.headers["location"]),
        (StatusCode::SEE_OTHER, &"/login".parse().unwrap())
    );
    assert_eq!(call(&server, "", KEYS, "").await.headers["location"], "./sign-in");

    let product = sign_in(&server, "ann").await;
    // The pages do not know the session of the product, nor the product theirs.
    assert_eq!(call(&server, &product, KEYS, "").await.headers["location"], "./sign-in");
    let ann = open(&server, &product).await;
    assert_eq!(call(&server, &ann, "/", "").await.headers["location"], "/login");
    let eve = open(&server, &sign_in(&server, "eve").await).await;
    let staff = open(&server, &sign_in(&server, "staff").await).await;
    let form = found(&call(&server, &ann, NEW, "").await, r#"name="form" value="([^"]+)""#);
    let fields = format!("form={form}&name=CI&permission=notes.read&expires=30");
    let shown = call(&server, &ann, NEW, &fields).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    let key = found(&shown, r#"<code id="key"[^>]*>([^<]+)<"#);
    let notes = get(&server.url("/api/notes"), Some(&key)).await;
    assert_eq!((notes.status, &*notes.body), (StatusCode::OK, &b"notes of organization acme\n"[..]));

    let id = found(&shown, "keys/(key_[0-9a-z]+)");
    assert_eq!(call(&server, &eve, &format!("{KEYS}/{id}"), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(call(&server, &eve, STAFF, "").await.headers["location"], "./sign-in");
    assert_eq!(call(&server, &staff, KEYS, "").await.headers["location"], "./sign-in");
    let hint = found(&call(&server, &staff, STAFF, "").await, r"<code>(acme_live_[^<]+)</code>");
    let revoked =
        call(&server, &staff, &format!("{STAFF}/{id}/revoke"), &format!("confirmation={hint}")).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    assert_eq!(get(&server.url("/api/notes"), Some(&key)).await.status, StatusCode::UNAUTHORIZED);

    // Who signs out of the product is signed out of the pages.
    assert_eq!(call(&server, &ann, KEYS, "").await.status, StatusCode::OK);
    assert_eq!(call(&server, &product, "/logout", "x=").await.status, StatusCode::SEE_OTHER);
    assert_eq!(call(&server, &ann, KEYS, "").await.headers["location"], "./sign-in?ended");
    let (credentials, end) = (server.credentials().clone(), server.end().await);
    assert!(!end.stderr.contains(&key));
    assert!(end.status.success() && !credentials.is_empty());
}
