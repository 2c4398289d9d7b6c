//! A test for a timing difference between two rejections.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tower_api_key::Authenticator;
use tower_api_key::reject::Reason;

use crate::conformance::world::World;

const SAMPLES: usize = 20_000;

/// Other load on the machine, or the memory location of a header, may favour one side for a while. So a difference counts only if it
/// appears in every round on the same side, while the two swap their memory between rounds.
const ROUNDS: usize = 6;

/// Compares a known and an unknown user with names of one length and the same unknown key (as in dudect: Welch's |t| below 5).
pub(crate) async fn users_make_no_difference(world: &World) {
    let key = world.fixtures.text("UNKNOWN");
    let mut headers = ["user", "none"].map(|user| basic(&format!("{user}@example.com:{key}")));
    let mut measured: Vec<f64> = Vec::new();
    for round in 0..ROUNDS {
        let mut times = [const { Vec::new() }; 2];
        for sample in 0..SAMPLES {
            for turn in [sample % 2, 1 - sample % 2] {
                times[turn].push(rejection(&world.authenticator, &headers[turn]).await);
            }
        }
        let [first, second] = times.map(cropped);
        let t = welch_t(&first, &second) * if round % 2 == 0 { 1.0 } else { -1.0 };
        if t.abs() < 5.0 || measured.first().is_some_and(|before| before.signum() != t.signum()) {
            return;
        }
        measured.push(t);
        swap_contents(&mut headers);
    }
    panic!("known and unknown users differ in timing: t = {measured:?}");
}

/// Swaps the contents of two headers in place.
fn swap_contents(headers: &mut [HeaderMap; 2]) {
    let [first, second] = [0, 1].map(|index| headers[index]["authorization"].as_bytes().to_vec());
    for (header, value) in headers.iter_mut().zip([second, first]) {
        header.insert("authorization", value.try_into().unwrap());
    }
}

fn basic(pair: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Basic {}", STANDARD.encode(pair)).parse().unwrap());
    headers
}

/// Returns the duration of a rejection in nanoseconds.
#[allow(clippy::disallowed_methods, reason = "this measures the machine")]
async fn rejection(authenticator: &Authenticator, headers: &HeaderMap) -> f64 {
    let start = Instant::now();
    let outcome = authenticator.authenticate(headers).await;
    let elapsed = start.elapsed();
    assert_eq!(outcome.expect_err("an unknown key").reason(), &Reason::Unknown);
    elapsed.as_nanos() as f64
}

/// Drops the slowest tenth: interruptions by other processes.
fn cropped(mut samples: Vec<f64>) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() * 9 / 10);
    samples
}

/// Computes Welch's statistic: the difference of the means in units of its standard error.
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
