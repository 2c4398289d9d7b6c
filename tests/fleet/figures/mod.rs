//! Figures: how soon, how much, and what an outage does.

mod idle;
mod latency;
mod outage;
mod processor;

/// Prints the figures that are meant, and tells whether they are within their bounds.
pub(crate) async fn print(words: &[String]) -> bool {
    let is_meant = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(&**word));
    let mut holds = true;
    if is_meant("latency") {
        holds &= latency::print().await;
    }
    if is_meant("outage") {
        holds &= outage::print().await;
    }
    if is_meant("idle") {
        idle::print().await;
    }
    holds
}
