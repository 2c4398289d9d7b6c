//! Operate a service: the trade-offs of the settings, alerts, and revocations during failures.
//!
//! A node is a process with an [`Authenticator`](crate::Authenticator). The example `fleet` starts three of them on one PostgreSQL:
//! `cargo run --example fleet --all-features`.
//!
//! # Settings
//!
//! | Setting | A larger value | One node, SQLite | A fleet, PostgreSQL | A fleet that rides out a failover of a minute |
//! |---|---|---|---|---|
//! | [`lease`](crate::AuthenticatorBuilder::lease) (L) | polls may fail for longer before each request queries the database; a disconnected node admits revoked keys for longer | 5 s | 5 s | 5 s |
//! | [`poll_interval`](crate::AuthenticatorBuilder::poll_interval) | fewer statements; later invalidations where no notification arrives | 1 s | 1 s | 1 s |
//! | [`stale_grace`](crate::AuthenticatorBuilder::stale_grace) (S) | longer outages without 503 for cached keys; as much longer for a revoked key on a node without a response from the database | zero | zero | 90 s |
//! | [`positive_ttl`](crate::AuthenticatorBuilder::positive_ttl) | fewer lookups; later effect of manual changes that bypass the crate. Each key has up to a tenth less, by its digest | 60 s | 60 s | 60 s |
//! | [`negative_ttl`](crate::AuthenticatorBuilder::negative_ttl) | fewer lookups of unknown keys; later effect of keys that were added manually | 5 s | 5 s | 5 s |
//! | [`deadline`](crate::AuthenticatorBuilder::deadline) | fewer 503 with a slow database; requests wait for longer in an outage. Polls have the same deadline, or L if that is shorter: keep it well below L | 500 ms | 500 ms | 500 ms |
//! | [`circuit_breaker`](crate::AuthenticatorBuilder::circuit_breaker) | a longer pause spares a recovering database, and delays the first responses from it | 5, 1 s | 5, 1 s | 5, 1 s |
//! | `KeyManager::lease` | `wait=fleet` waits for longer for silent nodes. PostgreSQL knows the leases of its nodes, and waits for those if they are longer | 5 s | 5 s | 95 s: L and S |
//! | | **Effect** | | | |
//! | revoked by the same process | | the next request | the next request | the next request |
//! | revoked by another process, no failure | | the next poll: 1 s | a notification arrives within milliseconds, or the next poll: 1 s | the same |
//! | revoked by another process, any failure | | 5 s: L | 5 s: L | 95 s: L and S, on a node without a response from the database; 5 s on other nodes |
//! | an outage, for cached keys | | admitted for 4 to 5 s, then 503 | the same | admitted for 90 s, then 503 |
//! | an outage, for other keys | | 503 | 503 | 503 |
//!
//! The values of the first two columns are the defaults. Between regions, where a response takes a part of the deadline, raise both: L should
//! be at least three times the sum of the poll interval and the deadline, so that one lost poll has no effect.
//!
//! L counts from the *start* of a poll, because its result may be as old: a revocation that commits after a poll has started may be missing
//! in its result, and arrives with the next poll, or the lease ends. The lease ends by the monotonic clock or the wall clock, whichever comes
//! first. After its end, every request queries the database, so each response includes the revocation. The stale grace S applies only while
//! lookups fail: an entry that was valid S ago is used if a lookup gets no response from the database within the deadline, if the circuit
//! breaker is open, if too many lookups wait, or if the stored data is unreadable. Expiry is checked against the current time. To ride out a
//! failover, prefer S to a longer L: a longer L has its cost even while the database responds.
//!
//! A custom store without a feed ([`Backend::feed`](crate::backend::Backend::feed)) has no L. Changes by other processes take effect when
//! `positive_ttl` ends, to which S adds.
//!
//! # Alerts
//!
//! [`Authenticator::health`](crate::Authenticator::health) returns all values but the rates, without a query. With the feature `metrics`, the
//! values can be scraped under the names below, each with a label `authenticator`; `docs/grafana.json` in the repository is a dashboard.
//!
//! | Alert | When | Meaning |
//! |---|---|---|
//! | `tower_api_key_feed_lag_seconds` | above half of L for a minute | polls are lost; with another lost one, every request queries the database |
//! | `tower_api_key_lease_remaining_seconds` | 0 for a minute | no cache entry is trusted. The database serves every request, or requests get 503 |
//! | `tower_api_key_feed_listening` | 0 for ten minutes | no harm yet: invalidations take a poll interval. A firewall, or a connection limit |
//! | `tower_api_key_feed_restarts_total` | rises at all | the feed of the store panicked: a fault of the store, see the log. Polls pause from 1 s up to 30 s, and every request queries the database when L has ended |
//! | `tower_api_key_backend_errors_total{kind="corrupt"}` | rises at all | a row is unreadable, and its key gets 503 until it is repaired: the log has the cause, as an error |
//! | `tower_api_key_backend_errors_total`, other kinds | its rate above zero for a minute | lookups or polls fail: `unavailable`, `deadline` for no response in time, `panic`. Lookups that the circuit breaker rejects are not included |
//! | `tower_api_key_stale_admissions_total` | rises at all | requests are admitted within S by entries from before an outage |
//! | `tower_api_key_invalidations_total{kind="everything"}` | more than once in ten minutes | nodes invalidate everything, and read each key again: a failover, [backups](#backups), or changes of many keys |
//! | `tower_api_key_circuit_open` | 1 again and again for a minute | the database does not respond. Each pause ends with one trial lookup |
//! | `tower_api_key_rejections_total{reason="unavailable"}` | its rate above 1 % of all requests for five minutes | clients get 503, not 401 |
//! | `tower_api_key_usage_backlog` | grows for ten minutes | counts are not written; from 100,000 on ([`UsageBuilder::backlog`](crate::usage::UsageBuilder::backlog)) they are lost |
//! | `tower_api_key_usage_lost_total` | rises at all | admitted requests, or their rejections, are missing in the bill |
//! | `tower_api_key_counters_away_total` | its rate above zero for a minute | the store that counts [limits over a fleet](super::limits#a-fleet) does not answer: requests to keys with limits get 503, or are held to the share of their process |
//! | `tower_api_key_lookups` | near 1,024, or sixteen times [`max_concurrent_lookups`](crate::AuthenticatorBuilder::max_concurrent_lookups) | a flood of unknown keys, or a slow database. Past it, the answer is 503 |
//! | `tower_api_key_rejections_total{reason="unknown"}` | ten times the usual rate | a client guesses keys, or has lost its key |
//! | misses among `tower_api_key_cache_hits_total` and `tower_api_key_cache_misses_total` | ten times the usual rate for ten minutes | everything is invalidated repeatedly: see [backups](#backups) |
//!
//! `tower_api_key_admissions_total` is the traffic to which the rates relate.
//!
//! # Logs
//!
//! With the feature `tracing`, under the target `tower_api_key`:
//!
//! | Level | Message | Frequency |
//! |---|---|---|
//! | ERROR | `… returned corrupt data`, with the causes | once for each lookup, poll or batch, until the row is repaired |
//! | ERROR | `… panicked` | once for each lookup, poll or batch |
//! | ERROR | `change feed panicked: it restarts after a pause` | once for each restart, with pauses of 1 s up to 30 s between them |
//! | ERROR | `usage counts lost: …`, with the number of requests | once, until the store accepts counts again; and when a meter is dropped without a flush |
//! | ERROR | ``… found no caller because the request did not pass an `AuthenticateLayer` (logged once): …``, with the place to add it | once for each `RequireScopeLayer`, and once for the other components that need a caller |
//! | ERROR | a mistake in rules or public paths: `a path is public …`, ``a `RequireScopeLayer` is inside a public prefix …``, `… has rewritten the path …`, `` `RouteRules` found no `MatchedPath` … `` (WARN for a path without a route) | once for each message and layer |
//! | ERROR | `requests with a key are answered 503 (logged once): …`, with the setting to change | once, until the store no longer contradicts the settings |
//! | WARN | `cannot add a digest of the current digester to a key, …`, with the causes: [a new pepper](#a-new-pepper) | once for each cause |
//! | WARN | `keys of the store were made with digesters that this node lacks, …`, with their fingerprints | at a start, and when they change |
//! | WARN | `… failed`, with the kind of the error and its causes | once for each lookup, poll or batch, regardless of the number of waiting requests. With an open circuit breaker, once for each pause. `key management request failed`: each management request that gets 503 because the store is unavailable. `password verification failed` with a full queue: at most once a second |
//! | WARN | `… timed out`, with the deadline | as `… failed` |
//! | WARN | `counting a request failed: …`, with the causes | once for each outage of the counter store |
//! | WARN | `counting a single request failed: …`, with the causes: a count that the store cannot read | at most once a second |
//! | WARN | `key lookup failed: the key changed during each read` | each such request |
//! | WARN | `circuit breaker opened: several calls of the key store failed in a row` | once for each pause of the circuit breaker |
//! | WARN | `requests rejected: too many key lookups in progress` | at most once a second |
//! | WARN | `nodes have not acknowledged a change in time; …`, with their names | each such `wait=fleet` |
//! | WARN | `cannot check a caller again: its authenticator was dropped` | each such check |
//! | INFO | `circuit breaker closed: the key store responds again` | each time |
//! | INFO | `request rejected`, with the `reason`; for `forbidden` with the `resource`, such as `organization`, or `undeclared` if no rule names the route; and with the template of the `route` if a layer inside an axum router rejects it. `no_route` is a 404 that `RouteRules` give to a caller | each |
//! | DEBUG | `request admitted` | each |
//!
//! The messages start with the operation: `key lookup`, `change feed poll`, `change feed acknowledgement`, `check of the settings`, `first use record`,
//! `digest addition`, `usage flush`, `password verification`, `password rehash` or `key management request`.
//!
//! [`Health::is_ready`](crate::health::Health::is_ready) is for a readiness probe. An outage of the database makes all nodes unready at
//! about the same time, when the lease (and S) has ended, so let the balancer send requests to unready nodes if no node is ready; they get 503
//! with `Retry-After`. A node is ready again after the first successful poll, even without requests.
//!
//! # Revocations during failures
//!
//! | Failure | The revoking process | Other nodes |
//! |---|---|---|
//! | the revoking process cannot reach the database | an error, 503 from the routes. The key is not revoked, unless the connection was lost during the commit: retry, which has no effect if it was revoked | unchanged, or as after a success |
//! | a node cannot reach the database | succeeds | that node admits the key until L (and S) have passed since the start of its last poll, then responds 503 |
//! | a node receives no notifications (`feed_listening` is 0) | succeeds | the next poll, 1 s |
//! | a node was suspended | succeeds | it trusts no cache entry when it resumes, if it was suspended for longer than L |
//! | a process hangs or is disconnected within a transaction that changes keys | succeeds; for the same key, or the actor of that change, after 1 s, when the server ends that transaction | as usual |
//! | the SQLite file was replaced or deleted during use | an error | the node admits cached keys until L (and S) have passed, then responds 503 until it is restarted |
//! | a node cannot write `tower_api_key_node` | succeeds | it trusts no cache entry; every request queries the database |
//!
//! `DELETE /keys/{id}?wait=fleet` (`KeyManager::revoke_everywhere`) responds when no node admits the key, and reports the proof:
//! `Revocation-Reached: every-node` if all nodes on the list have acknowledged it, and `lease-end` if `KeyManager::lease` had to pass. A node
//! that has ended stays on the list for up to a minute, L and S, so for that time after a deployment or a crash, the response is `lease-end`.
//! The log names the nodes that have not acknowledged (`PostgresStore::node_name` sets the names), and so do the headers `Revocation-Missing`
//! of the response, with `ManageSettings::show_nodes`. `wait_seconds` limits the wait; the response is `this-process` if other nodes may still
//! admit the key.
//!
//! SQLite keeps no list: the response is `this-process` at once. If several processes share a file, `wait=fleet&until=lease` waits for L, and
//! responds `lease-end`.
//!
//! With a stale grace, a disconnected node stays on the list for L and S, during which it may admit: until then the response is `lease-end`.
//! Two exceptions remain after `every-node`. A lookup in progress during the revocation may return the previous state, on a node without a
//! lease, until the `deadline`. And if the clock of the database is set forward by more than half a minute while a node is disconnected, that
//! node leaves the list too early by that time.
//!
//! # Failover and lost changes
//!
//! A standby that is promoted answers with another start time of its server and in another epoch: a table without a log, which a
//! promotion and a crash empty, has a name for each. Every node detects that with its next poll, invalidates everything, and reads each key
//! again at its next use. The same happens when transaction ids are lower than before, and when a node has missed changes that were trimmed
//! from the log.
//!
//! A standby that streams *asynchronously* may miss the last acknowledged changes. A revocation among them is undone: after the
//! invalidation, the key is admitted again. The database keeps no trace of it. So
//!
//! - have at least one synchronous standby for the database with these tables (`synchronous_standby_names`, with
//!   `synchronous_commit = on` for the role that manages keys), and promote only that. Changes of keys are few, so the cost is small;
//! - log each change outside of the database as well (`KeyManager::audit`), and after a failover compare the last minutes with
//!   [`AuditLog`](crate::backend::AuditLog). Revoking missing ones again is safe.
//!
//! A node that is pointed at a standby gets errors for polls and lookups ("cannot access temporary or unlogged relations during
//! recovery"), and responds 503. Use a URL that leads to the primary.
//!
//! Shut down the former primary before another server is promoted (fencing). A node that stays connected to a running former primary receives
//! no changes from the new one, and no lease protects against that.
//!
//! # Read replicas
//!
//! `PostgresStore::with_replica` sends only the lookups of keys to a hot standby that streams from the primary. The replica must have replayed
//! the state of the last poll of the primary, or the primary is queried: so a replica extends no bound above, regardless of its lag. A replica
//! that always lags costs each lookup one check; a replica that does not respond within 200 ms is skipped for a second. After a change by the
//! process itself, lookups go to the primary until the next poll; likewise from L after the last successful poll, and permanently, until the
//! process is restarted, when the primary changes its timeline, as after a failover. Keys that are missing on the replica are looked up on the
//! primary, so it does not help against unknown keys. Each connection of its pool must stay with one server: do not use a balancer that moves
//! sessions between replicas. Set `client_connection_check_interval` in the options of the pool (PostgreSQL 14 or later), so that an abandoned
//! lookup ends on the replica as well.
//!
//! # Connections and PgBouncer
//!
//! Each kind of work has connections of its own, which are opened at first use:
//!
//! | For | PostgreSQL | SQLite |
//! |---|---|---|
//! | lookups, `wait=fleet` | 5 | 4 |
//! | polls | 1 | 1 |
//! | management: lists and usage | 2 | 2 |
//! | changes | 2 | 2 |
//! | revocations of one key by the application | 1 | 1 |
//! | deleting and disabling owners | 1 | 1 |
//! | counts of usage, first uses | 1 | 1 |
//! | notifications of changes, for each authenticator | 1 | |
//! | blocks of quotas, with [`PostgresCounters`](crate::limit_requests::PostgresCounters) | 2 | |
//!
//! So a process with one authenticator uses up to 14 connections of a PostgreSQL server, 16 with quotas, and a hundred processes 1,400: set `max_connections`, or
//! the `CONNECTION LIMIT` of the role, accordingly. Fewer connections work as well: five suffice for a server that responds in a millisecond.
//! The connections for lookups and polls stay open, and one of each is opened with the store, so that no other work takes them; a poll whose
//! own connection is busy uses one of lookups. The remaining connections, up to seven, come from your pool if you pass one to `with_pool`; those
//! for lookups and polls are opened with its options. An in-memory SQLite database has one pool for everything. At most half of the lookups are
//! of keys that were not valid recently, so that a flood of those leaves connections for known keys.
//!
//! A statement continues on the server after its client has given up, until the server notices. While a table is locked, as by `ALTER TABLE`,
//! each lookup and poll that reaches its deadline leaves a statement and its connection behind. So on these connections, the server checks for
//! the client once a second (`client_connection_check_interval`), and only those of about the last second remain. PostgreSQL 13 lacks the setting, and
//! PgBouncer does not forward it: with these, let migrations time out early (`lock_timeout`).
//!
//! Lists and changes without a free connection wait for up to 5 s, 256 of each kind. Further ones, and those that time out, get 503 with
//! `Retry-After` ([`Busy`](crate::backend::BackendErrorKind::Busy)): nothing was changed. The database cancels a list after 10 s.
//!
//! PgBouncer is supported in two modes, both of which are tested with the version of Debian 12 (1.18) or a later one:
//!
//! - `pool_mode = session`: everything works as without it. Its `default_pool_size` must be at least the connections of all processes.
//! - `pool_mode = transaction`, from version 1.21 on, with `max_prepared_statements` above 0 (such as 100; the default from 1.24 on):
//!   statements are prepared in one transaction and executed in others. If they get lost, as with earlier versions, the store refuses the
//!   connections when it is opened. Disabling the statement cache (`statement_cache_capacity(0)` of sqlx) does not help: each statement is
//!   still prepared in a transaction of its own. After a column of the tables was altered, send PgBouncer a `RECONNECT`.
//!
//! `LISTEN` needs a connection that stays with its server session: directly to the server, or through a session pooler. Behind a transaction
//! pooler no notification arrives, though the node assumes that it listens: changes arrive with the polls then. Set
//! `PostgresStore::polling_only`, so that the node does not listen in vain. To receive notifications, give the store the address of the server,
//! and the rest of the application that of the pooler.
//!
//! PgBouncer refuses the parameter `extra_float_digits`, which sqlx sends. `PostgresStore::open` omits it; for a pool of your own, use
//! `PgConnectOptions::extra_float_digits(None)`, or PgBouncer's `ignore_startup_parameters = extra_float_digits`.
//!
//! # Rights
//!
//! One role owns the tables and migrates them; the first start of a new version must use that role. The other roles need these rights, which
//! a test verifies:
//!
#![doc = concat!("```sql\n", include_str!("roles.sql"), "```")]
//!
//! The store looks for its tables in all schemas of the search path when it is opened, creates them in the first one if none has them, and
//! refuses to choose if several do. From then on it stays with that schema, even if an earlier schema in the path gets tables of the same names,
//! as with `"$user", public` and a schema named after the role.
//!
//! With SQLite, the process must be able to write the file and its folder, even if it only looks up keys. A file that the store creates is
//! readable only by its owner (mode 0600), as are the files that SQLite adds. The mode of an existing file stays: a file created under a umask
//! of 022, by an earlier version or manually, exposes the hashes of passwords and the retrievable keys to every user of the machine, so run
//! `chmod 600 keys.db*` once.
//!
//! # Clocks
//!
//! Each node checks expiry with its own wall clock: keep the clocks synchronized (NTP), and allow for the largest deviation when you promise an
//! expiry. Leases need no common clock. A wall clock that is set forward ends the lease early, until the next poll; one that is set back leaves
//! it to the monotonic clock. A machine that was suspended, whose monotonic clock may have stopped, uses the wall clock. The list of nodes and
//! the age of changes use only the clock of the database.
//!
//! # Start and shutdown
//!
//! Call [`Authenticator::start`](crate::Authenticator::start) before the server listens, and let its error end the process:
//! otherwise the first request starts the poller, and until the first successful poll every request queries the database. Several nodes may
//! start at once: one migrates the tables while the rest wait. A version of the crate that is older than the tables refuses to start.
//! Until the first release, so does one with another schema than that of the tables: it needs a new database.
//!
//! To shut down: stop accepting connections, let open requests end, call [`Usage::flush`](crate::usage::Usage::flush) and
//! [`PostgresCounters::give_back`](crate::limit_requests::PostgresCounters::give_back), then `close` the store. Without
//! the flush, the counts of one interval, 10 s, are lost, and an error in the log gives their number. A crash loses as many, as does
//! `std::process::exit`, without a log message. So if the process ends with requests still open, as at a second signal, flush before:
//! `examples/support/process.rs` shows how.
//!
//! # Growth of tables
//!
//! | Table | A row for | Shrinks |
//! |---|---|---|
//! | `tower_api_key` | each key, including revoked and expired ones; each session of the console | by `KeyManager::purge_ended`, called by your own job, in batches of 500; sessions also an hour after their end, when others are opened |
//! | `tower_api_key_digest` | each key that was used under a former digester | by [`retire_former_digesters`](crate::manage::KeyManager::retire_former_digesters), and with its key |
//! | `tower_api_key_plan` | each plan | by [`PlanStore::delete_plan`](crate::backend::PlanStore::delete_plan) |
//! | `tower_api_key_fingerprint` | each digester and key format | by the same, those of digesters |
//! | `tower_api_key_change` | each digest of a key that a change concerns | automatically: with each change, up to a thousand rows that are older than an hour, and that no open transaction can still hide. A database without changes keeps the last rows |
//! | `tower_api_key_audit` | each key that a change concerns, with its owner until that is purged | by [`AuditLog::purge_before`](crate::backend::AuditLog::purge_before), called by a job of yours |
//! | `tower_api_key_usage` | a key, a day and an environment | with its owner, by [`OwnerChange::purge_owner`](crate::backend::OwnerChange::purge_owner); by day, by [`UsageStore::purge_usage_before`](crate::backend::UsageStore::purge_usage_before), called by a job of yours: it outlives its keys |
//! | `tower_api_key_usage_route` | a key, a day, an environment and a route, if usage is [counted by route](crate::count_routes) | with its row of `tower_api_key_usage` |
//! | `tower_api_key_usage_total` | an owner, a day and an environment | with `tower_api_key_usage`, whose sums it holds: delete no rows of that by your own statement |
//! | `tower_api_key_deleted_owner` | each deleted organization, user and project | by `purge_owner` |
//! | `tower_api_key_usage_writer` | each process that counts | automatically, after a week without counts |
//! | `tower_api_key_quota` (PostgreSQL) | each key or owner with a quota that nodes share, and each of its quotas | automatically, a day after the end of the period |
//! | `tower_api_key_node` (PostgreSQL) | each node | automatically, an hour after it has ended, with the next node that registers |
//!
//! An open transaction that has written, in any database of the server, prevents trimming, and each poll reads all rows since its start: set
//! `idle_in_transaction_session_timeout`. For a change of more than 1,000 keys, or of more than 10,000 within a poll interval, other nodes
//! invalidate everything, and read each key again at its next use.
//!
//! # Reading the audit log
//!
//! | Question | API |
//! |---|---|
//! | the changes of a key, also of a deleted one | `KeyManager::query_audit(&AuditQuery::all().of_key(id))`; the example `keys`: `keys audit --key ID` |
//! | the changes by an actor since a time | `AuditQuery::all().by("job:nightly").from(start)` |
//! | the changes of a customer's keys | `AuditQuery::all().of_organization("acme")`, or `of_user`, `of_project` |
//! | the same, for the customer | `Delegate::query_audit`; `GET /audit` and `GET /keys/{id}/audit`, once `ManageSettings::audit_log` is set |
//! | a copy elsewhere | `AuditQuery::all().oldest_first().after(&last)`, on PostgreSQL with the last minutes again: see [`AuditLog`](crate::backend::AuditLog) |
//!
//! An entry holds ids, its time and its owner, no reason, name or text. A customer is shown the actor of a change that was made by a `Delegate`,
//! and none for the changes of the application: names of operators are not for customers. The `created_by` of a
//! key is shown with the key, so an application acts [as](crate::manage::KeyManager::acting_as) an id, not as a name. The cursor of `GET /audit` holds the number of an
//! entry in the whole log: from two of them, a customer can estimate the number of changes that all customers made meanwhile.
//!
//! # Callers that change keys
//!
//! A [`Principal`](crate::Principal) describes the key at the time when the request was admitted. By the time its body arrives, the key may have
//! been revoked. So changes carry their [`Actor`](crate::backend::Actor), which the store checks in the transaction of the change:
//!
//! | Actor | API |
//! |---|---|
//! | a caller, its own keys | `KeyManager::on_behalf_of(&caller)`, and the routes |
//! | a caller, keys of other owners that the application permits, such as the tokens of an organization | `KeyManager::acting_for(caller.actor().requires_for(…))`, [`OwnerStore::change_owner`](crate::backend::OwnerStore::change_owner) |
//! | a caller whose key *another* backend keeps | `KeyManager::on_behalf_of_external(&caller)`, `ManageSettings::external_callers`: the store cannot check it. `on_behalf_of` rejects such a caller, and a caller whose key was deleted |
//! | a user with a session elsewhere | `KeyManager::on_behalf_of_external`, `ManageSettings::resolve_callers`: the application must check the session right before, as in [an application with a login](super::existing_login) |
//! | the application itself, a job | `KeyManager::acting_as("job:nightly")` |
//!
//! Before an irreversible step of the application itself, [`Principal::recheck`](crate::Principal::recheck) checks the caller again. It uses the
//! cache: it sees changes by this process at once, and those of other processes within L. It is no transaction.
//!
//! The store rejects a change that its actor is no longer allowed to make (403), and changes nothing. On PostgreSQL, a revocation by a caller
//! waits while many keys or an owner are changed; the application's own (`KeyManager::revoke`) does not wait, if it gets a connection. A
//! database-wide `lock_timeout` applies: a change that exceeds it, or deadlocks with a statement of yours, is retried once.
//!
//! # Deleted owners
//!
//! A deleted organization, user or project leaves its revoked keys, its usage and a mark. Until the owner is purged, its id is rejected for a
//! new owner and for new keys ([`Conflict`](crate::backend::BackendErrorKind::Conflict)): the next owner of the id would see the data of its predecessor.
//! The mark of a user holds a digest of the address, not the address.
//!
//! [`purge_owner`](crate::backend::OwnerChange::purge_owner) permanently deletes the keys, the usage and the mark, after the last bill. The entries of the
//! audit log stay, without the owner. Call it no
//! earlier than L and a flush interval of [`Usage`](crate::usage::Usage) after the owner was deleted: a node may still have counts of the former owner
//! to write. `KeyManager::purge_ended` deletes keys of all owners that ended before a time, and keeps usage and marks.
//!
//! # Backups
//!
//! After a restore, keys that were revoked after the backup are active again. Keep the log of changes outside of the database
//! (`KeyManager::audit`), and repeat the revocations of the log before you admit requests. What was used of shared quotas since the backup can be
//! used again.
//!
//! - SQLite: copy with `VACUUM INTO` or `.backup`, not with `cp` during use. Stop all processes before a copy is restored, and before a file of
//!   the database is moved or deleted, including `keys.db-wal`: a process would keep using the file that it has open. It detects that with the
//!   next poll, change or list, responds 503 from then on, and reports it in its log and in
//!   [`FeedHealth::last_error`](crate::health::FeedHealth::last_error). It must be restarted. If `keys.db-wal` was deleted, SQLite may undo changes of
//!   other processes when that process ends: compare with the log of changes. No process detects a file that is overwritten in place
//!   (`cp backup.db keys.db`), which SQLite forbids while the file is open: it can destroy the database.
//! - PostgreSQL, a physical backup or a point in time: the server starts anew, and all nodes read everything again.
//! - PostgreSQL, `pg_dump`: transaction ids come from the old server. If the new one is behind them, every poll invalidates everything, and
//!   `wait=fleet` waits for the lease each time. Stop the nodes, restore, and before they start again:
//!
#![doc = concat!("```sql\n", include_str!("restored.sql"), "```")]
//!
//! # A new pepper
//!
//! A store keeps digests, and a digest under one pepper cannot be converted to another. So an authenticator has a current
//! [`Digester`](crate::digest::Digester) and up to three former ones. A key that a request presents is looked up under all of them, in one
//! statement, and if it was found under a former one, the node adds its digest under the current one to the store. The same steps add a first
//! pepper, or replace one of 16 to 31 bytes: the former digester is then `Digester::sha256()`, or
//! [`FormerDigester::hmac_sha256`](crate::digest::FormerDigester::hmac_sha256).
//!
//! | Step | Nodes | Managers | Next, when | Back |
//! |---|---|---|---|---|
//! | 1. Deploy nodes, one after the other | `.digester(new).former_digester(former)` | as before: `KeyManager::digester(former)`, also beside a node (`for_authenticator(…)?.digester(former)`) | every node has both; no node logs that it cannot add a digest | deploy the former settings: each key still has its former digest |
//! | 2. Change managers | both | `.digester(new).former_digester(former)`; beside a node, those of the node | every manager has both, jobs and command lines too | change the managers back. Keys that they made meanwhile are known to nodes with both digesters only: do not go back beyond step 1, but exchange the two (`.digester(former).former_digester(new)`) |
//! | 3. Wait | both | both | [`keys_under_former_digesters`](crate::manage::KeyManager::keys_under_former_digesters) returns 0, or the rest is dealt with as below | nothing has changed |
//! | 4. Retire | both | call [`retire_former_digesters`](crate::manage::KeyManager::retire_former_digesters), once | it has returned | exchange the two on the nodes: keys get former digests again as they are used |
//! | 5. Remove the former digester | `.digester(new)` | `.digester(new)` | | add it again: the keys that were left are found again |
//!
//! Nodes come first because a key that a manager makes has a digest of its current digester only: a node without that answers 401. A node that
//! has the new pepper alone finds no key at all. It notices by the *fingerprints* that the store keeps of the digesters with which its keys
//! were made: [`start`](crate::Authenticator::start) fails, and without it, requests get 503 until the store has a key of that digester.
//! The fingerprint of a pepper is an HMAC under it, and reveals nothing of it.
//!
//! - *The command line.* The example `keys` takes the current pepper from `KEYS_PEPPER`, and former ones from `KEYS_FORMER_PEPPERS`.
//!   `keys digesters` shows their fingerprints and those of the store, and the number of keys that are left. A new pepper is in the store once a
//!   node has added a digest, or a manager has made a key. `keys retire-digesters` is step 4. No key is made while neither the current nor a
//!   former pepper is in the store.
//! - *Rights.* A node adds digests with [rights](#rights) that it needs for the time of the change only. A node without them admits keys under their
//!   former digests, and logs one warning. Keys that only such nodes see are left in step 3.
//! - *Unused keys.* A key gets its digest when it is used while it is active: a disabled key only after it was enabled. Where usage is
//!   counted, the keys that are left are those whose [`last_used_at`](crate::Record::last_used_at) precedes step 1. Wait for them, rotate them with
//!   a grace, or revoke them. After step 5 they are unknown, though still listed. Revoked and expired keys do not count.
//! - *Keys imported by their digest.* The store does not know their digester. They are left until they are used under a former one. A
//!   key that was imported by its digest under the current pepper is left in the count for as long as it exists, and is found all the same.
//! - *Costs, until step 5.* A cached key costs what it did before, once it has its current digest. A key without it costs one more digest for each
//!   request, as does a lookup; an unknown key is looked up in one statement, as before. Retiring invalidates each digest that it drops.
//! - *A leaked pepper.* With it and a copy of the store, keys that people chose can be guessed, before and after these steps: replace these keys
//!   themselves. Minted keys cannot be guessed.
//! - *Backups.* A backup from before step 4 has former digests. Keep the former pepper for as long as you may restore one.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_api_key::digest::Digester;
//! use tower_api_key::manage::{KeyManager, NewKey};
//! use tower_api_key::{Authenticator, KeyFormat, MemoryStore};
//!
//! let store = MemoryStore::new();
//! let [new, former] = [Digester::hmac_sha256(b"a pepper of 32 random bytes here")?, Digester::sha256()];
//! let old_node = Authenticator::builder(store.clone()).digester(former.clone()).build()?;
//! # let format = KeyFormat::new("demo")?;
//! # let key = || NewKey::for_organization("acme");
//! # let before = KeyManager::new(store.clone(), format.clone()).digester(former.clone());
//! # let used = before.create(key()).await?.reveal();
//! # let unused = before.create(key()).await?.reveal();
//!
//! // A node with the new pepper alone would know no key.
//! let node = Authenticator::builder(store.clone()).digester(new.clone()).build()?;
//! assert!(node.start().await.unwrap_err().to_string().contains("no key of the store was made with a digester of this node"));
//!
//! // 1. Nodes, one after the other. Each knows the keys that the managers make.
//! let node = Authenticator::builder(store.clone()).digester(new.clone()).former_digester(former.clone()).build()?;
//! node.start().await?;
//! let manager = KeyManager::for_authenticator(&node, store.clone(), format)?;
//! let first = manager.clone().digester(former).create(key()).await?.reveal();
//! for node in [&old_node, &node] {
//!     node.verify(used.as_str()).await?;
//!     node.verify(first.as_str()).await?;
//! }
//!
//! // 2. Managers, once every node has the new pepper.
//! let second = manager.create(key()).await?.reveal();
//! node.verify(second.as_str()).await?;
//!
//! // 3. One key was not used since.
//! # while manager.keys_under_former_digesters().await? > 1 {
//! #     tokio::task::yield_now().await;
//! # }
//! assert_eq!(manager.keys_under_former_digesters().await?, 1);
//! // 4. It keeps its digest; two other keys lose their former ones.
//! assert_eq!(manager.retire_former_digesters().await?, 2);
//! old_node.verify(unused.as_str()).await?;
//! assert!(old_node.verify(used.as_str()).await.is_err());
//!
//! // 5. Nodes with the new pepper alone. A key that was not used before is unknown.
//! let node = Authenticator::builder(store).digester(new).build()?;
//! node.start().await?;
//! for key in [used, first, second] {
//!     node.verify(key.as_str()).await?;
//! }
//! assert!(node.verify(unused.as_str()).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 10 of 10: rim.
