//! The tests that need a process without any other test.

#![allow(clippy::unwrap_used, missing_docs)]

// Every log event must be seen by its subscriber, as below.
mod access_log;
// Every log event must be seen by its subscriber. One that another thread meets for the first time at the same moment may not be.
mod log;
// It records every log event and every panic of the process, and searches its memory.
mod secrecy;
