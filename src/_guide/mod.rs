//! Guides: the authentication of services whose documents are public, from what they promise to the code that keeps it; and how to
//! operate any of them.
//!
//! Each page about a service shows files of a running example as they are. To build a service of your own, copy the example that is
//! closest to it, and change what its table says.
//!
//! | Page | Shows |
//! |---|---|
//! | [`memfault`] | organizations, people and projects with a reach of their own, passwords, single sign-on, several kinds of key by header |
//! | [`memory_api`] | two headers, a code for each refusal, scopes, sign-up, usage that is metered for billing |
//! | [`memory_scope`] | one header, one environment, one answer for every bad key, rate limits and usage by key, a console |
//! | [`memsolus`] | permissions by group, 403 without them, live and test keys side by side |
//! | [`operations`] | what the settings trade, what to alert on, failover, replicas, rights, backups, another pepper |

pub mod memfault;
pub mod memory_api;
pub mod memory_scope;
pub mod memsolus;
pub mod operations;
