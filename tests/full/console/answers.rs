//! What every answer has: headers, a frame, a size; and forms of other sites.

use http::{Method, StatusCode};
use http_body_util::Full;
use regex::Regex;
use support::captured::Log;
use tower_api_key::manage::NewKey;

use crate::console::browser::{FORM, Page, form};
use crate::console::world::World;

fn assert_framed(page: &Page, path: &str) {
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.headers[name], value, "{path}");
    }
    assert!(page.html.len() <= 50_000, "{path}: {} bytes", page.html.len());
    if page.headers["content-type"] != "text/html; charset=utf-8" {
        return;
    }
    assert!(page.has(r#"<html lang="en">"#) && page.html.matches("<h1>").count() == 1, "{path}");
    let forbidden = Regex::new(r#"<style|style=|\son[a-z]+=|javascript:|<script>|https?://"#).unwrap();
    assert!(!forbidden.is_match(&page.html), "{path}: {}", page.html);
    // The logo alone is named from the root of the origin.
    let outside = Regex::new(r#"(?:href|src|action)="/[^"]*""#).unwrap();
    for found in outside.find_iter(&page.html) {
        assert_eq!(found.as_str(), r#"src="/logo.svg""#, "{path}");
    }
}

#[tokio::test]
async fn all_answers_have_the_headers_and_a_frame() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let one = format!("/keys/{}", key.id);
    for browser in [world.portal("ann"), world.operators()] {
        let pages = [
            ("/", 303),
            ("/keys", 200),
            ("/new", 200),
            ("/usage", 200),
            ("/usage.csv", 200),
            ("/audit", 200),
            (&one, 200),
            (&format!("{one}/name"), 303),
            (&format!("{one}/rotate"), 200),
            (&format!("{one}/revoke"), 200),
            (&format!("{one}/usage"), 200),
            ("/nothing", 404),
            ("/keys/key_0", 404),
            ("/keys/%00", 404),
            ("/keys/key_0/usage.csv", 404),
            ("/keys?state=dead", 400),
            ("/keys?start=%00", 400),
            ("/audit?organization=%00", 400),
        ];
        for (path, status) in pages {
            let page = if path == "/" { browser.get("").await } else { browser.get(path).await };
            assert_eq!(page.status.as_u16(), status, "{path}: {}", page.html);
            assert_framed(&page, path);
        }
        let deleted = browser.send(Method::DELETE, "/keys", &[], Full::default()).await;
        assert_eq!(
            (deleted.status, &deleted.headers["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET,HEAD".parse().unwrap())
        );
        assert_framed(&deleted, "DELETE");
        let large = browser.post(&format!("{one}/name"), &[("name", &"x".repeat(600_000))]).await;
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_framed(&large, "large");
        let no_form = [("content-type", "text/plain")];
        let other = browser.send(Method::POST, &format!("{one}/name"), &no_form, Full::default()).await;
        assert!(other.status.is_client_error());
        assert_framed(&other, "text");
    }
    let form = world.portal("ann").get(&format!("{one}/rotate")).await.field("form");
    let rotate = [("form", &*form), ("grace", "day")];
    let shown = world.portal("ann").post(&format!("{one}/rotate"), &rotate).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    assert_eq!(shown.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn style_and_script_are_files_of_the_console() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let list = ann.get("/keys").await;
    for (name, kind) in
        [("style.css", "text/css; charset=utf-8"), ("script.js", "text/javascript; charset=utf-8")]
    {
        let address = Regex::new(&format!(r#""\.(/{name}\?v=[0-9a-f]{{8}})""#)).unwrap();
        let path = &address.captures(&list.html).unwrap()[1];
        let file = ann.get(path).await;
        assert_eq!((file.status, &file.headers["content-type"]), (StatusCode::OK, &kind.parse().unwrap()));
        assert!(file.headers["cache-control"].to_str().unwrap().contains("immutable"));
        // Another version may run beside this one, whose file must not be kept under the address of this one.
        for version in ["?v=00000000", "", "?w=1"] {
            let other = ann.get(&format!("/{name}{version}")).await;
            assert_eq!(
                (other.status, &other.headers["cache-control"]),
                (StatusCode::OK, &"no-store".parse().unwrap())
            );
        }
        assert!(name != "script.js" || file.html.lines().count() <= 60);
        assert!(!file.has("http"), "{name}");
    }
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let before = world.all().await;
    let (log, _guard) = Log::begin();
    for browser in [world.portal("ann"), world.operators()] {
        let name = browser.get("/new").await.field("form");
        let fields = [
            ("form", &*name),
            ("expires", "30"),
            ("organization", "acme"),
            ("name", "x"),
            ("grace", "none"),
            ("confirmation", &*key.hint),
        ];
        let forms = ["/name", "/permissions", "/labels", "/disable", "/enable", "/rotate", "/revoke"];
        let paths = forms.iter().map(|form| format!("/keys/{}{form}", key.id)).chain(["/new".to_owned()]);
        for path in paths {
            for site in ["cross-site", "same-site"] {
                let answer = browser.post_from(site, &path, &fields).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {site}");
                assert_framed(&answer, &path);
            }
            for origin in ["https://elsewhere.example", "null", "http://127.0.0.1:1"] {
                let answer =
                    browser.send(Method::POST, &path, &[("origin", origin), FORM], form(&fields)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {origin}");
            }
        }
    }
    assert_eq!(world.all().await, before);
    // Once for each console.
    let warnings = log.take("WARN");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("`Sec-Fetch-Site`, `Origin` and `Host`"), "{warnings:?}");
}

#[tokio::test]
async fn a_browser_without_fetch_metadata_sends_forms_by_its_origin() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let ann = world.portal("ann");
    let origin = ann.base.trim_end_matches("/settings/api-keys");
    let renamed = ann
        .send(
            Method::POST,
            &format!("/keys/{}/name", key.id),
            &[("origin", origin), FORM],
            form(&[("name", "Build")]),
        )
        .await;
    renamed.location();
    // A browser sends `Origin: null` in its place if pages have this policy.
    assert_ne!(ann.get("/keys").await.headers["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn a_request_is_not_multiplied_by_its_answer() {
    let world = World::new().await;
    let (ann, key) = (world.portal("ann"), world.key_of("acme", "CI").await);
    let one = format!("/keys/{}", key.id);
    let deep = ann.get(&"/".repeat(20_000)).await;
    assert_eq!(deep.status, StatusCode::NOT_FOUND);
    assert_framed(&deep, "deep");
    assert!(deep.html.len() < 1_000);
    let long = "<".repeat(100_000);
    let form = ann.get("/new").await.field("form");
    let fields = [("form", &*form), ("expires", "30"), ("day", &long), ("name", &long), ("reason", &long)];
    assert_framed(&ann.post("/new", &fields).await, "new");
    assert_framed(&ann.post(&format!("{one}/revoke"), &fields).await, "revoke");
    let long = "<".repeat(6_000);
    for path in ["/keys?start=", "/audit?actor=", "/keys?organization=", "/audit?project="] {
        assert_framed(&world.operators().get(&format!("{path}{long}").replace('<', "%3C")).await, path);
    }
}

#[tokio::test]
async fn a_full_list_of_long_names_fits_a_page() {
    let world = World::new().await;
    let name = "مفتاح الإنتاج ".repeat(19).trim_end().chars().take(255).collect::<String>();
    for _ in 0..21 {
        world.key(NewKey::for_organization("acme").name(&*name)).await;
    }
    for browser in [world.portal("ann"), world.operators()] {
        let page = browser.get("/keys").await;
        let start: String = name.chars().take(60).collect();
        assert_eq!(page.html.matches(&format!("<bdi>{start}…</bdi>")).count(), 20);
        assert!(!page.has(&name) && page.has("Next page"));
        assert_framed(&page, "/keys");
    }
}
