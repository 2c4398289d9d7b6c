//! Steps of a case that are no requests, described in words.

use std::time::Duration;

use http::HeaderMap;
use regex::Regex;
use tokio::task::{JoinHandle, JoinSet};
use tower_api_key::backend::Grace;
use tower_api_key::manage::RotateOptions;
use tower_api_key::reject::Reason;
use tower_api_key::test_util::Behaviour;
use tower_api_key::{Authenticator, Environment, KeyId};

use crate::conformance::answer::Answer;
use crate::conformance::fixtures::format;
use crate::conformance::http1;
use crate::conformance::message::Message;
use crate::conformance::other_node::OtherNode;
use crate::conformance::world::World;

/// Performs actions, and keeps the state that they start.
#[derive(Default)]
pub(crate) struct Actor {
    held: Option<JoinHandle<Answer>>,
    other_node: Option<OtherNode>,
}

impl Actor {
    pub(crate) async fn act(&mut self, words: &str, world: &World) {
        let advance = Regex::new(r"^advance (\d+) ?(ms|s)$").unwrap();
        let flood = Regex::new(r"^flood (\d+)k unknown keys$").unwrap();
        if let Some(found) = advance.captures(words) {
            let number = found[1].parse().unwrap();
            let unit = if &found[2] == "s" { Duration::from_secs } else { Duration::from_millis };
            world.clock.advance(unit(number));
        } else if let Some(found) = flood.captures(words) {
            flood_beside_hot_key(world, found[1].parse::<usize>().unwrap() * 1000).await;
        } else {
            match words {
                "backend up" => world.backend.set(Behaviour::Behave),
                "start GET with $VALID, backend paused after read" => self.hold(world).await,
                "DELETE /admin/keys/{id} -> 204" => {
                    let answer = world.exchange(&Message::plain("DELETE", "/unguarded/keys/VALID")).await;
                    assert_eq!(answer.status, 204);
                }
                "node B has the key cached, NOTIFY blocked" => {
                    let store = world.backend.get_ref().get_ref().clone();
                    let node = OtherNode::caching(world.fixtures.text("OF_TENANT"), store).await;
                    self.other_node = Some(node);
                }
                "DELETE /admin/keys/$ID?wait=fleet&until=lease on node A -> 204" => {
                    let message = Message::plain("DELETE", "/admin/keys/OF_TENANT?wait=fleet&until=lease");
                    let answer = world.exchange(&message.bearer(world.fixtures.text("ADMIN"))).await;
                    assert_eq!(answer.status, 204);
                }
                "rotate grace=5s" => rotate(world, Duration::from_secs(5)).await,
                "release backend" => {
                    world.backend.set(Behaviour::Behave);
                    let held = self.held.take().expect("a request that waits");
                    assert_eq!(held.await.unwrap().status, 401, "the record was revoked during the lookup");
                }
                other => panic!("no action {other:?}"),
            }
        }
    }

    pub(crate) async fn ask_other_node(&self) -> Answer {
        self.other_node.as_ref().expect("another node").get().await
    }

    async fn hold(&mut self, world: &World) {
        world.backend.set(Behaviour::Hold);
        let message = Message::plain("GET", "/v1/things").bearer(world.fixtures.text("VALID"));
        let address = world.address;
        self.held = Some(tokio::spawn(async move { http1::exchange(address, &message).await }));
        until(|| world.reads_of("VALID") == 1).await;
    }
}

/// Rotates `$OLD` to `$NEW` twice at once. One rotation succeeds, the other fails.
async fn rotate(world: &World, grace: Duration) {
    let id = KeyId::new("OLD").unwrap();
    let rotate = || world.manager.rotate(&id, RotateOptions::new(Grace::For(grace)));
    let (one, other) = tokio::join!(rotate(), rotate());
    let mut successors = [one, other].into_iter().filter_map(Result::ok);
    let (text, _) = successors.next().expect("a successor").into_parts();
    assert!(successors.next().is_none(), "two successors");
    world.fixtures.set_new(text.as_str());
}

/// Presents a valid key, followed by many well-formed unknown keys, without a socket.
async fn flood_beside_hot_key(world: &World, count: usize) {
    const SENDERS: usize = 8;
    authenticate(&world.authenticator, world.fixtures.text("VALID")).await.expect("a valid key");
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(present_unknown_keys(world.authenticator.clone(), count / SENDERS));
    }
    senders.join_all().await;
    let distinct = world.backend.get_ref().reads_by_key().len();
    assert_eq!(distinct, 1 + count, "the store was asked for every key");
}

async fn present_unknown_keys(authenticator: Authenticator, count: usize) {
    for _ in 0..count {
        let key = format().mint(Environment::Live).unwrap().reveal();
        let reason = authenticate(&authenticator, key.as_str()).await.expect_err("an unknown key");
        assert_eq!(reason, Reason::Unknown);
    }
}

async fn authenticate(authenticator: &Authenticator, key: &str) -> Result<(), Reason> {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", key.parse().unwrap());
    let outcome = authenticator.authenticate(&headers).await;
    outcome.map(drop).map_err(|rejection| rejection.reason().clone())
}

/// Waits until a condition holds.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}
