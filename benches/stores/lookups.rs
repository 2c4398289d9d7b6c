//! Lookups by digest: through the store, and by the bare query.

use std::time::Instant;

use tower_api_key::backend::Backend;
use tower_api_key::digest::Digest;
use tower_api_key_benches::numbers::Numbers;
use tower_api_key_benches::statistics::median;

use crate::rows;

/// The number of lookups of each kind. They alternate in pairs for the same key, every other pair in reverse order.
const PAIRS: usize = 20_000;

/// Measures both, and returns a line of the table.
pub(crate) async fn measure(
    name: &str,
    store: &impl Backend,
    bare: impl AsyncFn([u8; 32]) -> String,
) -> [String; 4] {
    let mut numbers = Numbers::new(7);
    let (mut by_query, mut by_store) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let number = (numbers.draw() % rows::count() as u64) as usize;
        let digest = rows::digest(number);
        for turn in 0..2 {
            let began = Instant::now();
            if (pair + turn) % 2 == 0 {
                let id = bare(digest).await;
                by_query.push(began.elapsed().as_secs_f64() * 1e6);
                assert_eq!(id, rows::id(number).as_str());
            } else {
                let record = store.find(&Digest::from_bytes(digest)).await.unwrap().unwrap();
                by_store.push(began.elapsed().as_secs_f64() * 1e6);
                assert_eq!(record.id, rows::id(number));
            }
        }
    }
    let (by_query, by_store) = (median(by_query), median(by_store));
    let part = by_store / by_query;
    [name.to_owned(), format!("{by_query:.1}"), format!("{by_store:.1}"), format!("{part:.2}")]
}
