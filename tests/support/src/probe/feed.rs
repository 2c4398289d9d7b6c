//! A change feed whose polls the test answers.

use std::future::{Future, pending};
use std::pin::Pin;

use tower_api_key::backend::{BackendError, ChangeFeed, Invalidation};

type Polled = Result<Vec<Invalidation>, BackendError>;
type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A feed that is notified of no change, and listens.
pub struct Feed {
    poll: Box<dyn FnMut(usize) -> Pending<Polled> + Send>,
    panics_between_polls: bool,
    polls: usize,
}

impl Feed {
    /// Answers polls by a closure, which receives the number of the poll, from 0.
    pub fn answering<F>(mut poll: impl FnMut(usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Polled> + Send + 'static,
    {
        let poll = Box::new(move |number| Box::pin(poll(number)) as Pending<Polled>);
        Self { poll, panics_between_polls: false, polls: 0 }
    }

    /// Never reports a change.
    pub fn quiet() -> Self {
        Self::answering(async |_| Ok(Vec::new()))
    }

    /// Panics while it waits for a notification.
    pub fn panicking_between_polls(mut self) -> Self {
        self.panics_between_polls = true;
        self
    }
}

impl ChangeFeed for Feed {
    async fn poll(&mut self) -> Polled {
        self.polls += 1;
        (self.poll)(self.polls - 1).await
    }

    async fn changed(&mut self) {
        assert!(!self.panics_between_polls, "told to panic");
        pending().await
    }

    fn is_listening(&self) -> Option<bool> {
        Some(true)
    }
}
