//! Measurements: latency of revocations, load of idle nodes, and behaviour in an outage.

mod idle;
mod latency;
mod outage;
mod processor;

/// Prints the figures whose names contain one of the words, or all, and returns whether they are within their bounds.
pub(crate) async fn print(words: &[String]) -> bool {
    let is_selected = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(&**word));
    let mut holds = true;
    if is_selected("latency") {
        holds &= latency::print().await;
    }
    if is_selected("outage") {
        holds &= outage::print().await;
    }
    if is_selected("idle") {
        idle::print().await;
    }
    holds
}
