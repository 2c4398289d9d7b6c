//! The names of the metrics.

// Layer 4 of 10: observation.

/// Requests that were admitted.
pub const ADMISSIONS: &str = "tower_api_key_admissions_total";
/// Requests that were rejected, by reason.
pub const REJECTIONS: &str = "tower_api_key_rejections_total";
/// Keys that were found without reading the store.
pub const CACHE_HITS: &str = "tower_api_key_cache_hits_total";
/// Keys for which the store was read.
pub const CACHE_MISSES: &str = "tower_api_key_cache_misses_total";
/// Lookups that run or wait to run.
pub const LOOKUPS: &str = "tower_api_key_lookups";
/// Whether the circuit to the store is open.
pub const CIRCUIT_OPEN: &str = "tower_api_key_circuit_open";
/// Seconds since the last answered poll began.
pub const FEED_LAG: &str = "tower_api_key_feed_lag_seconds";
/// Seconds for which cached entries are valid without another poll.
pub const LEASE_REMAINING: &str = "tower_api_key_lease_remaining_seconds";
/// Whether notifications of changes can arrive.
pub const FEED_LISTENING: &str = "tower_api_key_feed_listening";
/// Calls by the cache that the store did not answer, by kind.
pub const BACKEND_ERRORS: &str = "tower_api_key_backend_errors_total";
/// Requests that were admitted by a stale entry.
pub const STALE_ADMISSIONS: &str = "tower_api_key_stale_admissions_total";
/// Changes that invalidated cached entries, by kind.
pub const INVALIDATIONS: &str = "tower_api_key_invalidations_total";
/// How often the poller was restarted after its feed panicked.
pub const FEED_RESTARTS: &str = "tower_api_key_feed_restarts_total";
/// Counts of usage that wait to be written.
pub const USAGE_BACKLOG: &str = "tower_api_key_usage_backlog";
/// Requests whose counts will never be written.
pub const USAGE_LOST: &str = "tower_api_key_usage_lost_total";
/// Requests whose limits were decided without the counter store.
pub const COUNTERS_AWAY: &str = "tower_api_key_counters_away_total";
