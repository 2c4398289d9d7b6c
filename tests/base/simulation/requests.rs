//! Requests to a node, and its answers.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_api_key::{Principal, Reason, Rejection};

use crate::simulation::judge::{Answer, Outcome};
use crate::simulation::node::Node;
use crate::simulation::time::{between, one_in};

/// A request with some key, whose client may hang up before the answer.
struct Request {
    number: u64,
    key: usize,
    hangs_up_after: Option<Duration>,
}

impl Node {
    /// Sends up to `most` requests at once, for this key or for any.
    pub(crate) fn send(self: &Arc<Self>, requests: &mut JoinSet<()>, most: u32, key: Option<usize>) {
        for _ in 0..self.draw(|rng| rng.u32(0..=most)) {
            requests.spawn(Arc::clone(self).serve(self.draw(|rng| self.request(rng, key))));
        }
    }

    fn request(&self, rng: &mut Rng, key: Option<usize>) -> Request {
        let plan = &self.connection.plan;
        Request {
            number: self.requests.fetch_add(1, SeqCst),
            key: key.unwrap_or_else(|| rng.usize(..plan.history.keys.len())),
            hangs_up_after: one_in(rng, 16).then(|| between(rng, Duration::ZERO, plan.settings.deadline)),
        }
    }

    async fn serve(self: Arc<Self>, request: Request) {
        let asking = self.ask(request.number, request.key);
        let answer = match request.hangs_up_after {
            Some(hangs_up_after) => timeout(hangs_up_after, asking).await.ok(),
            None => Some(asking.await),
        };
        match answer {
            Some(answer) => self.answers.lock().unwrap().push(answer),
            None => {
                self.abandoned.fetch_add(1, SeqCst);
            }
        }
    }

    pub(crate) async fn ask(&self, request: u64, key: usize) -> Answer {
        let began = self.now();
        let known = {
            let known = &mut self.known.lock().unwrap()[key];
            known.asked_first.get_or_insert(began);
            *known
        };
        let acknowledged_plan = self.acknowledged_plan.load(SeqCst);
        let mut asking =
            pin!(self.authenticator.authenticate(&self.connection.plan.history.keys[key].headers));
        let first = poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await;
        let is_cached = first.is_ready();
        let outcome = match first {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => asking.await,
        };
        Answer {
            request,
            node: self.connection.node,
            key,
            began,
            ended: self.now(),
            asked_first: known.asked_first.unwrap_or(began),
            acknowledged: known.acknowledged,
            acknowledged_plan,
            is_cached,
            outcome: outcome_of(&outcome),
            plan: outcome.as_ref().ok().map(plan_of),
        }
    }
}

/// Returns the version of the plan, by its limit.
fn plan_of(principal: &Principal) -> u64 {
    principal.limits().next().unwrap().requests() - 1
}

fn outcome_of(outcome: &Result<Principal, Rejection>) -> Outcome {
    match outcome.as_ref().map_err(Rejection::reason) {
        Ok(principal) => {
            let scope = principal.scopes().iter().next().unwrap();
            Outcome::Admitted(scope.as_str().trim_start_matches('v').parse().unwrap())
        }
        Err(Reason::Unknown) => Outcome::Unknown,
        Err(Reason::Disabled) => Outcome::Disabled,
        Err(Reason::Revoked) => Outcome::Revoked,
        Err(Reason::Expired) => Outcome::Expired,
        Err(Reason::Unavailable) => Outcome::Unavailable,
        Err(other) => {
            panic!("expected an unknown, disabled, revoked, expired or unavailable key, got {other:?}")
        }
    }
}
