//! The store of a case, with its behaviour.

use std::time::Duration;

use support::probe::Probe;
use tower_api_key::MemoryStore;
use tower_api_key::test_util::{Behaviour, Misbehaving};

/// Returns `store` with the behaviour that a case describes in words.
pub(crate) fn described(words: Option<&str>, store: MemoryStore) -> Misbehaving<Probe<MemoryStore>> {
    let (behaviour, delay) = match words {
        None => (Behaviour::Behave, Duration::ZERO),
        Some("error" | "error then ok") => (Behaviour::Fail, Duration::ZERO),
        Some("hang") => (Behaviour::Hang, Duration::ZERO),
        Some("panic once") => (Behaviour::Panic, Duration::ZERO),
        Some("slow 100ms") => (Behaviour::Behave, Duration::from_millis(100)),
        Some(other) => panic!("no backend that is described as {other:?}"),
    };
    let slow = move |_| async move {
        pause(delay).await;
        Ok(())
    };
    let backend = Misbehaving::new(Probe::over(store).before(slow));
    backend.set(behaviour);
    backend
}

#[allow(clippy::disallowed_methods, reason = "a slow store and an impatient client need real time")]
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
