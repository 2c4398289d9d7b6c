//! Operations: what the settings trade, what to alert on, and what becomes of revocations when something is broken.
//!
//! A node is a process with an [`Authenticator`](crate::Authenticator). The example `fleet` starts three of them on one PostgreSQL:
//! `cargo run --example fleet --all-features`.
//!
//! # Settings
//!
//! | Setting | More of it | One node, SQLite | A fleet, PostgreSQL | A fleet that rides out a failover of a minute |
//! |---|---|---|---|---|
//! | [`lease`](crate::AuthenticatorBuilder::lease) (L) | polls may fail for longer before each request asks the database; a node that is cut off admits revoked keys for longer | 5 s | 5 s | 5 s |
//! | [`poll_interval`](crate::AuthenticatorBuilder::poll_interval) | fewer statements; later news where no word of them arrives | 1 s | 1 s | 1 s |
//! | [`stale_grace`](crate::AuthenticatorBuilder::stale_grace) (S) | longer outages without 503 for keys that the node knows; as much longer for a revoked key on a node that gets no answer | zero | zero | 90 s |
//! | [`positive_ttl`](crate::AuthenticatorBuilder::positive_ttl) | fewer lookups; later news of what was changed past the crate, by hand. Each key has up to a tenth less, by its digest | 60 s | 60 s | 60 s |
//! | [`negative_ttl`](crate::AuthenticatorBuilder::negative_ttl) | fewer lookups of bad keys; later news of keys that were added past the crate | 5 s | 5 s | 5 s |
//! | [`deadline`](crate::AuthenticatorBuilder::deadline) | fewer 503 from a slow database; requests that wait for longer in an outage. Polls have it too, or L if that is shorter: keep it well below L | 500 ms | 500 ms | 500 ms |
//! | [`circuit_breaker`](crate::AuthenticatorBuilder::circuit_breaker) | a longer pause spares a database that comes back, and answers from it come later | 5, 1 s | 5, 1 s | 5, 1 s |
//! | `KeyManager::lease` | `wait=fleet` waits for longer for nodes that say nothing. PostgreSQL knows how long its nodes take, and waits for that if it is longer | 5 s | 5 s | 95 s: L and S |
//! | | **What follows** | | | |
//! | revoked by the same process | | the next request | the next request | the next request |
//! | revoked by another, nothing is broken | | the next poll: 1 s | word arrives within milliseconds, or the next poll: 1 s | the same |
//! | revoked by another, whatever is broken | | 5 s: L | 5 s: L | 95 s: L and S, on a node that gets no answer; 5 s on one that does |
//! | an outage, for keys that the node knows | | admitted for 4 to 5 s, then 503 | the same | admitted for 90 s, then 503 |
//! | an outage, for other keys | | 503 | 503 | 503 |
//!
//! The values of the first two columns are the defaults. Between regions, where an answer takes a part of the deadline, raise both: L
//! should be no less than three times the poll interval and the deadline together, so that a poll that is lost costs nothing.
//!
//! L counts from when a poll *began*, because what it answers may be as old as that: a revocation that was committed after a poll
//! began may be missing in it, and the next poll brings it or the lease ends. It ends by whichever clock comes first, the monotonic
//! one or the wall clock. When it has ended, every request asks the database, so a revocation is seen wherever there is an answer.
//! S adds to that in an outage and in nothing else: a record that would count if it were S earlier is used where a lookup was not
//! answered, be it by the database, within the deadline, because the circuit breaker is open, because too many wait, or because
//! what the database holds cannot be read. Expiry is judged by the time that it is. To ride out a failover, prefer S to a longer L:
//! a longer L is paid for also where the database answers.
//!
//! A store of your own without a feed ([`Backend::feed`](crate::Backend::feed)) has no L. What others change is learned when
//! `positive_ttl` ends, and S adds to that.
//!
//! # What to alert on
//!
//! [`Authenticator::health`](crate::Authenticator::health) tells all of this but the rates, and asks nobody for it. With the
//! feature `metrics`, the same is there to be scraped under the names below, each with a label `authenticator`;
//! `docs/grafana.json` in the repository is a dashboard of them.
//!
//! | Alert | When | What it means |
//! |---|---|---|
//! | `tower_api_key_feed_lag_seconds` | above half of L for a minute | polls are lost; the next one that is makes every request ask the database |
//! | `tower_api_key_lease_remaining_seconds` | 0 for a minute | nothing that was read counts. The database carries every request, or none is answered |
//! | `tower_api_key_feed_listening` | 0 for ten minutes | no harm yet: news take a poll interval. A firewall, or connections that are used up |
//! | `tower_api_key_feed_restarts_total` | rises at all | the feed of the store panicked: a fault of the store, see the log. Polls pause from 1 s up to 30 s, and every request asks the database when L has ended |
//! | `tower_api_key_backend_errors_total{kind="corrupt"}` | rises at all | a row cannot be read, and its key gets 503 until it is mended: the log has the cause, as an error |
//! | `tower_api_key_backend_errors_total`, other kinds | its rate above zero for a minute | lookups or polls fail: `unavailable`, `deadline` for no answer in time, `panic`. Lookups that the circuit breaker keeps from the database are not among them |
//! | `tower_api_key_stale_admissions_total` | rises at all | requests are admitted within S by what was read before an outage |
//! | `tower_api_key_invalidations_total{kind="everything"}` | more than once in ten minutes | nodes take everything to be changed, and read each key again: a failover, [backups](#backups), or changes of many keys |
//! | `tower_api_key_circuit_open` | 1 again and again for a minute | the database gives no answer. Each pause ends with one lookup that tries |
//! | `tower_api_key_refusals_total{reason="unavailable"}` | its rate above 1 % of all requests for five minutes | clients get 503, not 401 |
//! | `tower_api_key_usage_backlog` | grows for ten minutes | counts are not written; at 100,000 ([`UsageBuilder::backlog`](crate::usage::UsageBuilder::backlog)) they begin to be lost |
//! | `tower_api_key_usage_lost_total` | rises at all | requests were admitted that no bill will show |
//! | `tower_api_key_lookups` | near 1,024, or sixteen times [`max_concurrent_lookups`](crate::AuthenticatorBuilder::max_concurrent_lookups) | a flood of unknown keys, or a slow database. Past it, the answer is 503 |
//! | `tower_api_key_refusals_total{reason="unknown"}` | ten times what is usual | somebody guesses, or a client has lost its key |
//! | misses among `tower_api_key_cache_hits_total` and `tower_api_key_cache_misses_total` | ten times what is usual for ten minutes | everything is taken to be changed again and again: see [backups](#backups) |
//!
//! `tower_api_key_admissions_total` is the traffic that the rates are measured by.
//!
//! # What the log says
//!
//! With the feature `tracing`, under the target `tower_api_key`:
//!
//! | Level | What | How often |
//! |---|---|---|
//! | ERROR | a row that cannot be understood; a store that panicked | once for each lookup, poll or batch |
//! | ERROR | the feed panicked and is replaced | once for each time, with pauses of 1 s up to 30 s between them |
//! | ERROR | counts of usage are lost | once, until the store takes counts again; and when a meter is dropped that was not flushed |
//! | ERROR | a request did not pass an `AuthenticateLayer`: the layer to add, and where | each such request |
//! | WARN | the store gave no answer, with all causes | once for each lookup, poll or batch, however many requests wait for it. The circuit breaker ends them: then once for each pause |
//! | WARN | the store is left alone | once for each pause of the circuit breaker |
//! | WARN | too many requests wait for the store | once a second at the most |
//! | WARN | a change or a list of keys failed, with all causes | each request of the management routes that is answered 503 |
//! | INFO | a request was refused, by reason | each |
//! | DEBUG | a request was admitted | each |
//!
//! [`Health::is_ready`](crate::Health::is_ready) is for a readiness probe. An outage of the database makes all nodes unready when
//! the lease (and S) has ended, at about the same time, so let the balancer send requests to unready nodes where it has no others;
//! they are answered 503 with `Retry-After`. A node is ready again after the first poll that is answered, also if it gets no
//! requests.
//!
//! # Revocations while something is broken
//!
//! | What is broken | Whoever revokes | The others |
//! |---|---|---|
//! | the database cannot be reached from the one who revokes | an error, 503 from the routes. The key is not revoked; or it is, if the connection was lost while it committed: say it again, which changes nothing where it was done | as they were, or as if it was answered |
//! | a node cannot reach the database | is answered | that node admits the key until L (and S) have passed since its last poll began, then answers 503 |
//! | a node hears nothing (`feed_listening` is 0) | is answered | the next poll, 1 s |
//! | a node was suspended | is answered | it trusts nothing when it wakes up, if it slept for longer than L |
//! | a process stands still, or is cut off, within a transaction that changes keys | is answered, unless it is about the same key, or about the actor of that change: then after 1 s, when the server ends that transaction | as ever |
//! | the file of SQLite was replaced or deleted while it was used | an error | the node admits keys that it knows until L (and S) have passed, then answers 503 until it is started again |
//! | a node cannot write `tower_api_key_node` | is answered | it trusts nothing; every request asks the database |
//!
//! `DELETE /keys/{id}?wait=fleet` (`KeyManager::revoke_everywhere`) answers when no node admits the key any more, and says how
//! that is known: `Revocation-Reached: every-node` if all nodes on the list have acknowledged it, and `lease-end` if
//! `KeyManager::lease` had to pass. A node that has ended stays on the list for up to a minute, L and S, so in that time after a
//! deployment, or a crash, the answer is `lease-end`. The log names the nodes that have not acknowledged
//! (`PostgresStore::node_name` sets the names), and so do the lines `Revocation-Missing` of the answer, with `ManageSettings::show_nodes`. With
//! `wait_seconds`, the answer comes no later than that, and is `this-process` if other nodes may still admit the key.
//!
//! SQLite keeps no list: the answer is `this-process` at once. Where several processes share a file, `wait=fleet&until=lease` waits for L, and
//! answers `lease-end`.
//!
//! With a stale grace, a node that is cut off stays on the list for L and S, for which it may admit: until then the answer is
//! `lease-end`. Two things may still come after `every-node`. A lookup that was under way when the key was revoked may be
//! answered by what was true before, on a node that has no lease, within the `deadline` at the latest. And if the clock of the
//! database is set ahead by more than half a minute while a node is cut off, that node leaves the list so much too early.
//!
//! # Failover, and what it can lose
//!
//! A standby that is promoted answers with another start time of its server and in another epoch: a table without a log, which a
//! promotion and a crash empty, has a name for each. Every node sees that with its next poll, takes everything to be changed, and
//! reads each key again when it is next used. The same happens when transactions have lower numbers than before, and when a node
//! has missed what was taken off the log of changes.
//!
//! A standby that streams *asynchronously* may not have the last changes that were acknowledged. A revocation among them is undone:
//! once everything was read again, the key is admitted. Nothing in the database tells of it. So
//!
//! - have at least one synchronous standby for the database with these tables (`synchronous_standby_names`, with
//!   `synchronous_commit = on` for the role that manages keys), and promote no other. Changes of keys are few, and do not feel it;
//! - log each change outside of the database as well (`KeyManager::audit`), and after a failover compare the last minutes with
//!   [`AuditLog`](crate::backend::AuditLog). Revoking again what is missing is safe.
//!
//! A node that is pointed at a standby gets errors for polls and lookups ("cannot access temporary or unlogged relations during
//! recovery"), and answers 503. Give the URL of whatever leads to the primary.
//!
//! Shut the former primary off before another server is promoted (fencing). A node whose connections stay with a primary that
//! lives on is told nothing of what is changed on the new one, and no lease helps against that.
//!
//! # Read replicas
//!
//! `PostgresStore::with_replica` sends lookups of keys to a hot standby that streams from the primary, and nothing else. The
//! replica has to have what the last poll of the primary saw, or the primary is asked: so it does not add to any bound above,
//! however far it is behind. One that is always behind costs each lookup the question whether it is; one that gives no answer
//! within 200 ms is left alone for a second. After a change that the process makes itself, lookups go to the primary until the
//! next poll; so they do from L after the last poll that was answered, and for good when the primary changes its timeline, as after
//! a failover, until the process is started again. Keys that the replica does not have are looked up on the primary, so it is of no
//! help against unknown keys. Each connection of its pool has to stay with one server: no balancer that moves sessions between
//! replicas. Give the pool's options `client_connection_check_interval` (PostgreSQL 14 or later), so that a lookup which is given up ends
//! on the replica as well.
//!
//! # Connections and PgBouncer
//!
//! Each kind of work has connections that nothing else can hold, made when they are first needed:
//!
//! | For | PostgreSQL | SQLite |
//! |---|---|---|
//! | lookups, `wait=fleet` | 5 | 4 |
//! | polls | 1 | 1 |
//! | lists and usage, by management | 2 | 2 |
//! | changes | 2 | 2 |
//! | revocations of one key by the application | 1 | 1 |
//! | owners that are deleted or disabled | 1 | 1 |
//! | counts of usage, first uses | 1 | 1 |
//! | word of changes, for each authenticator | 1 | |
//!
//! So a process with one authenticator takes up to 14 connections of a PostgreSQL server, and a hundred of them 1,400: set `max_connections`, or
//! the `CONNECTION LIMIT` of the role, by that. A server that gives fewer is made do with: five are enough for one that answers in a
//! millisecond. The connections for lookups and polls stay open, and one of each is made when the store is opened, so that nothing else takes
//! them; a poll that finds its own taken goes by one of lookups. The others, up to seven, are connections of the pool where you hand one to
//! `with_pool`; those for lookups and polls are made like these. An SQLite database in memory has one pool for everything. Of the lookups, half
//! at the most are of keys that were not good a short while ago, so that a flood of those leaves room for the others.
//!
//! A statement whose client has given up goes on at the server until the server notices. While a table is locked, as by `ALTER TABLE`, each
//! lookup and poll that meets its deadline leaves one, with its connection. So the connections for these have the server look for their
//! client once a second (`client_connection_check_interval`), and a process leaves no more than two dozen. PostgreSQL 13 does not know the
//! setting and PgBouncer does not pass it on: there, or before it, have migrations give up soon (`lock_timeout`).
//!
//! Lists and changes that find no connection wait for up to 5 s, 256 of each kind. More of them, and those that have waited, are answered 503
//! with `Retry-After` ([`Busy`](crate::BackendErrorKind::Busy)): nothing was changed. A list is given up by the database after 10 s.
//!
//! PgBouncer is of use in two ways, and a test holds it to both, with the version of Debian 12 (1.18) or a later one:
//!
//! - `pool_mode = session`: all is as without it. It needs a `default_pool_size` of no less than the connections of all processes.
//! - `pool_mode = transaction`, from version 1.21 on, with `max_prepared_statements` above 0 (100, say; it is the default from 1.24 on):
//!   statements are prepared in one transaction and executed in others. Where they get lost, as with earlier versions, the store refuses
//!   the connections when it is opened. To do without a cache of statements (`statement_cache_capacity(0)` of sqlx) is of no help: each
//!   statement is prepared in a transaction of its own all the same. When a column of the tables was altered, tell PgBouncer to `RECONNECT`.
//!
//! `LISTEN` needs a connection that stays with its server session: the address of the server itself, or a pooler of sessions. Behind one of
//! transactions no word arrives, though the node takes itself to be listening: news come with the polls then. Say so
//! (`PostgresStore::polling_only`), and the node does not listen in vain. For word of changes, give the store the address of the server and
//! the rest of the application that of the pooler.
//!
//! PgBouncer refuses the parameter `extra_float_digits`, which sqlx sends. `PostgresStore::open` leaves it out; for a pool of your own, use
//! `PgConnectOptions::extra_float_digits(None)`, or PgBouncer's `ignore_startup_parameters = extra_float_digits`.
//!
//! # Rights
//!
//! One role owns the tables and brings them up to date; the first start of a new version has to be by that role. What the others
//! need, and what a test holds them to:
//!
#![doc = concat!("```sql\n", include_str!("roles.sql"), "```")]
//!
//! The store looks for its tables in all schemas of the search path when it is opened, creates them in the first one if none has them, and
//! refuses to choose where several do. From then on it stays with that schema, also when another one that comes before it in the path gets
//! tables of the same names, as with `"$user", public` and a schema that is called like the role.
//!
//! With SQLite, the process needs to be able to write the file and its folder, also where it only looks keys up. A file that the store
//! creates may be read by its owner only (mode 0600), and so may SQLite's files beside it. The mode of a file that exists is left alone: one
//! that was made under a umask of 022, by an earlier version or by hand, shows every user of the machine the hashes of passwords and the
//! keys that can be read back, so `chmod 600 keys.db*` once.
//!
//! # Clocks
//!
//! Whether a key has expired is judged by the wall clock of the node that is asked: keep them in step (NTP), and think of the worst
//! of them when you promise an end. Leases need no common clock. A wall clock that is set forward ends the lease early, until the
//! next poll; one that is set back leaves it to the monotonic clock. A machine that was suspended, whose monotonic clock may have
//! stood still, goes by the wall clock. The list of nodes and the age of changes go by the clock of the database alone.
//!
//! # Start and end
//!
//! Call [`Authenticator::start`](crate::Authenticator::start) before the server listens, and let its error end the process:
//! otherwise the first request begins to follow the changes, and until the first poll is answered all requests ask the database.
//! Several nodes may start at once: one of them brings the tables up to date while the others wait. A version of the crate that is
//! older than the tables refuses to start.
//!
//! At the end: stop to accept, let open requests end, [`Usage::flush`](crate::Usage::flush), then `close` the store. Without the
//! flush, what was counted within one interval, 10 s, is lost, and an error in the log says how much that is. A crash loses the same, as
//! does `std::process::exit`, without a word. So where you end with requests still open, as at a second signal, flush before the process
//! ends: `examples/support/process.rs` shows how.
//!
//! # What grows
//!
//! | Table | By | Shrinks |
//! |---|---|---|
//! | `tower_api_key` | each key, also revoked and expired ones | by `KeyManager::purge_ended`, called by a job of yours, in batches of 500 |
//! | `tower_api_key_change` | each key that a change concerns | by itself: with each change, up to a thousand that are older than an hour, and that no open transaction can still hide. A database without changes keeps the last ones |
//! | `tower_api_key_audit` | each key that a change concerns | by [`AuditLog::purge_before`](crate::backend::AuditLog::purge_before), called by a job of yours |
//! | `tower_api_key_usage` | a key, a day and an environment | with its owner, by [`OwnerStore::purge_owner`](crate::backend::OwnerStore::purge_owner); else never: it outlives its keys. Delete days that were billed by a statement of your own |
//! | `tower_api_key_deleted_owner` | each organization, person and project that was deleted | by `purge_owner` |
//! | `tower_api_key_usage_writer` | each process that counts | by itself, after a week of silence |
//! | `tower_api_key_node` (PostgreSQL) | each process that follows | by itself, an hour after it has ended, with the next node that enlists |
//!
//! A transaction that has written something and stays open, in any database of the server, keeps changes from being trimmed, and
//! has each poll pass over all rows since then: set `idle_in_transaction_session_timeout`. A change that concerns more than 1,000
//! keys, or more than 10,000 within a poll interval, is taken for a change of everything by the other nodes, which then read each key again when it is next used.
//!
//! # Callers that change keys
//!
//! A [`Principal`](crate::Principal) is what a request was admitted by. When its body has arrived, the key may have been revoked. So changes
//! carry their [`Actor`](crate::backend::Actor), and the store judges it in the transaction of the change:
//!
//! | Who changes keys or owners | By |
//! |---|---|
//! | a caller, its own keys | `KeyManager::on_behalf_of(&caller)`, and the routes |
//! | a caller, what the application lets it do elsewhere, such as the tokens of an organization | `KeyManager::acting_for(caller.actor().requires_for(…))`, [`OwnerStore::change_owner`](crate::backend::OwnerStore::change_owner) |
//! | a caller whose key *another* backend keeps | `KeyManager::on_behalf_of_external(&caller)`, `ManageSettings::external_callers`: the store cannot judge it. By `on_behalf_of` such a caller is refused, as is one whose key was deleted |
//! | a person who is signed in elsewhere, by a session | [`Actor::external`](crate::backend::Actor::external): the application has to look the session up right before |
//! | the application itself, a job | `KeyManager::acting_as("job:nightly")` |
//!
//! For a step of the application's own that cannot be undone, [`Principal::recheck`](crate::Principal::recheck) judges the caller once more. It
//! is answered from the cache: by the next request in this process, within L for what others change. It is no transaction.
//!
//! A change is refused that its actor may not make any more (403), and nothing is changed. On PostgreSQL, a revocation by
//! a caller waits while many keys or an owner are changed, and the application's own (`KeyManager::revoke`) does not, if it gets a connection. A database-wide
//! `lock_timeout` is respected: a change that runs into it, or into a deadlock with a statement of yours, is tried once more.
//!
//! # Owners that are deleted
//!
//! An organization, a person or a project that is deleted leaves its revoked keys, its usage and a mark. Until the owner is purged, its id is
//! refused for a new one ([`Conflict`](crate::BackendErrorKind::Conflict)), and so are new keys of it: the next owner of the id would see what its predecessor
//! left. The mark of a person holds a digest of the address, not the address.
//!
//! [`purge_owner`](crate::backend::OwnerStore::purge_owner) deletes the keys, the usage and the mark for good, once the last bill is written.
//! Call it no earlier than L and a flush interval of [`Usage`](crate::Usage) after the owner was deleted: a node may still have counts of the former
//! owner to write. `KeyManager::purge_ended` deletes keys of all owners that ended long ago, and leaves usage and marks alone.
//!
//! # Backups
//!
//! What was revoked after the backup is in force again. Keep the log of changes outside of the database (`KeyManager::audit`), and
//! revoke again what it says before you let requests in.
//!
//! - SQLite: copy with `VACUUM INTO` or `.backup`, not with `cp` while it is used. Stop all processes before a copy is put back, and before a
//!   file of the database is moved or deleted, `keys.db-wal` included: a process would go on with the file that it has opened. It notices
//!   that with the next poll, or with the next change or list, answers 503 from then on, and says so in its log and in
//!   [`FeedHealth::last_error`](crate::FeedHealth::last_error). It has to be started again. Where `keys.db-wal` was deleted, SQLite
//!   may undo, when that process ends, what others changed meanwhile: compare with the log of changes. No process notices a file that is
//!   overwritten in place (`cp backup.db keys.db`), which SQLite forbids while the file is open: it can destroy the database.
//! - PostgreSQL, a physical backup or a point in time: the server starts anew, and all nodes read everything again.
//! - PostgreSQL, `pg_dump`: numbers of transactions come from the old server. Where the new one is behind them, every poll takes
//!   everything to be changed, and `wait=fleet` waits for the lease each time. Stop the nodes, restore, and before they start again:
//!
#![doc = concat!("```sql\n", include_str!("restored.sql"), "```")]
//!
//! # Another pepper
//!
//! A store keeps digests, and no digest under one pepper becomes one under another: keys that were stored under the former pepper
//! have to be replaced, by rotation or by their owners. An authenticator has one [`Digester`](crate::Digester), so until then two
//! of them answer, over clones of one store. The same way leads from no pepper to one.
//!
//! 1. All nodes ask the authenticator with the new pepper, and where it does not know the key, the one with the former.
//! 2. When all do, managers get the new pepper (`KeyManager::digester`). From then on new keys and successors are under it.
//! 3. Rotate all keys that were made before, with a grace (`KeyFilter::created_before`), or have their owners do so.
//! 4. When the last of them has ended, take the former authenticator away. Then the former pepper opens nothing.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "manage"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # use tower::ServiceExt;
//! # use tower_api_key::backend::Grace;
//! # use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
//! # use tower_api_key::{Digester, KeyFormat, MemoryStore, Owner};
//! use axum::extract::{Request, State};
//! use axum::middleware::{Next, from_fn_with_state};
//! use axum::response::Response;
//! use axum::{Router, body::Body, routing::get};
//! use tower_api_key::{Authenticator, Principal, Reason, Rejection};
//!
//! async fn admit(
//!     State([new, former]): State<[Authenticator; 2]>,
//!     mut request: Request,
//!     next: Next,
//! ) -> Result<Response, Rejection> {
//!     let principal = match new.authenticate(request.headers()).await {
//!         Err(rejection) if *rejection.reason() == Reason::Unknown => former.authenticate(request.headers()).await?,
//!         outcome => outcome?,
//!     };
//!     request.extensions_mut().insert(principal);
//!     Ok(next.run(request).await)
//! }
//!
//! let store = MemoryStore::new();
//! let peppers = [Digester::hmac_sha256(b"the new pepper of 32 bytes or so")?, Digester::sha256()];
//! let authenticators = peppers.clone().map(|pepper| Authenticator::builder(store.clone()).digester(pepper).build().unwrap());
//! let app: Router = Router::new()
//!     .route("/whoami", get(async |principal: Principal| principal.key_id().to_string()))
//!     .layer(from_fn_with_state(authenticators, admit));
//! # let [new, former] = peppers;
//! # let before = KeyManager::new(store.clone(), KeyFormat::new("demo")?).digester(former);
//! # let now = before.clone().digester(new);
//! # let (old, record) = before.create(NewKey::new(Owner::organization("acme"))).await?.into_parts();
//! # let grace = Grace::For(std::time::Duration::from_secs(60));
//! # let (successor, _) = now.rotate(&record.id, RotateOptions::new(grace)).await?.into_parts();
//! # let status = async |key: &str| {
//! #     let request = Request::get("/whoami").header("x-api-key", key).body(Body::empty()).unwrap();
//! #     app.clone().oneshot(request).await.unwrap().status()
//! # };
//! # assert_eq!(status(old.as_str()).await, 200);
//! # assert_eq!(status(successor.as_str()).await, 200);
//! # assert_eq!(status("nobody").await, 401);
//! # before.revoke(&record.id, "replaced").await?;
//! # assert_eq!(status(old.as_str()).await, 401);
//! # assert_eq!(status(successor.as_str()).await, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Scope layers behind it work as ever. With the feature `metrics`, give each authenticator a name (`metrics_name`). Until the
//! former authenticator is gone, what [`AuthenticateLayer`](crate::AuthenticateLayer) does besides is missing: answers over gRPC,
//! headers that are marked as sensitive, and `Cache-Control` and `Vary` on responses. Each process is two nodes on the list, an
//! unknown key costs two lookups, and one under the former pepper one more than ever whenever the `negative_ttl` ends.
