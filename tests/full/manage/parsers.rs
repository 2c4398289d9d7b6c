//! Parsers accept or reject any text, and never misread it.

use http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower_api_key::KeyId;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::Day;

use crate::manage::world::{Answer, World};

/// Sends a request with a key that has all scopes.
fn ask(method: &Method, path: &str, body: &str) -> (Answer, usize) {
    Runtime::new().unwrap().block_on(async {
        let world = World::new();
        let admin = world.admin().await;
        let answer = world.ask(&admin, method.clone(), path, body).await;
        (answer, world.all().await.len() - 1)
    })
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_day_is_read_as_it_is_written(days in -719_528_i64..2_932_897) {
        let day = Day::from_unix_days(days);
        prop_assert_eq!(day.to_string().parse(), Ok(day));
    }

    #[test]
    fn a_parsed_day_formats_as_its_text(text in "[0-9]{3,5}[-/ ][0-9]{1,3}[-/ ][0-9]{1,3}|.{0,12}") {
        prop_assert!(text.parse::<Day>().map_or(true, |day| day.to_string() == text));
    }

    #[test]
    fn a_body_makes_a_key_or_is_rejected(body in r#"[{\["]{0,2}("(name|scopes|expires_at|labels|x)"[:,].{0,12}){0,2}[}\]"]{0,2}"#) {
        let (answer, made) = ask(&Method::POST, "/admin/keys", &body);
        match answer.status {
            StatusCode::CREATED => prop_assert_eq!(made, 1),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => prop_assert_eq!(made, 0),
            other => prop_assert!(false, "{}: {}", other, body),
        }
    }

    #[test]
    fn a_name_and_texts_are_shown_as_they_were_sent(name in r"n\PC{0,254}", text in r"\PC{0,100}") {
        let body = json!({ "name": name, "labels": { "text": text } }).to_string();
        let (answer, _) = ask(&Method::POST, "/admin/keys", &body);
        prop_assert_eq!(&answer.body["name"], &Value::from(name));
        prop_assert_eq!(&answer.body["labels"]["text"], &Value::from(text));
    }

    #[test]
    fn a_cursor_that_was_made_up_is_rejected(cursor in "[A-Za-z0-9_-]{0,91}|.{0,20}") {
        let (answer, _) = ask(&Method::GET, &format!("/admin/keys?cursor={}", percent(&cursor)), "");
        prop_assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_cursor_leads_behind_its_key(ids in proptest::collection::btree_set("[A-Za-z0-9._:-]{0,63}[a-z]", 2..5)) {
        let found = Runtime::new().unwrap().block_on(async {
            let world = World::new();
            let admin = world.admin().await;
            for (number, id) in (0..).zip(&ids) {
                let mut key = admin.record.clone();
                key.id = KeyId::new(id).unwrap();
                key.digest = tower_api_key::digest::Digest::from_bytes([number; 32]);
                world.backend.get_ref().change(KeyChange::insert(key)).await.unwrap();
            }
            let (mut found, mut path) = (Vec::new(), "/admin/keys?limit=1".to_owned());
            loop {
                let page = world.ask(&admin, Method::GET, &path, "").await.body;
                found.push(page["keys"][0]["id"].as_str().unwrap().to_owned());
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                path = format!("/admin/keys?limit=1&cursor={cursor}");
            }
            found.retain(|id| id != admin.record.id.as_str());
            found
        });
        prop_assert_eq!(found, Vec::from_iter(ids));
    }
}
