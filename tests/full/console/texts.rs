//! Texts of people are shown as they are, and nothing else.

use http::StatusCode;
use tower_api_key::manage::NewKey;

use crate::console::world::World;

const HARMFUL: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt;",
    "\u{200f}مفتاح\u{200e}",
];

/// Returns a text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&#38;")
        .replace('<', "&#60;")
        .replace('>', "&#62;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

#[tokio::test]
async fn markup_in_every_text_is_escaped() {
    let world = World::new().await;
    for text in HARMFUL {
        let new = NewKey::for_organization(text).name(text).labels([(text, text)]);
        let key = world.key(new).await;
        let (ops, one) = (world.operators(), format!("/keys/{}", key.id));
        ops.post(&format!("{one}/disable"), &[("reason", text)]).await.location();
        let filled = [
            ("name", text),
            ("organization", text),
            ("project", text),
            ("user", text),
            ("expires", text),
            ("day", text),
            ("form", text),
        ];
        let query = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let pages = [
            ops.get("/keys").await,
            ops.get(&one).await,
            ops.get(&format!("{one}/usage")).await,
            ops.get(&format!("{one}/rotate")).await,
            ops.get("/audit").await,
            ops.get(&format!("/keys?start={query}&organization={query}&user={query}")).await,
            ops.get(&format!("/audit?actor={query}&organization={query}")).await,
            ops.get(&format!("/keys?state={query}")).await,
            ops.get(&format!("/{query}")).await,
            ops.post("/new", &filled).await,
            ops.post("/new", &[("permission", text), ("expires", "30"), ("user", "a")]).await,
            ops.post(&format!("{one}/revoke"), &[("confirmation", text), ("reason", text)]).await,
        ];
        for page in &pages {
            assert!(
                !page.has("<script>") && !page.has("<img src=x") && !page.has("' autofocus"),
                "{}",
                page.html
            );
        }
        for shown in [0, 1, 2, 3, 5, 6, 9, 11] {
            assert!(pages[shown].has(&escaped(text)), "{shown}: {}", pages[shown].html);
        }
    }
}

#[tokio::test]
async fn texts_of_ten_kilobytes_or_with_marks_that_turn_other_text_are_rejected() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let (ann, one, before) = (world.portal("ann"), format!("/keys/{}", key.id), world.all().await);
    let long = "ü<".repeat(3_400);
    for text in [&*long, "gpj.\u{202e}txt", "a\u{2066}b", "a\0b", "a\nb"] {
        let form = ann.get("/new").await.field("form");
        for (path, fields) in [
            ("/new".to_owned(), vec![("form", &*form), ("expires", "30"), ("name", text)]),
            (format!("{one}/name"), vec![("name", text)]),
            (format!("{one}/disable"), vec![("reason", text)]),
        ] {
            let answer = ann.post(&path, &fields).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {text:?}");
            assert!(answer.html.len() <= 50_000 && answer.has("must "), "{path}: {}", answer.html);
        }
    }
    let labels = [("label_name", &*long), ("label_value", &*long)];
    assert_eq!(ann.post(&format!("{one}/labels"), &labels).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ann.get(&format!("/keys?start={}", "x".repeat(6_000))).await.status, StatusCode::OK);
    assert_eq!(world.all().await, before);
}
