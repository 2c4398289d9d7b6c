//! Limits and plans by code and over HTTP: the application sets them, and customers see them. The command line is in `tests/examples/keys.rs`.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::backend::{KeyUpdate, OwnerChange, OwnerStore};
use tower_api_key::limit::{Limits, Plan};
use tower_api_key::manage::{ManageError, ManageErrorKind, NewKey};
use tower_api_key::owner::Organization;
use tower_api_key::{KeyId, Owner, Scopes};

use crate::manage::world::World;

fn plan(name: &str, limits: &str) -> Plan {
    Plan::new(name, limits.parse().unwrap()).unwrap()
}

fn named(name: &str) -> Plan {
    Plan::named(name).unwrap()
}

#[tokio::test]
async fn a_customer_sees_the_limits_in_force_in_each_answer() {
    let world = World::new();
    world.manager.put_plan(&plan("free", "burst=10/60s monthly=1000/month/owner")).await.unwrap();
    let scopes = Scopes::parse("keys.* notes.*").unwrap();
    let new = NewKey::new(Owner::organization("acme")).scopes(scopes);
    let limits: Limits = "burst=5/60s daily=9/day".parse().unwrap();
    let caller = world.key(new.limits(limits.clone()).plan(named("free"))).await;
    let expected = json!([
        { "name": "burst", "requests": 5, "window_seconds": 60 },
        { "name": "daily", "requests": 9, "period": "day" },
        { "name": "monthly", "requests": 1000, "period": "month", "per": "owner" },
    ]);
    let shows = |body: &Value, limits: &Value, plan: &Value| {
        assert_eq!((&body["limits"], &body["plan"]), (limits, plan), "{body}");
    };
    let own = format!("/admin/keys/{}", caller.record.id);
    let shown = world.ask(&caller, Method::GET, &own, "").await;
    shows(&shown.body, &expected, &json!("free"));
    // A key that it creates is limited as it is itself.
    let made = world.ask(&caller, Method::POST, "/admin/keys", "{}").await;
    assert_eq!(made.status, StatusCode::CREATED);
    shows(&made.body, &expected, &json!("free"));
    let rotated = format!("/admin/keys/{}/rotate", made.body["id"].as_str().unwrap());
    let rotated = world.ask(&caller, Method::POST, &rotated, "").await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    shows(&rotated.body, &expected, &json!("free"));
    let listed = world.ask(&caller, Method::GET, "/admin/keys", "").await;
    listed.body["keys"].as_array().unwrap().iter().for_each(|key| shows(key, &expected, &json!("free")));

    // The plan of the organization, from the creation on.
    let unlimited = world.admin().await;
    let store = world.backend.get_ref();
    let acme = Organization::new("acme").plan(named("free"));
    store.change_owner(OwnerChange::put_organization(acme)).await.unwrap();
    let made = world.ask(&unlimited, Method::POST, "/admin/keys", "{}").await;
    let of_plan = json!([
        { "name": "burst", "requests": 10, "window_seconds": 60 },
        { "name": "monthly", "requests": 1000, "period": "month", "per": "owner" },
    ]);
    shows(&made.body, &of_plan, &json!("free"));
    let shown = format!("/admin/keys/{}", made.body["id"].as_str().unwrap());
    shows(&world.ask(&unlimited, Method::GET, &shown, "").await.body, &of_plan, &json!("free"));
}

