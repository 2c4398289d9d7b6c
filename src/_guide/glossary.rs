//! Glossary: the words of this crate, one for each concept.
//!
//! | Term | Meaning |
//! |---|---|
//! | credential | What a request presents: a key, or an e-mail with a key or a password. |
//! | scheme, source | How a credential is presented, such as Bearer or Basic, and a [place](crate::Source) in the request where the layer looks for one. |
//! | API key | A secret text that identifies its owner, made by this crate ([minted](crate::KeyFormat)) or imported. |
//! | digest | The hash of a key, by which a store finds its record. |
//! | digester, pepper | The [algorithm](crate::digest::Digester) that computes digests, and the secret that it may use. Keys of a [former](crate::digest::FormerDigester) digester stay known, and get a further digest when they are used. |
//! | fingerprint | The [name](crate::digest::Fingerprint) by which a store recognizes a digester or a key format. It reveals no pepper. |
//! | record | The data that a store keeps for a key: a [`Record`](crate::Record). |
//! | principal | The authenticated caller of a request: a [`Principal`](crate::Principal). |
//! | external caller | A caller that another login has authenticated, or whose key another backend keeps: an [`ExternalCaller`](crate::manage::ExternalCaller). |
//! | scope, requirement | What a key [may do](crate::Scope), and the scopes that a route [asks for](crate::Requirement). |
//! | permission | A scope that keys can be granted, [listed](crate::manage::Permissions) with a description. |
//! | environment | Live or test: an [`Environment`](crate::Environment) accepts only its own keys. |
//! | limit | The number of requests that a key or its owner may make: a [rate or a quota](crate::limit::Limit). |
//! | rate, quota | A limit in any window of seconds, which comes back evenly; one in a day or month of the calendar in UTC. |
//! | plan | A named set of limits, which keys, organizations and users [refer to](crate::limit::Plan). |
//! | allowance | What is left of a limit. |
//! | counters | What counts requests to limits: each process by itself, or a [store](crate::limit_requests::Counters) that a fleet shares. |
//! | actor | The caller that makes a change, and the rights that the change rests on: an [`Actor`](crate::backend::Actor). |
//! | owner | The [organization, user or project](crate::Owner) that a key belongs to. |
//! | session, opener | A visitor's stay on the pages of the [console](crate::backend::RecordKind::Sessions), and the actor that began it and makes its changes. |
//! | hand-over, code | The way of a visitor from the application into the console: a text in a URL, which one browser redeems once for a session. |
//! | membership | A user's role in an organization: a [`Membership`](crate::owner::Membership). |
//! | backend, store | A [`Backend`](crate::backend::Backend) resolves digests; a [`KeyStore`](crate::backend::KeyStore) is a backend that also keeps keys. |
//! | cache entry | The result of a lookup, kept in memory. The negative cache holds the entries of unknown keys. |
//! | disabled, revoked | A disabled key is rejected until it is enabled; a revocation is final. [All states](super::rotation#states-of-a-key). |
//! | tombstone | A digest that is known to be revoked. |
//! | generation | A number that an entry and a lookup carry; a change invalidates all that were read under an older one. |
//! | single flight | One lookup for all concurrent requests for a key: the leader starts it, waiters share its outcome. |
//! | bulkhead | Separate permits for lookups of known (warm) and unknown (cold) keys, so that neither starves the other. |
//! | circuit breaker | Stops lookups for a pause after repeated failures of the store. |
//! | change feed | The [log](crate::backend::ChangeFeed) of the changes of all processes, the node's own included, as a node polls it. |
//! | invalidation | The [effect](crate::backend::Invalidation) of a change on the cache of this process. |
//! | poller, lease | The task that reads the change feed, and the time for which the cache may be trusted after a poll began. |
//! | stale grace | The time by which an outage may extend the validity of an entry. |
//! | node | A process with an authenticator; the nodes on one store are a fleet. |
//! | epoch | One run of a database server; a crash or a promotion begins another. |
//! | rejection | The reason why a request is not admitted: a [`Rejection`](crate::Rejection). |
//! | challenge | The `WWW-Authenticate` header of a rejection: the schemes to use. |
//! | usage | The number of requests admitted with a key, and of those rejected afterwards, by [day and environment](crate::usage). |
//! | audit event | A change or a rejection, as the [audit](crate::audit) hook receives it. |
//! | audit log | The [entries](crate::backend::AuditEntry) of all changes, which a store writes in the transaction of each. |

// Layer 10 of 10: rim.
