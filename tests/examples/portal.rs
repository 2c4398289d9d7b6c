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

async fn sign_in(server: &Server, user: &str) -> String {
    let answer = call(server, "", "/login", &format!("ticket={}", server.key(user))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

fn found(answer: &Answer, pattern: &str) -> String {
    let html = std::str::from_utf8(&answer.body).unwrap();
    Regex::new(pattern).unwrap().captures(html).unwrap_or_else(|| panic!("{html}"))[1].to_owned()
}

#[tokio::test]
async fn a_customer_creates_a_key_on_a_page_and_the_staff_revokes_it() {
    let folder = tempdir().unwrap();
    let server = Server::start("portal", folder.path()).await;
    let without = call(&server, "", KEYS, "").await;
    assert_eq!(
        (without.status, &without.headers["location"]),
        (StatusCode::SEE_OTHER, &"/login".parse().unwrap())
    );

    let (ann, eve, staff) =
        (sign_in(&server, "ann").await, sign_in(&server, "eve").await, sign_in(&server, "staff").await);
    let form = found(&call(&server, &ann, NEW, "").await, r#"name="form" value="([^"]+)""#);
    let fields = format!("form={form}&name=CI&permission=notes.read&expires=30");
    let shown = call(&server, &ann, NEW, &fields).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    let key = found(&shown, r#"<code id="key"[^>]*>([^<]+)<"#);
    let notes = get(&server.url("/api/notes"), Some(&key)).await;
    assert_eq!((notes.status, &*notes.body), (StatusCode::OK, &b"notes of organization acme\n"[..]));

    let id = found(&shown, "keys/(key_[0-9a-z]+)");
    assert_eq!(call(&server, &eve, &format!("{KEYS}/{id}"), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(call(&server, &eve, STAFF, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(call(&server, &staff, KEYS, "").await.status, StatusCode::FORBIDDEN);
    let hint = found(&call(&server, &staff, STAFF, "").await, r"<code>(acme_live_[^<]+)</code>");
    let revoked =
        call(&server, &staff, &format!("{STAFF}/{id}/revoke"), &format!("confirmation={hint}")).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    assert_eq!(get(&server.url("/api/notes"), Some(&key)).await.status, StatusCode::UNAUTHORIZED);

    assert_eq!(call(&server, &ann, "/logout", "x=").await.status, StatusCode::SEE_OTHER);
    assert_eq!(call(&server, &ann, KEYS, "").await.headers["location"], "/login");
    let (credentials, end) = (server.credentials().clone(), server.end().await);
    assert!(!end.stderr.contains(&key));
    assert!(end.status.success() && !credentials.is_empty());
}
