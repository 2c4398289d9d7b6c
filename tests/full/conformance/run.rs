//! Runs the steps of a case.

use std::time::Duration;

use tower_api_key::test_util::Behaviour;

use crate::conformance::actions::{Actor, until};
use crate::conformance::answer::Answer;
use crate::conformance::backend::pause;
use crate::conformance::cases::{Case, Proto, Request, Step};
use crate::conformance::frames;
use crate::conformance::http1;
use crate::conformance::http2;
use crate::conformance::in_process;
use crate::conformance::message::Message;
use crate::conformance::world::World;

/// The results of a case.
pub(crate) struct Outcome {
    pub(crate) world: World,
    /// One answer for each request, in order.
    pub(crate) answers: Vec<Answer>,
    /// The answer to hand-made frames.
    pub(crate) reply: Option<frames::Reply>,
    /// The user and the password of a Basic credential.
    pub(crate) extracted: Option<Vec<String>>,
}

impl Outcome {
    pub(crate) fn of(world: World, answers: Vec<Answer>) -> Self {
        Self { world, answers, reply: None, extracted: None }
    }
}

pub(crate) async fn run(case: &Case, world: World) -> Outcome {
    if case.unit {
        return in_process::run(case, world).await;
    }
    assert!(world.config.inner.is_none(), "only a case without a socket can replace the inner service");
    match &case.request {
        Some(request) if request.concurrency.is_some() => at_once(request, world).await,
        Some(request) if request.proto == Proto::Http2Frames => {
            let message = Message::new(request, &world.fixtures);
            let reply = Some(frames::exchange(world.address, &message).await);
            Outcome { reply, ..Outcome::of(world, Vec::new()) }
        }
        Some(request) if request.drop_after_ms.is_some() => dropped(request, world).await,
        _ => in_order(case, world).await,
    }
}

/// Sends a request, and hangs up before the answer.
async fn dropped(request: &Request, world: World) -> Outcome {
    let message = Message::new(request, &world.fixtures);
    let address = world.address;
    let exchange = tokio::spawn(async move { http1::exchange(address, &message).await });
    pause(Duration::from_millis(request.drop_after_ms.unwrap())).await;
    exchange.abort();
    Outcome::of(world, Vec::new())
}

async fn in_order(case: &Case, world: World) -> Outcome {
    let mut shared =
        if case.same_connection { Some(http1::Connection::open(world.address).await) } else { None };
    let mut actor = Actor::default();
    let mut answers = Vec::new();
    for step in case.steps() {
        let request = match step {
            Step::Action(words) if words == "GET on node B" => {
                answers.push(actor.ask_other_node().await);
                continue;
            }
            Step::Action(words) => {
                actor.act(&words, &world).await;
                continue;
            }
            Step::Request(request) => request,
        };
        assert!(request.extensions.is_none() && request.drop_first_after_ms.is_none());
        let message = Message::new(&request, &world.fixtures);
        answers.push(match &mut shared {
            Some(connection) => connection.exchange(&message).await,
            None => world.exchange(&message).await,
        });
        if case.backend.as_deref() == Some("panic once") {
            world.backend.set(Behaviour::Behave);
        }
    }
    Outcome::of(world, answers)
}

async fn at_once(request: &Request, world: World) -> Outcome {
    let count = request.concurrency.unwrap();
    let message = Message::new(request, &world.fixtures);
    let answers = match request.drop_first_after_ms {
        Some(millis) => without_the_first(&world, &message, count, Duration::from_millis(millis)).await,
        None => streams_of_two_keys(&world, &message, count).await,
    };
    Outcome::of(world, answers)
}

/// Sends a request on each of `count` connections; the first, which leads the lookup, hangs up.
async fn without_the_first(
    world: &World,
    message: &Message,
    count: usize,
    drop_after: Duration,
) -> Vec<Answer> {
    let exchange = || {
        let (address, message) = (world.address, message.clone());
        tokio::spawn(async move { http1::exchange(address, &message).await })
    };
    let first = exchange();
    until(|| world.backend.reads() == 1).await;
    let others: Vec<_> = (1..count).map(|_| exchange()).collect();
    pause(drop_after).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled(), "the first request was answered before it hung up");
    let mut answers = Vec::new();
    for other in others {
        answers.push(other.await.unwrap());
    }
    answers
}

/// Sends `count` requests on one connection, with two keys alternately.
async fn streams_of_two_keys(world: &World, message: &Message, count: usize) -> Vec<Answer> {
    assert!(message.proto == Proto::Http2, "streams share a connection");
    let second = Message { headers: Vec::new(), ..message.clone() }.bearer(world.fixtures.text("VALID2"));
    let connection = http2::Connection::open(world.address).await;
    let messages = [message, &second].into_iter().cycle().take(count);
    let exchanges: Vec<_> = messages
        .map(|message| {
            let (connection, message) = (connection.clone(), message.clone());
            tokio::spawn(async move { connection.exchange(&message).await })
        })
        .collect();
    let mut answers = Vec::new();
    for exchange in exchanges {
        answers.push(exchange.await.unwrap());
    }
    answers
}
