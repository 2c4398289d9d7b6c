//! Guides by task, services like known ones, security, design and a glossary: texts, public in every build, which include example files.
//!
//! Each page of a task has one complete example, which the tests of this crate run, and names the mistake that is easy to make. Where
//! examples use [`MemoryStore`](crate::MemoryStore) or `test_util::layer`, a service opens an `SqliteStore` or a `PostgresStore`.
//!
//! | Task | Page |
//! |---|---|
//! | protect an axum API | [`axum_api`] |
//! | protect a tonic service | [`tonic_service`] |
//! | issue keys to customers | [`issuing_keys`] |
//! | give customers and operators pages for keys | [`console`] |
//! | keep many tenants apart | [`tenants`] |
//! | limit requests, for free and paid plans | [`limits`] |
//! | rotate keys, and end them everywhere | [`rotation`] |
//! | operate: settings, alerts, failover, replicas, rights, backups, a new pepper | [`operations`] |
//! | replace a hand-written middleware, and import its keys | [`hand_written_middleware`] |
//! | add keys to an application with a login: its database, and users who manage keys | [`existing_login`] |
//! | accept JWTs, sessions or keys of another kind beside keys | [`beside_other_credentials`] |
//! | protect an MCP server | [`mcp_server`] |
//! | put a reverse proxy in front, or build one | [`reverse_proxy`] |
//! | order the layers: access logs, CORS, compression, timeouts, errors, limits | [`layers`] |
//!
//! The pages of services rebuild the authentication of known APIs with public documents: each lists the documented promises and shows the files of a
//! running example that keep them. To build a service of your own, copy the closest example and change what its table says.
//!
//! | Service | Shows |
//! |---|---|
//! | [`memfault`] | organizations, users and projects each with its own access, passwords, single sign-on, several kinds of key by header |
//! | [`memory_api`] | two headers, a code for each rejection, scopes, sign-up, usage that is metered for billing |
//! | [`memory_scope`] | one header, one environment, one response to all invalid keys, rate limits and usage by key, a console |
//! | [`memsolus`] | permissions by group, 403 without them, live and test keys side by side |
//!
//! | Reference | Shows |
//! |---|---|
//! | [`troubleshooting`] | mistakes, and the messages that name what to change |
//! | [`security`] | the promises, the tests that show them, and their limits |
//! | [`design`] | the rationale of each part |
//! | [`glossary`] | the words of this crate |

// Layer 10 of 10: rim.
// The pages link to items of all features.
#![cfg_attr(not(feature = "full"), allow(rustdoc::broken_intra_doc_links))]

pub mod axum_api;
pub mod beside_other_credentials;
pub mod console;
pub mod design;
pub mod existing_login;
pub mod glossary;
pub mod hand_written_middleware;
pub mod issuing_keys;
pub mod layers;
pub mod limits;
pub mod mcp_server;
pub mod memfault;
pub mod memory_api;
pub mod memory_scope;
pub mod memsolus;
pub mod operations;
pub mod reverse_proxy;
pub mod rotation;
pub mod security;
pub mod tenants;
pub mod tonic_service;
pub mod troubleshooting;
