//! Plans on the pages of an operator.

use http::StatusCode;
use tower_api_key::backend::KeyUpdate;
use tower_api_key::limit::Plan;
use tower_api_key::manage::NewKey;

use crate::console::world::World;

#[tokio::test]
async fn an_operator_adds_changes_and_deletes_plans() {
    let world = World::new().await;
    let ops = world.operators();
    assert!(ops.get("/keys").await.has(r#"href="./plans""#));
    assert!(ops.get("/plans").await.has("No plans to show."));
    let put_as = async |before: &str, plan: &str, limits: &str| {
        ops.post("/plans/put", &[("before", before), ("plan", plan), ("limits", limits)]).await
    };
    let put = async |plan: &str, limits: &str| put_as("", plan, limits).await;
    let limits = async |plan: &str| {
        let plan = world.manager.plan(plan).await.unwrap()?;
        plan.limits().map(ToString::to_string)
    };
    assert_eq!(put("paid", "burst=9/60s monthly=50000/month/organization").await.location(), "../plans");
    put("free", "").await.location();
    let list = ops.get("/plans").await;
    let in_words = "9 requests in 60 seconds<br>50000 requests a month (UTC) with all keys of the organization and its projects";
    assert!(list.has(in_words) && list.has("<code>free</code></th><td>none</td>"), "{}", list.html);

    let many = (0..10_000).map(|number| format!("l{number}=1/1s")).collect::<Vec<_>>().join(" ");
    for (plan, wanted, says) in [
        ("", "", "Plan: name one"),
        ("Paid", "x", "Plan: the name of a plan must be"),
        ("new", "burst=0/60s", "Limits: a limit must be at least one request"),
        ("new", "burst=-1/60s", "Limits: a limit must have the form"),
        ("new", "a=1/1s a=2/1s", "Limits: two limits"),
        ("new", &many, "at most eight limits"),
        ("paid", "", "There is a plan of this name already"),
    ] {
        let wrong = put(plan, wanted).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{plan} {wanted:.20}");
        assert!(wrong.has(says) && wrong.html.len() < 20_000, "{}", wrong.html);
        let kept = format!(r#"name="plan" maxlength="32" value="{plan}""#);
        assert!(wrong.has(&kept) && wanted.starts_with(&wrong.field("limits")), "{}", wrong.html);
    }
    assert!(put_as("yes", "gone", "").await.has("The plan was deleted meanwhile"));
    assert_eq!(world.manager.plans(None, 9).await.unwrap().len(), 2);
    assert_eq!(limits("paid").await.unwrap(), "burst=9/60s monthly=50000/month/organization");

    let form = ops.get("/plans?plan=paid").await;
    assert_eq!(form.field("limits"), limits("paid").await.unwrap());
    put_as(&form.field("before"), "paid", "burst=10/60s").await.location();
    assert_eq!(limits("paid").await.unwrap(), "burst=10/60s");
    // By another form that was opened before, and again by the page that shows the change.
    let late = put_as(&form.field("before"), "paid", "burst=11/60s").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(
        late.has("was changed since the form was opened. Its limits are now: burst=10/60s"),
        "{}",
        late.html
    );
    assert_eq!(late.field("limits"), "burst=11/60s");
    assert_eq!(limits("paid").await.unwrap(), "burst=10/60s");
    put_as(&form.field("before"), "paid", "burst=10/60s").await.location();
    put_as(&late.field("before"), "paid", "").await.location();
    let form = ops.get("/plans?plan=paid").await;
    put_as(&form.field("before"), "paid", "burst=10/60s").await.location();

    let key = world.key(NewKey::for_organization("acme").plan(Plan::named("paid").unwrap())).await;
    let delete_over = async |before: &str, confirmation: &str| {
        let fields = [("before", before), ("plan", "paid"), ("confirmation", confirmation)];
        ops.post("/plans/delete", &fields).await
    };
    let late = delete_over(&form.field("before"), "paid").await;
    assert!(late.status == StatusCode::CONFLICT && late.has("was changed since"), "{}", late.html);
    let before = late.field("before");
    let delete = async |confirmation: &str| delete_over(&before, confirmation).await;
    let in_use = delete("paid").await;
    assert_eq!(in_use.status, StatusCode::CONFLICT);
    assert!(in_use.has("A key, an organization or a user has the plan"), "{}", in_use.html);
    world.manager.update(&key.id, KeyUpdate::new().without_plan()).await.unwrap();
    let mistyped = delete("pai").await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistyped.has("Type the name of the plan exactly"), "{}", mistyped.html);
    assert_eq!(limits("paid").await.unwrap(), "burst=10/60s");
    delete("paid").await.location();
    assert_eq!(limits("paid").await, None);
    assert_eq!(delete("paid").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn plans_are_listed_in_pages() {
    let world = World::new().await;
    for number in 0..45 {
        let limits = (0..8).map(|limit| format!("{limit}{}=1/month/organization", "l".repeat(31)));
        let limits = limits.collect::<Vec<_>>().join(" ").parse().unwrap();
        world.manager.put_plan(&Plan::new(&format!("p{number:02}"), limits).unwrap()).await.unwrap();
    }
    let ops = world.operators();
    let next = regex::Regex::new(r#"href="\./(plans\?after=[^"]*)" rel="next""#).unwrap();
    let row = regex::Regex::new(r#"<th scope="row"><code>p(\d\d)<"#).unwrap();
    let (mut path, mut found) = ("/plans".to_owned(), Vec::new());
    loop {
        let page = ops.get(&path).await;
        assert!(page.html.len() <= 50_000, "{} bytes", page.html.len());
        found.extend(row.captures_iter(&page.html).map(|row| row[1].to_owned()));
        let Some(following) = next.captures(&page.html) else { break };
        path = format!("/{}", &following[1]);
    }
    assert_eq!(found, (0..45).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_operators_have_the_page_and_only_some_may_change_it() {
    let world = World::new().await;
    world.manager.put_plan(&Plan::new("free", "burst=1/1s".parse().unwrap()).unwrap()).await.unwrap();
    let before = world.operators().get("/plans?plan=free").await.field("before");
    let fields = [("before", &*before), ("plan", "free"), ("limits", ""), ("confirmation", "free")];
    let ann = world.portal("ann");
    assert!(!ann.get("/keys").await.has("plans"));
    for (browser, seen, status) in [
        (ann, StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
        (world.auditor(), StatusCode::OK, StatusCode::FORBIDDEN),
    ] {
        let page = browser.get("/plans?plan=free").await;
        assert!(page.status == seen && !page.has("<form class=\"stack\""), "{}", page.html);
        for path in ["put", "delete"] {
            assert_eq!(browser.post(&format!("/plans/{path}"), &fields).await.status, status, "{path}");
        }
    }
    let ops = world.operators();
    assert_eq!(ops.post_from("cross-site", "/plans/put", &fields).await.status, StatusCode::FORBIDDEN);
    let before = Plan::new("free", "burst=1/1s".parse().unwrap()).unwrap();
    assert_eq!(world.manager.plans(None, 9).await.unwrap(), [before]);
}
