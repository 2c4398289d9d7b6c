//! A caller accesses its own keys, and grants its own scopes.

use std::time::Duration;

use http::{Method, StatusCode};
use tower_api_key::backend::KeyFilter;
use tower_api_key::manage::{ManageErrorKind, NewKey};
use tower_api_key::owner::Organization;
use tower_api_key::test_util::principal;
use tower_api_key::{Environment, Owner, Record, Scopes};

use crate::manage::world::World;

#[tokio::test]
async fn the_key_of_another_tenant_is_not_found_and_stays_unchanged() {
    let world = World::new();
    let admin = world.admin().await;
    let scopes = || Scopes::parse("*").unwrap();
    let others = [
        world.customer("other", "*").await,
        world.customer("Acme", "*").await,
        world.test_admin().await,
        world.key(NewKey::new(Owner::user("acme", [])).scopes(scopes())).await,
        world.key(NewKey::new(Owner::project(Organization::new("other"), "acme")).scopes(scopes())).await,
    ];
    for other in others {
        let path = format!("/admin/keys/{}", other.record.id);
        let asked = [
            (Method::GET, path.clone()),
            (Method::PATCH, path.clone()),
            (Method::DELETE, path.clone()),
            (Method::POST, format!("{path}/rotate")),
            (Method::GET, format!("{path}/usage")),
            (Method::GET, format!("{path}/audit")),
            (Method::GET, format!("/admin/audit?key={}", other.record.id)),
        ];
        for (method, path) in asked {
            let answer = world.ask(&admin, method.clone(), &path, "").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            let unknown = path.replace(other.record.id.as_str(), "key_unknown");
            assert_eq!(world.ask(&admin, method, &unknown, "").await.body, answer.body);
        }
        assert_eq!(world.manager.get(&other.record.id).await.unwrap(), other.record);
    }
    let list = world.ask(&admin, Method::GET, "/admin/keys", "").await;
    let ids: Vec<_> = list.body["keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(ids, [admin.record.id.as_str()]);
}

#[tokio::test]
async fn an_organization_manages_the_keys_of_its_projects_and_a_project_only_its_own() {
    let world = World::new();
    let admin = world.admin().await;
    let project = |id: &str| {
        NewKey::new(Owner::project(Organization::new("acme"), id)).scopes(Scopes::parse("keys.*").unwrap())
    };
    let (sink, lamp) = (world.key(project("smart-sink")).await, world.key(project("smart-lamp")).await);
    let show = async |caller, key: &crate::manage::world::Customer| {
        world.ask(caller, Method::GET, &format!("/admin/keys/{}", key.record.id), "").await.status
    };
    assert_eq!(show(&admin, &sink).await, StatusCode::OK);
    assert_eq!(show(&sink, &sink).await, StatusCode::OK);
    assert_eq!(show(&sink, &lamp).await, StatusCode::NOT_FOUND);
    assert_eq!(show(&sink, &admin).await, StatusCode::NOT_FOUND);
    let made = world.ask(&sink, Method::POST, "/admin/keys", "").await;
    assert_eq!(made.body["owner"]["project"], "smart-sink");
}

#[tokio::test]
async fn no_caller_grants_scopes_that_it_lacks() {
    let world = World::new();
    let admin = world.admin().await;
    let powerful = world.customer("acme", "keys.read billing.write").await;
    let before = world.all().await.len();
    for scopes in ["*", "billing.write", "notes", "keys.*", "notes.read billing.write"] {
        let body = serde_json::json!({ "scopes": scopes.split(' ').collect::<Vec<_>>() }).to_string();
        let made = world.ask(&admin, Method::POST, "/admin/keys", &body).await;
        assert_eq!(made.status, StatusCode::FORBIDDEN, "{scopes}");
        assert_eq!(made.body["errors"][0]["field"], "scopes");
        let own = format!("/admin/keys/{}", admin.record.id);
        assert_eq!(
            world.ask(&admin, Method::PATCH, &own, &body).await.status,
            StatusCode::FORBIDDEN,
            "{scopes}"
        );
    }
    // The text of a successor grants its scopes.
    let rotate = format!("/admin/keys/{}/rotate", powerful.record.id);
    assert_eq!(world.ask(&admin, Method::POST, &rotate, "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.all().await.len(), before);
    for scopes in ["notes.read", "notes.*", "notes.read notes.write keys.read"] {
        let body = serde_json::json!({ "scopes": scopes.split(' ').collect::<Vec<_>>() }).to_string();
        assert_eq!(world.ask(&admin, Method::POST, "/admin/keys", &body).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn looking_and_changing_need_scopes_of_their_own() {
    let world = World::new();
    let reader = world.customer("acme", "keys.read").await;
    let writer = world.customer("acme", "keys.write").await;
    let unprivileged = world.customer("acme", "notes.read").await;
    let own = format!("/admin/keys/{}", world.customer("acme", "").await.record.id);
    let asked = [
        (Method::GET, "/admin/keys".to_owned(), true),
        (Method::GET, own.clone(), true),
        (Method::GET, "/admin/permissions".to_owned(), true),
        (Method::GET, "/admin/usage".to_owned(), true),
        (Method::GET, format!("{own}/usage"), true),
        (Method::POST, "/admin/keys".to_owned(), false),
        (Method::PATCH, own.clone(), false),
        (Method::DELETE, own.clone(), false),
    ];
    for (method, path, reads) in asked {
        for (caller, may) in [(&reader, reads), (&writer, !reads), (&unprivileged, false)] {
            let answer = world.ask(caller, method.clone(), &path, "").await;
            assert_eq!(answer.status != StatusCode::FORBIDDEN, may, "{method} {path}: {}", answer.status);
            if !may {
                let challenge = answer.headers["www-authenticate"].to_str().unwrap();
                assert!(challenge.contains("insufficient_scope"), "{challenge}");
            }
        }
    }
    let unknown = world.ask_with("demo_live_unknown", Method::GET, "/admin/keys", "").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_caller_accesses_keys_of_other_environments_only_if_set() {
    let world = World::new();
    let (live, other) = (world.admin().await, world.customer("other", "*").await);
    let test = NewKey::new(Owner::organization("acme")).environment(Environment::Test);
    let test = world.key(test.scopes(Scopes::parse("notes.read").unwrap())).await;
    let caller = principal(|record| record.clone_from(&live.record));
    let ids = |records: Vec<Record>| records.into_iter().map(|record| record.id).collect::<Vec<_>>();

    let within = world.manager.on_behalf_of(&caller);
    assert_eq!(
        ids(within.list(KeyFilter::all(), None, 9).await.unwrap()),
        std::slice::from_ref(&live.record.id)
    );
    let new = || within.new_key().environment(Environment::Test);
    let across = world.manager.on_behalf_of(&caller).across_environments();
    // Ids sort by time.
    world.passes(Duration::from_secs(1));
    let created = across.create(new()).await.unwrap().record().clone();
    assert_eq!((created.environment, created.owner), (Environment::Test, Owner::organization("acme")));
    let tests = across.list(KeyFilter::all().environment(Environment::Test), None, 9).await.unwrap();
    assert_eq!(ids(tests), [test.record.id.clone(), created.id]);
    across.revoke(&test.record.id, "").await.unwrap();
    assert!(!world.admits(&test.text).await);

    // It grants access neither to other organizations nor to scopes that the caller lacks.
    let error = across.get(&other.record.id).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::NotFound);
    let beyond = across.create(new().scopes(Scopes::parse("billing.read").unwrap())).await.unwrap_err();
    assert_eq!(beyond.kind(), ManageErrorKind::Forbidden);
}

#[tokio::test]
async fn a_key_that_contradicts_its_maker_is_rejected_by_the_name_of_the_field() {
    let world = World::new();
    let (live, test) = (world.admin().await, world.test_admin().await);
    let before = world.all().await;
    for maker in [&live, &test] {
        let caller = principal(|record| record.clone_from(&maker.record));
        let (own, delegate) = (caller.environment(), world.manager.on_behalf_of(&caller));
        let another = if own == Environment::Live { Environment::Test } else { Environment::Live };
        let acme = || NewKey::new(Owner::organization("acme")).environment(own);
        let sink = Owner::project(Organization::new("acme"), "sink");
        for (field, wanted) in [
            ("environment", acme().environment(another)),
            ("owner", NewKey::new(Owner::organization("other")).environment(own)),
            ("owner", NewKey::new(Owner::user("acme", [])).environment(own)),
            ("owner", NewKey::new(sink).environment(own)),
        ] {
            let error = delegate.create(wanted).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.fields()[0].field),
                (ManageErrorKind::Forbidden, field),
                "{error}"
            );
        }
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn a_key_of_which_nothing_is_said_is_as_its_maker_is() {
    let world = World::new();
    for maker in [world.admin().await, world.test_admin().await] {
        let caller = principal(|record| record.clone_from(&maker.record));
        let delegate = world.manager.on_behalf_of(&caller);
        let mut wanted = delegate.new_key();
        wanted.created_by = Some("another person".into());
        let made = delegate.create(wanted).await.unwrap().record().clone();
        assert_eq!((&made.owner, made.environment), (&maker.record.owner, maker.record.environment));
        assert_eq!(made.created_by.as_deref(), Some(maker.record.id.as_str()));
    }
}

#[tokio::test]
async fn across_environments_a_live_key_knows_all_and_a_test_key_its_own() {
    let world = World::new();
    let live = world.admin().await;
    // Ids sort by time.
    world.passes(Duration::from_secs(1));
    let test = world.test_admin().await;
    let beyond = (ManageErrorKind::Forbidden, "environment");
    for (own, known, rejected) in [(&test, vec![&test], Some(beyond)), (&live, vec![&live, &test], None)] {
        let caller = principal(|record| record.clone_from(&own.record));
        let across = world.manager.on_behalf_of(&caller).across_environments();
        let found = across.list(KeyFilter::all(), None, 9).await.unwrap();
        assert_eq!(found, known.into_iter().map(|key| key.record.clone()).collect::<Vec<_>>());
        let made = across.create(across.new_key().environment(Environment::Live)).await;
        assert_eq!(made.err().map(|error| (error.kind(), error.fields()[0].field)), rejected);
    }
}
