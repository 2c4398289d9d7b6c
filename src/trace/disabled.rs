//! The twin that writes nothing.

use std::time::Duration;

use super::Failure;
use crate::key::KeyId;
use crate::principal::Principal;

pub(crate) fn admitted(_: &Principal) {}

pub(crate) fn refused(_: &'static str, _: Option<&KeyId>) {}

pub(crate) fn failed(_: &'static str, _: &Failure<'_>) {}

#[cfg(feature = "manage")]
pub(crate) fn not_acknowledged(_: &[Box<str>]) {}

pub(crate) fn not_layered(_: &'static str) {}

pub(crate) fn lost(_: u64, _: &'static str) {}

pub(crate) fn unsettled(_: usize) {}

pub(crate) fn turned_away(_: usize) {}

pub(crate) fn orphaned() {}

pub(crate) fn restarted(_: Duration, _: u64) {}

pub(crate) fn paused(_: Duration) {}

pub(crate) fn resumed() {}
