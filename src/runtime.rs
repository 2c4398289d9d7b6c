//! The Tokio runtime, which tasks and timeouts need. It imports nothing of this crate.

// Layer 2 of 10: support.

use tokio::runtime::Handle;

/// Panics with the remedy if no Tokio runtime polls the caller. Tokio's own message does not name it.
#[track_caller]
pub(crate) fn require_runtime() {
    assert!(
        Handle::try_current().is_ok(),
        "tower-api-key needs a Tokio runtime, and is polled outside of one: start the program by `#[tokio::main]`, or poll this future within \
         `tokio::runtime::Runtime::block_on`"
    );
}
