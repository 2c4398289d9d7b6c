//! Expectations that the table describes in words.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tower_api_key::KeyId;

use crate::conformance::backend::pause;
use crate::conformance::challenge::{challenges, values};
use crate::conformance::frames::Reply;
use crate::conformance::http1::announces_close;
use crate::conformance::message::Message;
use crate::conformance::run::Outcome;
use crate::conformance::timing;
use crate::conformance::world::World;

pub(crate) async fn check(words: &str, outcome: &Outcome) {
    match words {
        "parse challenges; param names unique, case-insensitively" | "params unique" => {
            params_are_unique(outcome);
        }
        "no second response is produced from body bytes; connection closed or body fully drained" => {
            // Each exchange verifies that it receives exactly one response.
            assert!(outcome.answers.iter().all(announces_close), "the connection stays open");
        }
        "scope charset" => scopes_keep_to_their_charset(outcome),
        "charset; body and headers do not contain $UNKNOWN nor its prefix beyond the public id" => {
            nothing_of_the_key_comes_back(outcome);
        }
        "all responses equal" => responses_are_equal(outcome),
        "equal; timing" => {
            responses_are_equal(outcome);
            timing::users_make_no_difference(&outcome.world).await;
        }
        "json.status == http status" => {
            assert!(outcome.answers.iter().all(|answer| answer.json()["status"] == answer.status));
        }
        "titles equal" => {
            let titles: HashSet<_> =
                outcome.answers.iter().map(|answer| answer.json()["title"].to_string()).collect();
            assert_eq!(titles.len(), 1, "{titles:?}");
        }
        "content-length == len(body)" => lengths_are_right(outcome).await,
        "stream reset or 4xx; inner_calls == 0" => {
            let reply = outcome.reply.as_ref().expect("a reply to frames");
            assert!(matches!(reply, Reply::Rejected | Reply::Answered(4)), "{reply:?}");
            assert!(outcome.world.visits.all().is_empty(), "the service was reached");
        }
        "principal matches the stream's key for each of 100 streams" => {
            let ids: Vec<_> = outcome.answers.iter().map(|answer| answer.key_id().expect("a key")).collect();
            assert_eq!(ids, ["VALID", "VALID2"].repeat(50));
        }
        "49 x 200, backend_calls == 1" => {
            let statuses: Vec<_> = outcome.answers.iter().map(|answer| answer.status).collect();
            assert_eq!(statuses, [200; 49]);
            assert_eq!(outcome.world.backend.reads(), 1);
        }
        "key still valid" => assert_eq!(present(&outcome.world, "OF_OTHER_TENANT").await, 200),
        "never: row revoked in the DB but still admitted on this node after 100 ms" => {
            for _ in 0..10 {
                let record = outcome.world.manager.get(&KeyId::new("OF_TENANT").unwrap()).await.unwrap();
                // The request begins after the record was read.
                let status = present(&outcome.world, "OF_TENANT").await;
                assert!(record.revoked.is_none() || status == 401, "revoked, but answered with {status}");
                pause(Duration::from_millis(20)).await;
            }
        }
        other => panic!("no check by the name {other:?}"),
    }
}

/// Presents a key, and returns the status of the answer.
async fn present(world: &World, name: &str) -> u16 {
    let message = Message::plain("GET", "/v1/things").bearer(world.fixtures.text(name));
    world.exchange(&message).await.status
}

pub(crate) async fn invariant(words: &str, outcome: &Outcome) {
    match words {
        "if 200 then principal == principal($VALID); digest computed over the trimmed value" => {
            let [answer] = outcome.answers.as_slice() else { panic!("one answer") };
            if answer.status == 200 {
                assert_eq!(answer.key_id(), Some("VALID"));
                let reads = outcome.world.backend.get_ref().reads_by_key();
                assert_eq!(reads, HashMap::from([(outcome.world.fixtures.digest("VALID"), 1)]));
            }
        }
        "decision equals that for origin-form /health" => {
            let origin_form = outcome.world.exchange(&Message::plain("GET", "/health")).await;
            let [answer] = outcome.answers.as_slice() else { panic!("one answer") };
            assert_eq!(answer.comparable(), origin_form.comparable());
        }
        other => panic!("no invariant by the name {other:?}"),
    }
}

fn params_are_unique(outcome: &Outcome) {
    for challenge in outcome.answers.iter().flat_map(challenges) {
        let names: HashSet<_> = challenge.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), challenge.len(), "{challenge:?}");
    }
}

fn scopes_keep_to_their_charset(outcome: &Outcome) {
    let scopes: Vec<_> = outcome.answers.iter().flat_map(|answer| values(answer, "scope")).collect();
    assert!(!scopes.is_empty(), "no scope to check");
    let is_allowed = |byte| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(scopes.iter().all(|scope| scope.bytes().all(is_allowed)), "{scopes:?}");
}

fn nothing_of_the_key_comes_back(outcome: &Outcome) {
    // The prefix, the environment, and too much of the random part for a coincidence.
    let recognisable = &outcome.world.fixtures.text("UNKNOWN")[..14];
    let is_allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    for answer in &outcome.answers {
        let descriptions = values(answer, "error_description");
        assert!(descriptions.iter().all(|text| text.bytes().all(is_allowed)), "{descriptions:?}");
        let shown = format!("{:?} {}", answer.headers, answer.text());
        assert!(!shown.contains(recognisable), "the response holds the start of the key");
    }
}

fn responses_are_equal(outcome: &Outcome) {
    let [first, others @ ..] = outcome.answers.as_slice() else { panic!("answers to compare") };
    for other in others {
        assert_eq!(other.comparable(), first.comparable());
    }
}

async fn lengths_are_right(outcome: &Outcome) {
    for answer in &outcome.answers {
        assert_eq!(answer.lines("content-length"), [answer.body.len().to_string()]);
    }
    let head = outcome.world.exchange(&Message::plain("HEAD", "/v1/things")).await;
    assert_eq!(head.body.len(), 0, "a response to HEAD has no content");
}
