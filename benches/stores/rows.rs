//! The keys in the store, by their numbers.

use std::env;

use sha2::{Digest as _, Sha256};
use tower_api_key::record::KeyState;
use tower_api_key::{KeyId, Timestamp};
use tower_api_key_benches::numbers::Numbers;

/// The time of the lists.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

/// The organization that owns a tenth of the keys. A thousand other organizations share the rest.
pub(crate) const LARGE: &str = "large";

/// Returns the number of keys.
pub(crate) fn count() -> usize {
    env::var("STORE_KEYS").map_or(1_000_000, |keys| keys.parse().unwrap())
}

pub(crate) fn id(number: usize) -> KeyId {
    KeyId::new(&format!("key_{number:09}")).unwrap()
}

pub(crate) fn digest(number: usize) -> [u8; 32] {
    Sha256::digest(number.to_be_bytes()).into()
}

pub(crate) fn organization(number: usize) -> String {
    if number.is_multiple_of(10) { LARGE.to_owned() } else { format!("small_{}", draw(number) % 1_000) }
}

/// The project of the large organization that owns a thousandth of its keys.
pub(crate) const PROJECT: &str = "seldom";

pub(crate) fn project(number: usize) -> Option<&'static str> {
    (number.is_multiple_of(10) && draw(number) / 100 % 1_000 == 0).then_some(PROJECT)
}

/// The first day of usage, and the number of days.
pub(crate) const USAGE: (i64, i64) = (20_744, 90);

/// The days with usage of each key, of all days.
pub(crate) const DAYS_OF_KEY: usize = 10;

/// Returns the name of a key. Many start alike.
pub(crate) fn name(number: usize) -> String {
    format!("{} {number}", ["Production server", "Build", "\u{645}\u{641}\u{62a}\u{627}\u{62d}"][number % 3])
}

pub(crate) fn hint(number: usize) -> String {
    format!("example_live_{:06x}...", draw(number) % (1 << 24))
}

/// Returns the state of a key. One in a hundred is revoked. Of the oldest tenth one in ten has expired, of all others none: a realistic
/// distribution, and the worst case for a search for expired keys that starts later.
pub(crate) fn state(number: usize) -> KeyState {
    match draw(number) % 100 {
        0 => KeyState::Revoked,
        1..=10 if number < count() / 10 => KeyState::Expired,
        _ => KeyState::Active,
    }
}

fn draw(number: usize) -> u64 {
    Numbers::new(number as u64).draw()
}
