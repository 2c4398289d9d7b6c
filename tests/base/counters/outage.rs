//! While the counter store is away: what is answered, who asks it again, and how many requests are admitted at most.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_api_key::limit_requests::{Left, Outage, Taken, UsedUp};
use tower_api_key::{LimitLayer, Reason, Rejection, Timestamp};

use super::{Behaviour, service};
use crate::limits::{Records, limited, said, send, status, use_up};

fn share(nodes: u32) -> Outage {
    Outage::LocalShare(NonZeroU32::new(nodes).unwrap())
}

#[tokio::test]
async fn without_an_answer_requests_are_refused_as_an_outage_and_not_for_their_key() {
    let (key, free) = (limited("a=5/60s"), limited(""));
    let records = Records::new(&[key.clone(), free.clone()]);
    let (service, clock, counters) = service(&records, Outage::Refuse);
    assert_eq!(status(&service, &key).await, 200);
    counters.set(Behaviour::Fail);
    for _ in 0..3 {
        let refused = send(&service, &key).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert!(!refused.headers().contains_key("www-authenticate"));
        assert!(!refused.headers().contains_key("x-ratelimit-limit"));
        assert_eq!(refused.headers()["cache-control"], "no-store");
        assert_eq!(refused.extensions().get::<Rejection>().unwrap().reason(), &Reason::Unavailable);
        // Keys can be checked: the text says nothing of them.
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"detail":"Service temporarily unavailable"}"#);
    }
    assert_eq!(status(&service, &free).await, 200);
    // The refused ones took nothing.
    counters.set(Behaviour::Count);
    clock.advance(Duration::from_secs(1));
    assert_eq!(said(&send(&service, &key).await)[1], 3);
}

#[tokio::test]
async fn one_request_a_second_asks_counters_that_failed() {
    let key = limited("a=1000/60s");
    let records = Records::new([&key]);
    let (service, clock, counters) = service(&records, Outage::Refuse);
    counters.set(Behaviour::Fail);
    for second in 0..3 {
        for millis in [0, 1, 998] {
            clock.advance(Duration::from_millis(millis));
            for _ in 0..5 {
                assert_eq!(status(&service, &key).await, 503);
            }
        }
        assert_eq!(counters.asked(), 1, "second {second}");
        clock.advance(Duration::from_millis(1));
    }
    // The request that asks may take long: the others do not wait for it.
    counters.set(Behaviour::Hang);
    clock.advance(Duration::from_secs(1));
    let mut hanging = Box::pin(send(&service, &key));
    assert!(is_pending(hanging.as_mut()));
    assert_eq!((counters.asked(), status(&service, &key).await), (1, 503));
    // If it is dropped, the next one asks, and the outage is no longer for a client that has gone.
    drop(hanging);
    let mut hanging = Box::pin(send(&service, &key));
    assert!(is_pending(hanging.as_mut()));
    drop(hanging);
    assert_eq!(counters.asked(), 1);
    // Nor is it longer for one that had to wait for others too long.
    counters.set(Behaviour::Busy);
    assert_eq!(status(&service, &key).await, 503);
    assert_eq!(counters.asked(), 1);
    // An answer ends the outage for all.
    counters.set(Behaviour::Count);
    for _ in 0..10 {
        assert_eq!(status(&service, &key).await, 200);
    }
    assert_eq!(counters.asked(), 10);
    // One that is dropped after others have failed, as it was slow, gives no right to ask.
    counters.set(Behaviour::Hang);
    let mut hanging = Box::pin(send(&service, &key));
    assert!(is_pending(hanging.as_mut()));
    counters.set(Behaviour::Fail);
    assert_eq!(status(&service, &key).await, 503);
    drop(hanging);
    assert_eq!((counters.asked(), status(&service, &key).await, counters.asked()), (2, 503, 0));
}

