//! Forms that work once: the name of a form determines the id of the key that it creates, on each node and in each store.

// Layer 10 of 10: rim.

use std::time::Duration;

use super::page::Problem;
use crate::clock::Timestamp;
use crate::digest::Digester;
use crate::key::KeyId;
use crate::manage::ManageError;

/// How long a form may stay open.
const OPEN: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const TOO_OLD: &str = "This form was open for more than a day: send it again";

/// Returns a short digest, by which a form tells texts apart.
pub(super) fn mark(text: &str) -> String {
    let digest = Digester::sha256().digest(format!("console mark\0{text}").as_bytes());
    digest.as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the name of a new form.
pub(super) fn name(now: Timestamp) -> Result<String, Problem> {
    let nonce = KeyId::generate(now).map_err(|error| Problem::from(ManageError::from(error)))?;
    Ok(format!("{}-{nonce}", now.unix_millis()))
}

/// Returns the id of the key that a form creates, so that a second key by the same form is a conflict. `None` for a form that is older than a
/// day. Another visitor, or the form of another key, gets another id by the same name, so that no id can be tried.
pub(super) fn id(form: &str, purpose: &str, now: Timestamp) -> Option<KeyId> {
    let (millis, _) = form.split_once('-')?;
    let at = Timestamp::from_unix_millis(millis.parse().ok()?);
    // The clocks of nodes may differ by a minute.
    let is_recent = now.saturating_since(at) < OPEN && at.saturating_since(now) <= Duration::from_secs(60);
    let request = Digester::sha256().digest(format!("console\0{purpose}\0{form}").as_bytes());
    is_recent.then(|| KeyId::of_request(at, &request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_to_one_id_for_each_visitor_for_a_day() {
        let now = Timestamp::from_unix_millis(1_800_000_000_000);
        let form = "1800000000000-a";
        let first = id(form, "ann", now).unwrap();
        assert_eq!(id(form, "ann", now.saturating_add(OPEN / 2)), Some(first.clone()));
        assert_ne!(id(form, "bob", now), Some(first.clone()));
        assert_ne!(id("1800000000000-b", "ann", now), Some(first));
        assert_eq!(id(form, "ann", now.saturating_add(OPEN)), None);
        assert_eq!(id(form, "ann", now.saturating_sub(OPEN)), None);
        for form in ["", "a", "-", "1800000000000", "x-1", "9223372036854775808-1"] {
            assert_eq!(id(form, "ann", now), None, "{form:?}");
        }
    }
}
