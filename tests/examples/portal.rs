//! A product whose customers and staff manage keys on pages.

use http::StatusCode;
use tempfile::tempdir;

use crate::client::{Answer, browse, follow, get};
use crate::server::Server;

const KEYS: &str = "/settings/api-keys/keys";
const NEW: &str = "/settings/api-keys/new";
const STAFF: &str = "/staff/api-keys/keys";

async fn call(server: &Server, session: &str, path: &str, form: &str) -> Answer {
    browse(&server.url(path), session, form).await
}

/// Signs in to the product, and returns its cookie.
pub(crate) async fn sign_in(server: &Server, user: &str) -> String {
    let answer = call(server, "", "/login", &format!("ticket={}", server.key(user))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    answer.cookie()
}

/// Goes from the product to the pages, and returns the cookie of their session.
pub(crate) async fn open(server: &Server, product: &str) -> String {
    follow(&call(server, product, "/api-keys", "open=1").await).await
}

/// Creates a key on the pages of customers, and returns the page that shows it, and the key.
pub(crate) async fn create(server: &Server, session: &str) -> (Answer, String) {
    let form = call(server, session, NEW, "").await.find(r#"name="form" value="([^"]+)""#);
    let fields = format!("form={form}&name=CI&permission=notes.read&expires=30");
    let shown = call(server, session, NEW, &fields).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    let key = shown.find(r#"<code id="key"[^>]*>([^<]+)<"#);
    (shown, key)
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
    let (shown, key) = create(&server, &ann).await;
    let notes = get(&server.url("/api/notes"), Some(&key)).await;
    assert_eq!((notes.status, &*notes.body), (StatusCode::OK, &b"notes of organization acme\n"[..]));

    let id = shown.find("keys/(key_[0-9a-z]+)");
    assert_eq!(call(&server, &eve, &format!("{KEYS}/{id}"), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(call(&server, &eve, STAFF, "").await.headers["location"], "./sign-in");
    assert_eq!(call(&server, &staff, KEYS, "").await.headers["location"], "./sign-in");
    let hint = call(&server, &staff, STAFF, "").await.find(r"<code>(acme_live_[^<]+)</code>");
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
