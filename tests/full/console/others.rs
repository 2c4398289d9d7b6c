//! One owner learns nothing of the keys of another.

use http::StatusCode;
use regex::Regex;
use tower_api_key::KeyId;

use crate::console::world::World;

/// The pages and forms of a key, below its id.
const PAGES: [&str; 10] = [
    "",
    "/name",
    "/permissions",
    "/labels",
    "/disable",
    "/enable",
    "/rotate",
    "/revoke",
    "/usage",
    "/usage.csv",
];
const FORMS: [&str; 7] = ["/name", "/permissions", "/labels", "/disable", "/enable", "/rotate", "/revoke"];

#[tokio::test]
async fn a_key_of_another_owner_is_as_one_that_does_not_exist() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let absent = KeyId::generate(tower_api_key::Timestamp::from_unix_millis(0)).unwrap();
    let (eve, before) = (world.portal("eve"), world.all().await);
    let fields = [
        ("name", "mine"),
        ("permission", "notes.read"),
        ("label_name", "a"),
        ("label_value", "b"),
        ("grace", "day"),
        ("confirmation", &*key.hint),
    ];
    for (paths, is_form) in [(&PAGES[..], false), (&FORMS, true)] {
        for path in paths {
            let mut answers = Vec::new();
            for id in [&key.id, &absent] {
                let path = format!("/keys/{id}{path}");
                let page = if is_form { eve.post(&path, &fields).await } else { eve.get(&path).await };
                assert!(!page.has(id.as_str()), "{path}");
                let headers = page.headers.iter().filter(|(name, _)| *name != "date");
                let headers: Vec<_> = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
                answers.push((page.status, headers, page.html));
            }
            assert_eq!(answers[0].0, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(answers[0], answers[1], "{path}");
        }
    }
    for path in ["/audit?key=", "/keys?start=demo&after=", "/audit?actor=user:ann&key="] {
        let pages = [eve.get(&format!("{path}{}", key.id)).await, eve.get(&format!("{path}{absent}")).await];
        let bare = |page: &str, id: &KeyId| page.replace(id.as_str(), "");
        assert_eq!(pages[0].status, pages[1].status, "{path}");
        assert_eq!(bare(&pages[0].html, &key.id), bare(&pages[1].html, &absent), "{path}");
    }
    assert_eq!(world.all().await, before);
    for path in ["/keys", "/audit", "/usage"] {
        assert!(!eve.get(path).await.has("CI"), "{path}");
    }
}

#[tokio::test]
async fn a_customer_filters_by_no_other_owner() {
    let world = World::new().await;
    world.key_of("acme", "CI").await;
    let eve = world.portal("eve");
    for path in ["/keys?organization=acme", "/audit?organization=acme", "/keys?user=ann@example.com"] {
        let page = eve.get(path).await;
        assert!(page.status == StatusCode::OK && !page.has("CI") && !page.has("<td>created"), "{path}");
    }
    let form = eve.get("/new").await.field("form");
    let fields = [("form", &*form), ("expires", "30"), ("organization", "acme")];
    assert_eq!(eve.post("/new", &fields).await.status, StatusCode::CREATED);
    let mut owners: Vec<_> = world.all().await.iter().map(|key| key.owner.to_string()).collect();
    owners.sort();
    assert_eq!(owners, ["organization acme", "organization globex"]);
}

#[tokio::test]
async fn a_caller_of_one_environment_sees_no_other() {
    let world = World::new().await;
    let test = tower_api_key::manage::NewKey::for_organization("acme");
    let key = world.key(test.name("Trial").environment(tower_api_key::Environment::Test)).await;
    let live = world.portal("live");
    assert!(world.portal("ann").get("/keys").await.has("Trial") && !live.get("/keys").await.has("Trial"));
    assert_eq!(live.get(&format!("/keys/{}", key.id)).await.status, StatusCode::NOT_FOUND);
    let form = live.get("/new").await;
    assert!(!form.has(r#"name="environment""#));
    let beyond = [("form", &*form.field("form")), ("expires", "30"), ("environment", "test")];
    let answer = live.post("/new", &beyond).await;
    assert!(answer.status == StatusCode::FORBIDDEN && answer.has("Environment: must be live"));
}

#[tokio::test]
async fn a_caller_whose_keys_have_to_end_is_offered_no_later_expiry() {
    let world = World::new().await;
    let brief = world.portal("brief");
    let page = brief.get("/new").await;
    assert!(page.has("As late as you may, <time") && !page.has("30 days") && !page.has("Never"));
    let default = Regex::new(r#"name="expires" value="([a-z0-9]*)" checked"#).unwrap();
    let default = &default.captures(&page.html).unwrap()[1];
    let fields = [("form", &*page.field("form")), ("expires", default)];
    assert_eq!(brief.post("/new", &fields).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_operator_manages_the_keys_of_all_owners() {
    let world = World::new().await;
    let (key, ops) = (world.key_of("acme", "CI").await, world.operators());
    assert!(ops.get("/keys").await.has("organization acme"));
    assert!(!ops.get("/keys?organization=globex").await.has("CI"));
    let form = ops.get("/new").await.field("form");
    let create = async |fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("form", &*form), ("expires", "30")].iter().chain(fields).copied().collect();
        ops.post("/new", &fields).await
    };
    for owner in [&[][..], &[("project", "sink")], &[("organization", "a"), ("user", "b")]] {
        let answer = create(owner).await;
        assert!(answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.has("Owner: name"), "{owner:?}");
    }
    let project = create(&[("organization", "globex"), ("project", "sink"), ("permission", "billing")]).await;
    assert!(project.has("project globex/sink"), "{}", project.html);
    for path in [format!("/keys/{}", key.id), format!("/keys/{}/revoke", key.id)] {
        assert!(
            ops.get(&path).await.has("reads it") && !world.portal("ann").get(&path).await.has("reads it")
        );
    }
    ops.post(&format!("/keys/{}/revoke", key.id), &[("confirmation", &key.hint)]).await.location();
    let revoked = world.manager.get(&key.id).await.unwrap().revoked.unwrap();
    assert_eq!(revoked.by.as_deref(), Some("staff:ops"));
    assert!(ops.get("/audit?action=revoked").await.has("staff:ops"));
    // The names of operators are not for customers.
    let page = world.portal("ann").get("/audit").await;
    assert!(page.has("revoked") && !page.has("staff"));
}
