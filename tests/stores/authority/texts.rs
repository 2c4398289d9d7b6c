//! Metadata and labels of keys.

use http::StatusCode;
use serde_json::json;
use tower_api_key::backend::Grace;
use tower_api_key::manage::RotateOptions;

use crate::authority::stores::Store;
use crate::authority::world::{Key, World, of, scopes};

/// A key of a customer with metadata.
async fn customer<S: Store>(world: &World<S>) -> Key {
    let mut new = of("acme").scopes(scopes("keys"));
    new.metadata = [("plan".to_owned(), "free-of-charge".to_owned())].into();
    new.labels = [("team".to_owned(), "sinks".to_owned())].into();
    world.key(new).await
}

pub(crate) async fn customers_neither_see_nor_change_metadata<S: Store>(world: World<S>) {
    let own = customer(&world).await;
    let body = json!({ "metadata": { "plan": "enterprise" } });
    let before = world.snapshot().await;
    for (method, path) in
        [("PATCH", own.path()), ("POST", "/console/keys".to_owned()), ("POST", own.path_to_rotate())]
    {
        let answer = world.ask(&own, method, &path, &body).await;
        let found = (answer.status, answer.field());
        assert_eq!(found, (StatusCode::UNPROCESSABLE_ENTITY, "body"), "{method} {path}");
    }
    assert_eq!(world.snapshot().await, before);

    let label = json!({ "labels": { "team": "lamps" } });
    let asked = [
        ("GET", own.path(), json!({})),
        ("GET", "/console/keys".to_owned(), json!({})),
        ("PATCH", own.path(), label.clone()),
        ("POST", "/console/keys".to_owned(), label),
        ("POST", own.path_to_rotate(), json!({})),
    ];
    for (method, path, body) in asked {
        let answer = world.ask(&own, method, &path, &body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        assert!(answer.text.contains("labels"), "{method} {path}: {}", answer.text);
        for hidden in ["metadata", "free-of-charge"] {
            assert!(!answer.text.contains(hidden), "{method} {path}: {}", answer.text);
        }
    }
}

pub(crate) async fn metadata_and_labels_are_distinct_and_survive_a_rotation<S: Store>(world: World<S>) {
    let own = customer(&world).await;
    let body = json!({ "labels": { "plan": "enterprise" } });
    assert_eq!(world.ask(&own, "PATCH", &own.path(), &body).await.status, StatusCode::OK);
    let rotated = world.ask(&own, "POST", &own.path_to_rotate(), &json!({ "grace_seconds": 60 })).await;
    let record = world.keys().await.into_iter().find(|key| key.rotated_from.as_ref() == Some(own.id()));
    let successor = Key::new(rotated.body["key"].as_str().unwrap(), record.unwrap());
    let replacement = RotateOptions::new(Grace::None);
    let (text, record) = world.manager.rotate(successor.id(), replacement).await.unwrap().into_parts();
    for key in [&own, &Key::new(text.as_str(), record)] {
        let principal = world.admit(key).await;
        let texts = (principal.metadata("plan"), principal.label("plan"), principal.label("team"));
        assert_eq!(texts, (Some("free-of-charge"), Some("enterprise"), None));
    }
}
