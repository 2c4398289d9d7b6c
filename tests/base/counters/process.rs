//! The counters of a process.

use tower_api_key::limit_requests::ProcessCounters;

async fn open() -> (ProcessCounters, ()) {
    (ProcessCounters::new(), ())
}

tower_api_key_contract::counters!(open);
tower_api_key_contract::counters_of_each_request!(open);