fn is_pending(mut future: Pin<&mut impl Future>) -> bool {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn a_count_that_cannot_be_read_is_no_outage_for_others() {
    let (one, other) = (limited("a=1000/60s"), limited("a=1000/60s"));
    let records = Records::new(&[one.clone(), other.clone()]);
    let (service, clock, counters) = service(&records, Outage::Refuse);
    counters.set(Behaviour::Corrupt(one.record.id.as_str().to_owned()));
    for _ in 0..5 {
        assert_eq!((status(&service, &one).await, status(&service, &other).await), (503, 200));
    }
    // Each is asked for, as one of them may be readable again at any time.
    assert_eq!(counters.asked(), 10);
    // The store answers again, though not to the request that asks.
    counters.set(Behaviour::Fail);
    assert_eq!(status(&service, &other).await, 503);
    counters.set(Behaviour::Corrupt(one.record.id.as_str().to_owned()));
    clock.advance(Duration::from_secs(1));
    assert_eq!((status(&service, &one).await, status(&service, &other).await), (503, 200));
}

#[tokio::test]
async fn an_outage_ends_with_an_answer_of_the_store_and_not_with_one_that_did_not_wait() {
    let key = limited("a=1000/60s");
    let records = Records::new([&key]);
    let (mut service, clock, counters) = service(&records, Outage::Refuse);
    for (has_waited, afterwards) in [(false, 503), (true, 200)] {
        clock.advance(Duration::from_secs(1));
        assert_eq!(status(&service, &key).await, 200);
        // It begins before the outage, and is answered in it.
        counters.set(Behaviour::Wait);
        let mut early = service.ready().await.unwrap().call(key.bearer());
        if has_waited {
            assert!(is_pending(Pin::new(&mut early)));
        }
        counters.set(Behaviour::Fail);
        assert_eq!(status(&service, &key).await, 503);
        counters.set(Behaviour::Count);
        assert_eq!(early.await.unwrap().status(), 200);
        assert_eq!(status(&service, &key).await, afterwards, "{has_waited}");
    }
}

#[tokio::test]
async fn a_late_failure_begins_no_outage_and_prolongs_none() {
    let key = limited("a=1000/60s");
    let records = Records::new([&key]);
    let (service, clock, counters) = service(&records, Outage::Refuse);
    assert_eq!(status(&service, &key).await, 200);
    let begin = |behaviour| {
        counters.set(behaviour);
        let mut request = Box::pin(send(&service, &key));
        assert!(is_pending(request.as_mut()));
        request
    };
    let fail = async || {
        counters.set(Behaviour::Fail);
        assert_eq!(status(&service, &key).await, 503);
        counters.set(Behaviour::Count);
    };
    // Of two outages in the same instant, it begins between them and fails after the second.
    let mut late = None;
    for _ in 0..2 {
        let early = begin(Behaviour::Wait);
        fail().await;
        assert_eq!(early.await.status(), 200);
        late.get_or_insert_with(|| begin(Behaviour::WaitAndFail));
    }
    assert_eq!(late.unwrap().await.status(), 503);
    counters.set(Behaviour::Count);
    assert_eq!(status(&service, &key).await, 200, "the store has answered since");
    // It is the one that asks in an outage, and another one is answered before.
    let early = begin(Behaviour::Wait);
    fail().await;
    clock.advance(Duration::from_millis(1_001));
    let alone = begin(Behaviour::WaitAndFail);
    assert_eq!((early.await.status(), alone.await.status().as_u16()), (StatusCode::OK, 503));
    counters.set(Behaviour::Count);
    assert_eq!(status(&service, &key).await, 200, "the store has answered since");
    // It fails in an outage: the next question comes no later.
    let late = begin(Behaviour::WaitAndFail);
    fail().await;
    clock.advance(Duration::from_millis(998));
    assert_eq!((late.await.status().as_u16(), status(&service, &key).await), (503, 503));
    clock.advance(Duration::from_millis(3));
    assert_eq!(status(&service, &key).await, 200);
}

#[tokio::test]
async fn a_local_share_is_an_equal_part_of_each_limit_beside_what_was_counted() {
    let key = limited("a=10/60s b=9/day/owner");
    let records = Records::new([&key]);
    let (service, clock, counters) = service(&records, share(4));
    for left in [8, 7, 6] {
        assert_eq!(said(&send(&service, &key).await)[..2], [9, left]);
    }
    counters.set(Behaviour::Fail);
    let admitted = send(&service, &key).await;
    assert_eq!(said(&admitted)[..2], [2, 1], "a quarter of each, rounded down");
    assert_eq!(use_up(&service, &key).await, 1);
    let refused = send(&service, &key).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "the share is used up");
    // The counters do not hear of it.
    counters.set(Behaviour::Count);
    clock.advance(Duration::from_secs(1));
    assert_eq!(use_up(&service, &key).await, 6);
    // The next outage has no other share of the same day, though the rate has come back.
    counters.set(Behaviour::Fail);
    clock.advance(Duration::from_secs(60));
    assert_eq!(use_up(&service, &key).await, 0);
    clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(use_up(&service, &key).await, 2);
}

#[tokio::test]
async fn a_share_of_nothing_and_a_request_beyond_it_are_refused_as_an_outage() {
    let (small, large) = (limited("a=3/60s b=100/60s"), limited("a=40/60s"));
    let records = Records::new(&[small.clone(), large.clone()]);
    let (authenticator, clock) = support::build(tower_api_key::Authenticator::builder(records.backend()));
    let counters = super::Away::new(clock);
    counters.set(Behaviour::Fail);
    let layer = LimitLayer::new().counters(counters, share(4));
    let layer = layer.cost(|head| head.header("x-cost").unwrap().to_str().unwrap().parse().unwrap());
    let service = crate::limits::within(authenticator, layer);
    for (key, cost, expected) in [
        (&small, 1, 503),
        (&small, 0, 200),
        (&large, 11, 503),
        (&large, 10, 200),
        (&large, 1, 429),
        (&large, 0, 200),
    ] {
        let mut request = key.bearer();
        request.headers_mut().insert("x-cost", cost.into());
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), expected, "{cost}");
    }
}

#[tokio::test]
async fn an_answer_about_other_counts_is_none() {
    let key = limited("a=5/60s b=5/60s");
    let records = Records::new([&key]);
    let (service, clock, counters) = service(&records, Outage::Refuse);
    let left = |number| vec![Left::new(1, Duration::ZERO, Duration::ZERO); number];
    let said = |number| Taken::new(Timestamp::from_unix_millis(0), left(number));
    let used_up = |index| said(2).refused(UsedUp::new(index, Duration::from_secs(5)));
    for (answer, expected) in
        [(said(2), 200), (said(1), 503), (said(3), 503), (said(0), 503), (used_up(1), 429), (used_up(2), 503)]
    {
        counters.set(Behaviour::Say(answer.clone()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(status(&service, &key).await, expected, "{answer:?}");
    }
}