#[tokio::test]
async fn a_customer_sets_no_limits_and_no_plan() {
    let world = World::new();
    let admin = world.admin().await;
    world.manager.put_plan(&plan("pro", "burst=100/60s")).await.unwrap();
    let own = format!("/admin/keys/{}", admin.record.id);
    let before = world.all().await;
    let many: Vec<_> =
        (0..1_000).map(|number| json!({ "name": format!("l{number}"), "requests": 1 })).collect();
    for (body, field) in [
        (json!({ "limits": [] }), "limits"),
        (json!({ "limits": null }), "limits"),
        (json!({ "limits": [{ "name": "burst", "requests": 0, "window_seconds": 60 }] }), "limits"),
        (json!({ "limits": [{ "name": "burst", "requests": -1, "window_seconds": 60 }] }), "limits"),
        (json!({ "limits": [{ "name": "burst", "requests": 1e300, "period": "day" }] }), "limits"),
        (json!({ "limits": many }), "limits"),
        (json!({ "name": "renamed", "plan": "pro" }), "plan"),
        (json!({ "plan": "no-such-plan" }), "plan"),
        (json!({ "plan": null }), "plan"),
    ] {
        for (method, path) in [(Method::POST, "/admin/keys"), (Method::PATCH, &*own)] {
            let answer = world.ask(&admin, method, path, &body.to_string()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{body}");
            let errors = json!([{ "field": field, "detail": "only the service can set this" }]);
            assert_eq!(answer.body["errors"], errors, "{body}");
        }
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn limits_that_cannot_be_kept_are_named_and_change_nothing() {
    let world = World::new();
    let manager = &world.manager;
    manager.put_plan(&plan("free", "burst=10/60s")).await.unwrap();
    let key = world.key(NewKey::for_organization("acme").plan(named("free"))).await;
    let before = world.all().await;
    let many = (0..10_000).map(|number| format!("l{number}=1/1s")).collect::<Vec<_>>().join(" ");
    for (text, rule) in [
        ("burst=0/60s", "a limit must be at least one request"),
        ("burst=-1/60s", "must have the form"),
        ("burst=1/0s", "the window of a rate must be of whole seconds"),
        ("burst=18446744073709551616/1s", "must have the form"),
        ("burst=18446744073709551615/1s", "a rate must be at most a million requests a second"),
        ("daily=4294967296/day", "a quota must be at most 4294967295 requests"),
        ("a=1/1s a=2/1s", "must not have the same name"),
        (&many, "at most eight limits"),
    ] {
        let error = text.parse::<Limits>().unwrap_err().to_string();
        assert!(error.contains(rule), "{text:.20}: {error}");
    }

    let unknown = || NewKey::for_organization("acme").plan(named("gold"));
    let says = |error: ManageError, kind: ManageErrorKind, text: &str| {
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    };
    let invalid = "invalid values: plan: no plan with this name";
    says(manager.create(unknown()).await.unwrap_err(), ManageErrorKind::Invalid, invalid);
    let text = "a text of another issuer";
    says(manager.import_text(text, unknown()).await.unwrap_err(), ManageErrorKind::Invalid, invalid);
    let update = KeyUpdate::new().name("renamed").plan(named("gold"));
    says(manager.update(&key.record.id, update).await.unwrap_err(), ManageErrorKind::Invalid, invalid);
    let missing = KeyId::new("key_nope").unwrap();
    let error = manager.update(&missing, KeyUpdate::new().plan(named("free"))).await.unwrap_err();
    says(error, ManageErrorKind::NotFound, "no key with this id");

    let in_use = "a key, an organization or a user has the plan: give each another one, or none, before";
    says(manager.delete_plan("free").await.unwrap_err(), ManageErrorKind::Conflict, in_use);
    let missing = manager.delete_plan("gold").await.unwrap_err();
    says(missing, ManageErrorKind::NotFound, "no plan with this name");
    let set = manager.set_organization_plan("acme", Some(named("gold"))).await.unwrap_err();
    says(set, ManageErrorKind::Invalid, invalid);
    let set = manager.set_organization_plan("acme", None).await.unwrap_err();
    says(set, ManageErrorKind::NotFound, "no owner with this id");
    let set = manager.set_user_plan("ann@example.com", Some(named("free"))).await.unwrap_err();
    says(set, ManageErrorKind::NotFound, "no owner with this id");
    assert_eq!(world.all().await, before);
    assert_eq!(manager.plans(None, 9).await.unwrap(), [plan("free", "burst=10/60s")]);
    assert_eq!(manager.plan("gold").await.unwrap(), None);
    assert_eq!(manager.plan("free").await.unwrap(), Some(plan("free", "burst=10/60s")));
}
