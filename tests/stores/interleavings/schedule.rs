//! Two futures, polled by hand in every possible order.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Which of the two futures continues, each time that both can.
#[derive(Default)]
pub(crate) struct Choices {
    /// Whether the second one did, from the start.
    made: Vec<bool>,
    next: usize,
}

impl Choices {
    fn choose_second(&mut self) -> bool {
        if self.next == self.made.len() {
            self.made.push(false);
        }
        self.next += 1;
        self.made[self.next - 1]
    }

    /// Advances to the next sequence of choices, by depth; `false` after the last one.
    fn advance(&mut self) -> bool {
        while self.made.pop_if(|second| *second).is_some() {}
        self.next = 0;
        self.made.last_mut().map(|second| *second = true).is_some()
    }
}

/// Runs `trial` once for each sequence of choices, and returns their number.
pub(crate) fn every_schedule(mut trial: impl FnMut(&mut Choices)) -> usize {
    let (mut choices, mut schedules) = (Choices::default(), 0);
    loop {
        trial(&mut choices);
        assert_eq!(choices.next, choices.made.len(), "the same choices lead to the same place");
        schedules += 1;
        if !choices.advance() {
            return schedules;
        }
    }
}

/// Polls both futures until they end.
pub(crate) fn run_both<A, B>(
    choices: &mut Choices,
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut of_first, mut of_second) = (None, None);
    loop {
        let takes_second = match (&of_first, &of_second) {
            (None, None) => choices.choose_second(),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(_), Some(_)) => return (of_first.unwrap(), of_second.unwrap()),
        };
        if takes_second {
            of_second = poll(second.as_mut());
        } else {
            of_first = poll(first.as_mut());
        }
    }
}

/// Polls a future that never waits until it ends.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Some(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Lets the other future continue, if it is chosen to.
pub(crate) async fn step_aside() {
    let mut has = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut has, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

#[test]
fn all_orders_of_two_futures_are_tried_once() {
    let mut seen = std::collections::BTreeSet::new();
    let schedules = every_schedule(|choices| {
        let order = std::cell::RefCell::new(String::new());
        let part = async |name| {
            for _ in 0..3 {
                order.borrow_mut().push(name);
                step_aside().await;
            }
        };
        run_both(choices, part('a'), part('b'));
        seen.insert(order.take());
    });
    // Each future is polled four times, and the last time does nothing that shows.
    assert_eq!((schedules, seen.len()), (70, 20));
}
