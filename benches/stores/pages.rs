//! A page of a list, at its start, in its middle and at its end.

use std::time::{Duration, Instant};

use tower_api_key::backend::{KeyFilter, KeyStore};
use tower_api_key::record::KeyState;
use tower_api_key_benches::markdown;
use tower_api_key_benches::statistics::median;

use crate::rows::{self, LARGE, NOW, PROJECT};

const PAGE: usize = 100;

/// The number of reads of a page, and the time after which they end early.
const READS: (usize, Duration) = (200, Duration::from_secs(3));

/// Measures the pages of some lists, and prints them.
pub(crate) async fn measure(name: &str, store: &impl KeyStore) {
    let large = || KeyFilter::of_organization(LARGE);
    let small = || KeyFilter::of_organization(rows::organization(1));
    let mut project = large();
    project.project = Some(PROJECT.into());
    let lists = [
        ("all keys", KeyFilter::all()),
        ("of the organization with a tenth of them", large()),
        ("of one with a thousandth", small()),
        ("active", KeyFilter::all().state(KeyState::Active, NOW)),
        ("revoked, one in a hundred", KeyFilter::all().state(KeyState::Revoked, NOW)),
        ("expired, all among the oldest tenth", KeyFilter::all().state(KeyState::Expired, NOW)),
        ("of the large one, active", large().state(KeyState::Active, NOW)),
        ("of the large one, revoked", large().state(KeyState::Revoked, NOW)),
        ("of the large one, expired", large().state(KeyState::Expired, NOW)),
        ("of a project of the large one with a thousandth", project),
    ];
    let mut lines = Vec::new();
    for (title, filter) in lists {
        let mut line = vec![title.to_owned()];
        for start in starts(&filter) {
            line.push(read(store, &filter, start).await);
        }
        lines.push(<[String; 4]>::try_from(line).unwrap());
    }
    let title = format!("{name}, a page of {PAGE}: us (keys on it)");
    markdown::print([&title, "first page", "in the middle", "last page"], 1, &lines);
}

/// Returns the numbers of the keys before the first page, one in the middle, and the last.
fn starts(filter: &KeyFilter) -> [Option<usize>; 3] {
    let keys = rows::count();
    let matches = |number: &usize| {
        let organization = filter.organization.as_deref();
        organization.is_none_or(|wanted| rows::organization(*number) == wanted)
            && filter.project.as_deref().is_none_or(|wanted| rows::project(*number) == Some(wanted))
            && filter.state.is_none_or(|(wanted, _)| rows::state(*number) == wanted)
    };
    let last = (0..keys).rev().filter(matches).nth(PAGE);
    [None, Some(keys / 2), last]
}

async fn read(store: &impl KeyStore, filter: &KeyFilter, start: Option<usize>) -> String {
    let (most, limit) = READS;
    let after = start.map(rows::id);
    let began = Instant::now();
    let mut times = Vec::new();
    let mut keys = 0;
    while times.len() < most && began.elapsed() < limit {
        let began = Instant::now();
        keys = store.list(filter, after.as_ref(), PAGE).await.unwrap().len();
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    format!("{} ({keys})", markdown::thousands(median(times)))
}
