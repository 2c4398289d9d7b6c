//! Guides: APIs like known ones, operations, security, design and a glossary.
//!
//! The first four pages rebuild the authentication of services with public documents: each lists the documented promises and shows the
//! files of a running example that keep them. To build a service of your own, copy the closest example and change what its table says.
//!
//! | Page | Shows |
//! |---|---|
//! | [`memfault`] | organizations, users and projects each with its own access, passwords, single sign-on, several kinds of key by header |
//! | [`memory_api`] | two headers, a code for each rejection, scopes, sign-up, usage that is metered for billing |
//! | [`memory_scope`] | one header, one environment, one response to all invalid keys, rate limits and usage by key, a console |
//! | [`memsolus`] | permissions by group, 403 without them, live and test keys side by side |
//! | [`operations`] | the trade-offs of the settings, alerts, failover, replicas, rights, backups, another pepper |
//! | [`security`] | the promises, the tests that show them, and their limits |
//! | [`design`] | the rationale of each part |
//! | [`glossary`] | the words of this crate |

pub mod design;
pub mod glossary;
pub mod memfault;
pub mod memory_api;
pub mod memory_scope;
pub mod memsolus;
pub mod operations;
pub mod security;
