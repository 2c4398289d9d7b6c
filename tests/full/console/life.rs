//! The life of a key by the pages.

use std::time::Duration;

use http::StatusCode;
use regex::Regex;
use tower_api_key::backend::{KeyUpdate, UsageBatch, UsageCount, UsageStore};
use tower_api_key::limit::Plan;
use tower_api_key::manage::NewKey;
use tower_api_key::record::KeyState;
use tower_api_key::{Environment, Owner, Record, Scopes};

use crate::console::browser::Browser;
use crate::console::world::{START, World};

#[tokio::test]
async fn a_key_is_created_shown_once_and_revoked() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let form = ann.get("/new").await;
    let fields = [
        ("form", &*form.field("form")),
        ("name", "CI"),
        ("environment", "test"),
        ("permission", "notes.read"),
        ("permission", "exports"),
        ("expires", "30"),
    ];
    let shown = ann.post("/new", &fields).await;
    assert_eq!(shown.status, StatusCode::CREATED, "{}", shown.html);
    let text = shown.secret();
    assert!(text.starts_with("demo_test_") && world.admits(&text).await);
    assert!(shown.has(&format!("export ACME_NOTES_API_KEY='{text}'")), "{}", shown.html);
    assert!(shown.has("curl -H &#34;Authorization: Bearer $ACME_NOTES_API_KEY&#34; &#39;https://api.acme.example/v1/notes&#39;"));
    assert!(shown.has("This key stops working <time") && shown.has(">in 30 days<"));

    let record = world.all().await.remove(0);
    assert_eq!((&*record.name, record.environment), ("CI", Environment::Test));
    assert_eq!(record.scopes, Scopes::parse("notes.read exports").unwrap());
    assert_eq!((record.owner, record.created_by.as_deref()), (Owner::organization("acme"), Some("user:ann")));
    assert_eq!(record.expires_at, Some(START.saturating_add(Duration::from_secs(30 * 24 * 60 * 60))));

    // No other page has its text.
    let one = format!("/keys/{}", record.id);
    for path in ["/keys", "/usage", "/audit", &one, &format!("{one}/rotate"), &format!("{one}/revoke")] {
        let page = ann.get(path).await;
        assert!(page.status == StatusCode::OK && !page.has(&text), "{path}");
    }
    let revoke = format!("{one}/revoke");
    let mistyped = ann.post(&revoke, &[("confirmation", "CI"), ("reason", "lost")]).await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistyped.has(r#"value="lost""#) && world.admits(&text).await);
    let revoked =
        ann.post(&revoke, &[("confirmation", record.hint.trim_end_matches('.')), ("reason", "lost")]).await;
    assert_eq!(revoked.location(), format!("../{}?done=revoked", record.id));
    assert!(!world.admits(&text).await);
    let page = ann.get(&format!("{one}?done=revoked")).await;
    assert!(page.has("The key is revoked.") && page.has("lost") && !page.has("<form"));
}

#[tokio::test]
async fn a_form_creates_one_key_however_often_it_is_sent() {
    let world = World::new().await;
    let (ann, elsewhere) = (world.portal("ann"), world.other_node("ann").await);
    let form = ann.get("/new").await.field("form");
    let fields = [("form", &*form), ("name", "CI"), ("expires", "never")];
    let text = ann.post("/new", &fields).await.secret();
    for browser in [&ann, &elsewhere] {
        let again = browser.post("/new", &fields).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert!(again.has("Its text cannot be shown again") && !again.has(&text));
    }
    assert_eq!(world.all().await.len(), 1);
}

