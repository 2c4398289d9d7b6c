//! Counters in Valkey or Redis, in a server that each test starts; skipped by name without one.

mod connection;
mod fleet;
mod kept;
mod outage;
mod script;
mod server;
mod silent;

use server::{is_absent, open};

tower_api_key_contract::counters!(open, unless is_absent);
tower_api_key_contract::counters_of_each_request!(open, unless is_absent);
