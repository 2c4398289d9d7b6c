//! What the metrics are called.

/// Requests that were admitted.
pub const ADMISSIONS: &str = "tower_api_key_admissions_total";
/// Requests that were refused, by reason.
pub const REFUSALS: &str = "tower_api_key_refusals_total";
/// Keys that were answered without asking the store.
pub const CACHE_HITS: &str = "tower_api_key_cache_hits_total";
/// Keys for which the store was asked.
pub const CACHE_MISSES: &str = "tower_api_key_cache_misses_total";
/// Lookups that run or wait to run.
pub const LOOK_UPS: &str = "tower_api_key_look_ups";
/// Whether the store is left alone.
pub const STORE_LEFT_ALONE: &str = "tower_api_key_store_left_alone";
/// Seconds since the last poll began that was answered.
pub const FEED_LAG: &str = "tower_api_key_feed_lag_seconds";
/// Seconds for which what is cached counts without another poll.
pub const LEASE_REMAINING: &str = "tower_api_key_lease_remaining_seconds";
/// Whether word of changes can arrive.
pub const FEED_LISTENING: &str = "tower_api_key_feed_listening";
/// Lookups and polls that the store gave no answer to, by kind.
pub const BACKEND_ERRORS: &str = "tower_api_key_backend_errors_total";
/// Requests that were admitted by a record in the stale grace.
pub const STALE_ADMISSIONS: &str = "tower_api_key_stale_admissions_total";
/// Changes that made cached records void, by kind.
pub const INVALIDATIONS: &str = "tower_api_key_invalidations_total";
/// How often the poller was restarted after its feed panicked.
pub const FEED_RESTARTS: &str = "tower_api_key_feed_restarts_total";
/// Counts of usage that wait to be written.
pub const USAGE_BACKLOG: &str = "tower_api_key_usage_backlog";
/// Requests whose counts will never be written.
pub const USAGE_LOST: &str = "tower_api_key_usage_lost_total";