#[tokio::test]
async fn a_form_of_yesterday_or_without_its_name_creates_no_key() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let form = ann.get("/new").await.field("form");
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    for form in [&*form, "", "1-1"] {
        let answer = ann.post("/new", &[("form", form), ("name", "CI"), ("expires", "30")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(answer.has("open for more than a day") && answer.has(r#"value="CI""#));
        assert_ne!(answer.field("form"), form);
    }
    assert!(world.all().await.is_empty());
}

#[tokio::test]
async fn an_invalid_form_is_shown_again_as_it_was_filled_in() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let empty = ann.get("/new").await;
    let checked: Vec<_> = empty.html.lines().filter(|line| line.contains(" checked")).collect();
    assert!(checked.iter().all(|line| line.contains(r#"type="radio""#)), "{checked:?}");
    // What she cannot grant is not offered.
    assert!(empty.has("notes.read") && empty.has("exports") && !empty.has("billing"));

    let form = empty.field("form");
    let name = "x".repeat(256);
    for (fields, error) in [
        (vec![("name", &*name), ("expires", "30")], "Name: must have at most 255 characters, got 256"),
        (vec![("expires", "31")], "Expiry: select a time"),
        (vec![("expires", "day"), ("day", "2027-02-30")], "Expiry: select a time"),
        (vec![("expires", "day"), ("day", "2027-01-14")], "Expiry: must be in the future"),
        (vec![("expires", "30"), ("environment", "prod")], "Environment: select live or test"),
        (vec![("expires", "30"), ("permission", "two words")], "Permissions: select some of the list"),
        (vec![("expires", "30"), ("permission", "notes.raed")], "did you mean `notes.read`?"),
    ] {
        let fields: Vec<_> =
            [("form", &*form), ("permission", "exports")].into_iter().chain(fields).collect();
        let answer = ann.post("/new", &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{error}");
        assert!(answer.has(error) && answer.has(r#"role="alert""#), "{error}: {}", answer.html);
        assert!(answer.has(r#"value="exports" checked"#) || error.contains("select some"), "{error}");
    }
    let beyond = [("form", &*form), ("expires", "30"), ("permission", "billing")];
    assert_eq!(ann.post("/new", &beyond).await.status, StatusCode::FORBIDDEN);
    assert!(world.all().await.is_empty());
}

#[tokio::test]
async fn a_key_may_work_through_a_last_day() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let form = ann.get("/new").await.field("form");
    let fields = [("form", &*form), ("expires", "day"), ("day", "2027-01-31")];
    assert_eq!(ann.post("/new", &fields).await.status, StatusCode::CREATED);
    assert_eq!(world.all().await[0].expires_at, Some("2027-02-01T00:00:00Z".parse().unwrap()));
    // Pages would show a later end as none.
    let form = ann.get("/new").await.field("form");
    let fields = [("form", &*form), ("expires", "day"), ("day", "9999-12-31")];
    assert_eq!(ann.post("/new", &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_key_is_replaced_once_with_a_grace() {
    let world = World::new().await;
    let (ann, old) = (world.portal("ann"), world.key_of("acme", "CI").await);
    let path = format!("/keys/{}/rotate", old.id);
    assert!(ann.get(&path).await.has(r#"value="day" checked"#));
    assert_eq!(ann.post(&path, &[("grace", "ever")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (form, other) =
        (ann.get(&path).await.field("form"), world.operators().get(&path).await.field("form"));
    let fields = [("form", &*form), ("grace", "hour")];
    let shown = ann.post(&path, &fields).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    assert!(world.admits(&shown.secret()).await);
    let again = ann.post(&path, &fields).await;
    assert!(again.status == StatusCode::CONFLICT && again.has("cannot be shown again"));
    // The new key is not that of the operator's form, who must not revoke it.
    let late = world.operators().post(&path, &[("form", &*other), ("grace", "none")]).await;
    assert!(
        late.status == StatusCode::CONFLICT && late.has("already replaced") && !late.has("revoke this key")
    );

    let record = world.manager.get(&old.id).await.unwrap();
    assert_eq!(record.expires_at, Some(START.saturating_add(Duration::from_secs(60 * 60))));
    let page = ann.get(&format!("/keys/{}", old.id)).await;
    assert!(page.has(">replaced<") && page.has("This key stops working") && !page.has("/rotate\""));
    assert!(page.has(record.rotated_to.unwrap().as_str()));
}

#[tokio::test]
async fn a_key_is_renamed_labelled_disabled_and_enabled() {
    let world = World::new().await;
    let (ann, key) = (world.portal("ann"), world.key_of("acme", "CI").await);
    let one = format!("/keys/{}", key.id);
    let saved = ann.post(&format!("{one}/name"), &[("name", " Build ")]).await;
    assert_eq!(saved.location(), format!("../{}?done=saved", key.id));
    let labels = [("label_name", "team"), ("label_value", "a=b"), ("label_name", ""), ("label_value", "")];
    ann.post(&format!("{one}/labels"), &labels).await.location();
    let record = world.manager.get(&key.id).await.unwrap();
    assert_eq!((&*record.name, record.labels.get("team").map(String::as_str)), ("Build", Some("a=b")));
    let unnamed = ann.post(&format!("{one}/labels"), &[("label_name", ""), ("label_value", "x")]).await;
    assert!(
        unnamed.status == StatusCode::UNPROCESSABLE_ENTITY && unnamed.has("Labels: a name must not be empty")
    );

    ann.post(&format!("{one}/disable"), &[("reason", "holidays")]).await.location();
    assert_eq!(world.manager.get(&key.id).await.unwrap().state(START), KeyState::Disabled);
    let page = ann.get(&format!("{one}?done=disabled")).await;
    assert!(page.has("The key is disabled") && page.has("holidays") && page.has("/enable\""));
    // A notice that is not true of the key is not said, nor one that the key does not show.
    for done in ["revoked", "revoked-everywhere"] {
        assert!(!ann.get(&format!("{one}?done={done}")).await.has(r#"role="status""#));
    }
    assert!(!ann.get(&format!("{one}?done=saved")).await.has("The change was saved"));
    assert!(!ann.get(&format!("{one}?done=revoked")).await.has(r#"role="status""#));
    ann.post(&format!("{one}/enable"), &[]).await.location();
    assert_eq!(world.manager.get(&key.id).await.unwrap().state(START), KeyState::Active);

    world.operators().post(&format!("{one}/disable"), &[]).await.location();
    assert!(ann.get(&one).await.has("The operator disabled this key"));
    assert_eq!(ann.post(&format!("{one}/enable"), &[]).await.status, StatusCode::FORBIDDEN);
    world.operators().post(&format!("{one}/enable"), &[]).await.location();
}

#[tokio::test]
async fn a_form_changes_nothing_once_another_visitor_is_signed_in() {
    let world = World::new().await;
    let (ann, eve, ops) = (world.portal("ann"), world.portal("eve"), world.operators());
    let page = ann.get("/new").await;
    let (form, visitor) = (page.field("form"), page.field("visitor"));
    let fields = [("form", &*form), ("visitor", &*visitor), ("name", "CI"), ("expires", "30")];
    let answer = eve.post("/new", &fields).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.has("signed in for organization globex") && answer.has(r#"value="CI""#),
        "{}",
        answer.html
    );
    assert_ne!(answer.field("visitor"), visitor);
    assert!(world.all().await.is_empty());
    assert_eq!(ann.post("/new", &fields).await.status, StatusCode::CREATED);

    let key = world.all().await.remove(0);
    for form in ["name", "permissions", "labels", "disable", "enable", "rotate", "revoke"] {
        let path = format!("/keys/{}/{form}", key.id);
        let name = ops.get(&format!("/keys/{}/rotate", key.id)).await.field("form");
        let fields =
            [("visitor", &*visitor), ("form", &*name), ("grace", "none"), ("confirmation", &*key.hint)];
        assert_eq!(ops.post(&path, &fields).await.status, StatusCode::CONFLICT, "{form}");
    }
    assert_eq!(world.all().await, [key]);
}

#[tokio::test]
async fn the_page_of_a_key_shows_the_limits_in_force_to_its_owner() {
    let world = World::new().await;
    let limits = "burst=1/1s daily=7/day hourly=50/3600s".parse().unwrap();
    let plan = Plan::new("free", "burst=10/60s monthly=1000/month/owner".parse().unwrap()).unwrap();
    world.manager.put_plan(&plan).await.unwrap();
    let new = NewKey::for_organization("acme");
    let key = world.key(new.clone().limits(limits).plan(plan)).await;
    for browser in [world.portal("ann"), world.operators()] {
        let page = browser.get(&format!("/keys/{}", key.id)).await;
        assert!(page.has("<dt>Plan</dt><dd>free</dd>"), "{}", page.html);
        let limits = "<dt>Limits</dt><dd>1 request a second</dd><dd>7 requests a day (UTC)</dd>\
            <dd>50 requests in 3600 seconds</dd><dd>1000 requests a month (UTC) with all keys of the owner</dd>";
        assert!(page.has(limits), "{}", page.html);
    }
    let key = world.key(new).await;
    let page = world.portal("ann").get(&format!("/keys/{}", key.id)).await;
    assert!(!page.has("Plan") && !page.has("Limits"), "{}", page.html);
}

#[tokio::test]
async fn an_operator_sets_the_limits_and_the_plan_of_a_key_and_a_customer_does_not() {
    let world = World::new().await;
    let plan = Plan::new("free", "burst=10/60s".parse().unwrap()).unwrap();
    world.manager.put_plan(&plan).await.unwrap();
    let ops = world.operators();
    let fields =
        [("organization", "acme"), ("expires", "never"), ("limits", "daily=7/day"), ("plan", "free")];
    let create = async |browser: &Browser, fields: &[(&str, &str)]| {
        let form = browser.get("/new").await.field("form");
        browser.post("/new", &[fields, &[("form", &form)]].concat()).await
    };
    let wrong = create(&ops, &[&fields[..2], &[("limits", "daily=0/day"), ("plan", "Free")]].concat()).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.has("Limits: a limit must be at least one request") && wrong.has("Plan: the name of a plan")
    );
    assert_eq!((&*wrong.field("limits"), &*wrong.field("plan")), ("daily=0/day", "Free"));
    assert_eq!(create(&ops, &fields).await.status, StatusCode::CREATED);
    let key = async || world.all().await.remove(0);
    let limits =
        |key: &Record| (key.limits.to_string(), key.plan.as_ref().map(|plan| plan.name().to_owned()));
    assert_eq!(limits(&key().await), ("daily=7/day".to_owned(), Some("free".to_owned())));

    let id = key().await.id;
    let (path, form) = (format!("/keys/{id}"), format!("/keys/{id}/limits"));
    let page = ops.get(&path).await;
    assert_eq!((&*page.field("limits"), &*page.field("plan")), ("daily=7/day", "free"));
    let send = async |before: &str, limits: &str, plan: &str| {
        ops.post(&form, &[("limits_before", before), ("limits", limits), ("plan", plan)]).await
    };
    let before = page.field("limits_before");
    for (limits, plan, says) in [
        ("a=1/1s a=2/1s", "", "Limits: two limits"),
        ("", "gold", "Plan: no plan with this name"),
        ("x", "Gold", "Limits: a limit must have the form"),
    ] {
        let wrong = send(&before, limits, plan).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{limits} {plan}");
        assert!(
            wrong.has(says) && wrong.field("limits") == limits && wrong.field("plan") == plan,
            "{}",
            wrong.html
        );
    }
    assert_eq!(limits(&key().await), ("daily=7/day".to_owned(), Some("free".to_owned())));
    // A customer sees them, by a page without the form.
    let ann = world.portal("ann");
    assert!(!ann.get(&path).await.has("name=\"limits\"") && !ann.get("/new").await.has("name=\"limits\""));
    assert_eq!(ann.post(&form, &[("limits", ""), ("plan", "")]).await.status, StatusCode::NOT_FOUND);
    create(&ann, &[("expires", "never"), ("limits", "daily=9/day"), ("plan", "free")]).await;
    let own: Vec<_> = world.all().await.iter().map(limits).collect();
    assert!(own.len() == 2 && own.contains(&(String::new(), None)), "{own:?}");
    // Another operator changes the plan, and then the limits, while the form is open.
    for (update, now) in [
        (KeyUpdate::new().without_plan(), ("daily=7/day", None)),
        (KeyUpdate::new().limits("daily=8/day".parse().unwrap()), ("daily=8/day", None)),
    ] {
        let before = ops.get(&path).await.field("limits_before");
        world.manager.update(&id, update).await.unwrap();
        let late = send(&before, "burst=1/1s", "").await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert!(late.has("were changed since the form was opened"), "{}", late.html);
        assert_eq!((&*late.field("limits"), &*late.field("plan")), ("burst=1/1s", ""));
        assert_eq!(limits(&world.manager.get(&id).await.unwrap()), (now.0.to_owned(), now.1));
        send(&before, now.0, "").await.location();
    }
    let late = ops.post(&form, &[("limits", ""), ("plan", "")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "a form that does not say what it has shown");
    // Sent again from the page that shows the change.
    let saved = send(&late.field("limits_before"), "", "").await;
    assert_eq!(saved.location(), format!("..{}?done=saved", &path[5..]));
    assert!(world.all().await.iter().all(|key| limits(key) == (String::new(), None)));
}

#[tokio::test]
async fn labels_that_were_not_edited_stay_as_they_are() {
    let world = World::new().await;
    let labels = [("a", "line1\nline2"), (" pad ", " v "), ("old", "1"), ("gone", "2")];
    let (ann, key) = (world.portal("ann"), world.key(NewKey::for_organization("acme").labels(labels)).await);
    let page = ann.get(&format!("/keys/{}", key.id)).await;
    let row = Regex::new(r#"name="label_before" value="([^"]*)"><input name="label_name" [^>]*value="([^"]*)"[^>]*> <input name="label_value" [^>]*value="([^"]*)""#).unwrap();
    // A browser shows a value on one line.
    let mut rows: Vec<_> = row
        .captures_iter(&page.html.replace("line1\nline2", "line1line2"))
        .map(|row| [1, 2, 3].map(|part| row[part].to_owned()))
        .collect();
    assert_eq!(rows.len(), 6);
    let added = KeyUpdate::new().labels(labels.into_iter().chain([("added", "x")]));
    world.manager.update(&key.id, added).await.unwrap();
    for row in &mut rows {
        match &*row[1] {
            "old" => row[2] = " 3".to_owned(),
            "gone" => (row[1], row[2]) = (String::new(), String::new()),
            _ => {}
        }
    }
    let path = format!("/keys/{}/labels", key.id);
    let send = async |rows: &[[String; 3]]| {
        let names = ["label_before", "label_name", "label_value"];
        let fields: Vec<_> =
            rows.iter().flat_map(|row| names.into_iter().zip(row.iter().map(String::as_str))).collect();
        ann.post(&path, &fields).await
    };
    send(&rows).await.location();
    let labels = world.manager.get(&key.id).await.unwrap().labels;
    let expected = [("a", "line1\nline2"), (" pad ", " v "), ("old", " 3"), ("added", "x")];
    let expected = expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(labels, expected);
    rows[4][1] = "a".to_owned();
    let twice = send(&rows).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(twice.has("two have the name"), "{}", twice.html);
    assert_eq!(world.manager.get(&key.id).await.unwrap().labels, expected);
}

#[tokio::test]
async fn the_largest_labels_and_permissions_can_be_saved() {
    let world = World::new().await;
    let text = |most: usize, index: usize| format!("{index:02}{}", "\u{1f511}".repeat(most - 2));
    let labels: Vec<_> = (0..50).map(|index| (text(40, index), text(500, index))).collect();
    let key = world.key(NewKey::for_organization("acme")).await;
    let fields: Vec<_> = labels
        .iter()
        .flat_map(|(name, value)| [("label_name", &**name), ("label_value", &**value)])
        .collect();
    world.portal("ann").post(&format!("/keys/{}/labels", key.id), &fields).await.location();
    assert_eq!(world.manager.get(&key.id).await.unwrap().labels.len(), 50);
    let (ann, path) = (world.portal("ann"), format!("/keys/{}", key.id));
    for first in (0..50).step_by(10) {
        let page = ann.get(&format!("{path}?labels={first}")).await;
        assert!(page.html.len() <= 50_000, "{} bytes", page.html.len());
        let shown = labels.iter().enumerate().filter(|(_, (name, _))| page.has(&format!("value=\"{name}\"")));
        assert!(shown.map(|(index, _)| index).eq(first..first + 10), "{}", page.html);
        assert_eq!(page.has(&format!("?labels={}", first + 10)), first < 40);
    }
    // The form of one page leaves the labels of the others, and takes the name of none.
    let name = &*labels[49].0;
    let fields = [("part", "yes"), ("label_name", name), ("label_value", "other"), ("label_before", "")];
    let answer = ann.post(&format!("{path}/labels"), &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.html);
    assert_eq!(world.manager.get(&key.id).await.unwrap().labels[name], labels[49].1);
    let many = vec![("permission", "exports"); 1_001];
    let answer = world.portal("ann").post(&format!("/keys/{}/permissions", key.id), &many).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn permissions_that_another_change_took_away_stay_away() {
    let world = World::new().await;
    let scopes = Scopes::parse("notes.read exports").unwrap();
    let (ann, key) = (world.portal("ann"), world.key(NewKey::for_organization("acme").scopes(scopes)).await);
    let path = format!("/keys/{}/permissions", key.id);
    world
        .operators()
        .post(&path, &[("before", "notes.read"), ("before", "exports"), ("permission", "notes.read")])
        .await
        .location();
    // Her page was older: it had both, and she adds one.
    let fields = [
        ("before", "notes.read"),
        ("before", "exports"),
        ("permission", "notes.read"),
        ("permission", "exports"),
        ("permission", "notes.write"),
    ];
    ann.post(&path, &fields).await.location();
    let record = world.manager.get(&key.id).await.unwrap();
    assert_eq!(record.scopes, Scopes::parse("notes.read notes.write").unwrap());
    let beyond = ann.post(&path, &[("permission", "billing")]).await;
    assert_eq!(beyond.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn usage_is_a_plot_a_table_and_a_file() {
    let world = World::new().await;
    let (ann, key) = (world.portal("ann"), world.key_of("acme", "CI").await);
    assert!(ann.get("/usage").await.has("No requests in this time."));
    let count = |environment, requests, days: u64| {
        let at = START.saturating_sub(Duration::from_secs(days * 24 * 60 * 60));
        UsageCount::new(key.id.clone(), environment, key.owner.clone(), requests, at)
    };
    let counts = [
        count(Environment::Live, 70, 0).rejected(4, 1).routes([("/notes/{id}", 60), ("/<b>", 4)]),
        count(Environment::Test, 5, 6).routes([("/<b>", 5)]),
        count(Environment::Live, 9, 8).rejected(0, 2),
    ];
    world.store.add_usage(&UsageBatch::new("test", 1, counts)).await.unwrap();
    for path in ["/usage".to_owned(), format!("/keys/{}/usage", key.id)] {
        let page = ann.get(&path).await;
        assert!(page.has("79 live and 5 test requests in the last 30 days"), "{}", page.html);
        assert!(page.has("Of these, 4 were beyond a limit and 3 were forbidden."), "{}", page.html);
        let day = ["70", "0", "65", "4", "1"].map(|number| format!(r#"<td class="number">{number}</td>"#));
        assert!(page.has(&format!(r#"<th scope="row">2027-01-15</th>{}</tr>"#, day.concat())));
        let routes = [("/notes/{id}", 60, 0), ("/&#60;b&#62;", 4, 5)].map(|(route, live, test)| {
            let numbers = [live, test].map(|number| format!(r#"<td class="number">{number}</td>"#));
            format!(r#"<tr><th scope="row"><code>{route}</code></th>{}</tr>"#, numbers.concat())
        });
        assert!(page.has(&routes.join("\n")), "{}", page.html);
        assert!(page.has("<title>2027-01-15: 70 live, 0 test</title>") && page.has("2027-01-07"));
        assert!(!ann.get(&format!("{path}?days=7")).await.has("2027-01-07"));
        assert_eq!(ann.get(&format!("{path}?days=8")).await.status, StatusCode::BAD_REQUEST);
        let file = ann.get(&format!("{path}.csv?days=7")).await;
        let lines: Vec<_> = file.html.split("\r\n").collect();
        let heads = "day,live,test,live_limited,live_forbidden,test_limited,test_forbidden";
        assert_eq!(
            (lines[0], lines[1], lines[7], lines.len()),
            (heads, "2027-01-09,0,5,0,0,0,0", "2027-01-15,70,0,4,1,0,0", 9)
        );
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    }
    // Of others, nothing is counted.
    assert!(world.portal("eve").get("/usage").await.has("No requests in this time."));
    let ops = world.operators();
    let of_all = ops.get("/usage").await;
    assert!(of_all.has("79 live") && !of_all.has("By route"), "{}", of_all.html);
    let of_acme = ops.get("/usage?organization=acme").await;
    assert!(of_acme.has("/notes/{id}") && ops.get(&format!("/keys/{}/usage", key.id)).await.has("By route"));
    assert!(of_acme.has("79 live") && of_acme.has(r#"?organization=acme&#38;days=7""#), "{}", of_acme.html);
    assert!(ops.get("/usage?organization=globex").await.has("No requests in this time."));
    assert!(ops.get("/usage.csv?organization=globex").await.has("2027-01-15,0,0,0,0,0,0"));
    assert!(ann.get("/usage?organization=globex").await.has("79 live"), "it is no filter of a customer");
}
