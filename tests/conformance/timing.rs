//! Whether two refusals can be told apart by how long they take.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tower_api_key::Authenticator;
use tower_api_key::reject::Reason;

use crate::world::World;

const SAMPLES: usize = 20_000;

/// A machine that others use as well may favour one side for a while, so a difference has to show in every round.
const ROUNDS: usize = 5;

/// A known and an unknown user present the same unknown key (dudect's measure: Welch's |t| below 5).
pub(crate) async fn users_make_no_difference(world: &World) {
    let key = world.fixtures.text("UNKNOWN");
    let [known, unknown] = ["user", "nobody"].map(|user| basic(&format!("{user}@example.com:{key}")));
    let mut measured = Vec::new();
    for _ in 0..ROUNDS {
        let [mut first, mut second] = [const { Vec::new() }; 2];
        for _ in 0..SAMPLES {
            first.push(refusal(&world.authenticator, &known).await);
            second.push(refusal(&world.authenticator, &unknown).await);
        }
        let t = welch_t(&cropped(first), &cropped(second));
        if t.abs() < 5.0 {
            return;
        }
        measured.push(t);
    }
    panic!("users can be told apart: t = {measured:?}");
}

fn basic(pair: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Basic {}", STANDARD.encode(pair)).parse().unwrap());
    headers
}

/// Returns how many nanoseconds it takes to refuse.
#[allow(clippy::disallowed_methods, reason = "this measures the machine")]
async fn refusal(authenticator: &Authenticator, headers: &HeaderMap) -> f64 {
    let start = Instant::now();
    let outcome = authenticator.authenticate(headers).await;
    let elapsed = start.elapsed();
    assert_eq!(outcome.expect_err("an unknown key").reason(), &Reason::Unknown);
    elapsed.as_nanos() as f64
}

/// Leaves out the slowest tenth: interruptions, which say nothing about the code.
fn cropped(mut samples: Vec<f64>) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() * 9 / 10);
    samples
}

/// Welch's statistic: the difference of the means in units of its standard error.
fn welch_t(first: &[f64], second: &[f64]) -> f64 {
    let moments = |samples: &[f64]| {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((first_mean, first_error), (second_mean, second_error)) = (moments(first), moments(second));
    (first_mean - second_mean) / (first_error + second_error).sqrt()
}
