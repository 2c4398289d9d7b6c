//! Runs requests, one after the other.

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response, StatusCode};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::requests::Requests;
use crate::stacks::{Body, Stack};

/// Runs the given number of requests.
pub type Run = Box<dyn FnMut(u64) + Send>;

/// The runtime on which caches are warmed and misses are measured.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Warms a stack with each key, and then runs requests whose answers are ready at once.
pub fn at_once<S, B, R>(mut stack: S, mut requests: Requests, status: StatusCode) -> Run
where
    S: Stack<B, R>,
    B: Default + Send + 'static,
    R: Send + 'static,
{
    warm(&mut stack, &requests, status);
    Box::new(move |times| {
        for _ in 0..times {
            check(answer(&mut stack, requests.make()), status);
        }
    })
}

/// Runs requests that wait for a store, on the runtime that `stack` was created on.
pub fn waiting<S: Stack<Body>>(
    stack: impl Future<Output = S>,
    mut requests: Requests,
    status: StatusCode,
) -> Run {
    let runtime = runtime();
    let mut stack = runtime.block_on(stack);
    Box::new(move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                check(call(&mut stack, requests.make()).await, status);
            }
        });
    })
}

/// Runs requests within a runtime, whose tasks get no time meanwhile.
pub fn within_a_runtime(mut run: Run) -> Run {
    let runtime = runtime();
    Box::new(move |times| {
        let _guard = runtime.enter();
        run(times);
    })
}

/// Runs requests in several threads at once, the given number in each.
pub fn threads(mut runs: Vec<Run>) -> Run {
    Box::new(move |times| {
        let runtime = Handle::try_current().ok();
        std::thread::scope(|scope| {
            for run in &mut runs {
                let runtime = runtime.clone();
                scope.spawn(move || {
                    let _guard = runtime.as_ref().map(Handle::enter);
                    run(times);
                });
            }
        });
    })
}

/// Presents each key once.
pub fn warm<S: Stack<B, R>, B: Default, R>(stack: &mut S, requests: &Requests, status: StatusCode) {
    runtime().block_on(async {
        for request in requests.each_once() {
            check(call(stack, request).await, status);
        }
    });
}

async fn call<S: Stack<B, R>, B, R>(stack: &mut S, request: Request<B>) -> Response<R> {
    poll_fn(|context| stack.poll_ready(context)).await.unwrap();
    stack.call(request).await.unwrap()
}

/// Sends a request whose answer must be ready at once.
pub fn answer<S: Stack<B, R>, B, R>(stack: &mut S, request: Request<B>) -> Response<R> {
    let mut context = Context::from_waker(Waker::noop());
    assert!(stack.poll_ready(&mut context).is_ready(), "the stack is not ready");
    match pin!(stack.call(request)).poll(&mut context) {
        Poll::Ready(response) => response.unwrap(),
        Poll::Pending => panic!("the answer is not ready at once"),
    }
}

fn check<R>(response: Response<R>, status: StatusCode) {
    assert_eq!(response.status(), status);
    black_box(response);
}
