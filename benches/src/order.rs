//! The order in which keys are presented.

use std::sync::Arc;

use crate::numbers::Numbers;

/// The order in which keys are presented.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// One after the other.
    InTurn,
    /// With equal probabilities.
    Uniform,
    /// The n-th key n times less often than the first (Zipf's law with s = 1).
    Zipf,
}

impl Order {
    /// Draws a cycle of indexes into `keys` keys.
    pub fn draw(self, keys: usize) -> Arc<[u32]> {
        const DRAWN: usize = 1 << 21;
        let mut numbers = Numbers::new(2);
        match self {
            Self::InTurn => (0..keys as u32).collect(),
            Self::Uniform => (0..DRAWN).map(|_| (numbers.draw() % keys as u64) as u32).collect(),
            Self::Zipf => {
                let cumulated: Vec<f64> = (1..=keys)
                    .scan(0.0, |sum, rank| {
                        *sum += 1.0 / rank as f64;
                        Some(*sum)
                    })
                    .collect();
                let total = cumulated[keys - 1];
                (0..DRAWN)
                    .map(|_| numbers.fraction() * total)
                    .map(|drawn| cumulated.partition_point(|&sum| sum < drawn).min(keys - 1) as u32)
                    .collect()
            }
        }
    }
}
