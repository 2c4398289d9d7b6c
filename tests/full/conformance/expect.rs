//! Judges an outcome by all expectations of its case.

use std::time::Duration;

use http::HeaderMap;
use regex::Regex;
use tower_api_key::ConfigError;
use tower_api_key::error::ConfigErrorKind;

use crate::conformance::answer::Answer;
use crate::conformance::cases::{Case, Expect, StatusAny};
use crate::conformance::checks;
use crate::conformance::run::Outcome;
use crate::conformance::world::World;

/// Judges a configuration error.
pub(crate) fn judge_build_error(case: &Case, error: &ConfigError) {
    let only_error = Expect { build_error: Some(true), ..Expect::default() };
    assert_eq!(case.expect, only_error, "cannot build the layer: {error}");
    assert_eq!(error.kind(), ConfigErrorKind::Realm);
}

pub(crate) async fn judge(case: &Case, outcome: &Outcome) {
    let Outcome { world, answers, .. } = outcome;
    // Destructured, so that the compiler reports an expectation that is not judged.
    let Expect {
        status,
        status_any,
        statuses,
        last_status,
        headers_present,
        headers_absent,
        headers_match,
        headers_not_match,
        header_lines,
        body_length,
        body_not_match,
        interim_responses,
        end_stream_on_headers,
        max_ms,
        inner_calls,
        inner_calls_authenticated_route,
        inner_headers_absent,
        backend_calls,
        backend_calls_for_valid,
        principal,
        principals,
        extracted,
        build_error,
        check,
        invariant,
        note: _,
    } = case.expect.clone();

    assert_ne!(build_error, Some(true), "the layer was built");
    let visits = world.visits.all();
    let found: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let each = |allowed: Vec<u16>| vec![allowed; found.len()];
    let wanted = [
        status.map(|status| each(vec![status])),
        case.status_recommended.map(|status| each(vec![status])),
        statuses.map(|statuses| statuses.into_iter().map(|status| vec![status]).collect()),
        status_any.map(|any| match any {
            StatusAny::OfEach(allowed) => each(allowed),
            StatusAny::ByStep(allowed) => allowed,
        }),
    ];
    wanted.iter().flatten().for_each(|wanted| assert_statuses(&found, wanted));
    if let Some(status) = last_status {
        assert_eq!(found.last(), Some(&status), "last status");
    }

    for answer in answers {
        for name in &headers_present {
            assert!(answer.headers.contains_key(name.as_str()), "no {name} in {:?}", answer.headers);
        }
        for name in &headers_absent {
            assert!(!answer.headers.contains_key(name.as_str()), "{name} in {:?}", answer.headers);
        }
        for (name, pattern) in &headers_match {
            let field = field(answer, name).expect(name);
            assert!(matches(pattern, &field), "{name}: {field} does not match {pattern}");
        }
        for (name, pattern) in &headers_not_match {
            let field = field(answer, name).unwrap_or_default();
            assert!(!matches(pattern, &field), "{name}: {field} matches {pattern}");
        }
        for (name, patterns) in &header_lines {
            let lines = answer.lines(name);
            for pattern in patterns {
                assert!(lines.iter().any(|line| matches(pattern, line)), "no {pattern} in {lines:?}");
            }
        }
        if let Some(pattern) = &body_not_match {
            assert!(!matches(pattern, &answer.text()), "{} matches {pattern}", answer.text());
        }
        if let Some(limit) = &max_ms {
            let limit = duration(limit, world);
            assert!(answer.took <= limit, "took {:?}, more than {limit:?}", answer.took);
        }
        assert_if_expected("body length", body_length, &answer.body.len());
        assert_if_expected("interim responses", interim_responses.clone(), &answer.interim);
        if end_stream_on_headers.is_some() {
            assert_eq!(answer.end_stream_on_headers, end_stream_on_headers, "end of stream on headers");
        }
        assert_no_secrets(world, answer);
    }

    assert_if_expected("inner calls", inner_calls, &visits.len());
    assert_if_expected("inner calls of authenticated routes", inner_calls_authenticated_route, &visits.len());
    assert_if_expected("backend calls", backend_calls, &world.backend.reads());
    assert_if_expected("backend calls for $VALID", backend_calls_for_valid, &world.reads_of("VALID"));
    for headers in &visits {
        for name in &inner_headers_absent {
            assert!(!headers.contains_key(name.as_str()), "{name} reached the inner service");
        }
        assert_sensitive(world, headers);
    }
    assert!(inner_headers_absent.is_empty() || !visits.is_empty(), "no request reached the inner service");

    let ids: Vec<_> = answers.iter().map(Answer::key_id).collect();
    for names in [principal.map(|name| vec![name]), principals].into_iter().flatten() {
        let names: Vec<_> = names.iter().map(|name| name.as_deref().map(fixture)).collect();
        assert_eq!(ids, names, "principals");
    }
    if extracted.is_some() {
        assert_eq!(outcome.extracted, extracted, "user and password");
    }
    if let Some(words) = check {
        checks::check(&words, outcome).await;
    }
    if let Some(words) = invariant {
        checks::invariant(&words, outcome).await;
    }
}

/// Checks each status against those allowed at its position.
fn assert_statuses(found: &[u16], wanted: &[Vec<u16>]) {
    assert_eq!(wanted.len(), found.len(), "one answer for each status");
    let allowed = wanted.iter().zip(found).all(|(allowed, status)| allowed.contains(status));
    assert!(allowed, "expected statuses {wanted:?}, got {found:?}");
}

fn assert_if_expected<T: PartialEq + std::fmt::Debug>(what: &str, wanted: Option<T>, found: &T) {
    if let Some(wanted) = wanted {
        assert_eq!(*found, wanted, "{what}");
    }
}

fn field(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.lines(name);
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}

fn duration(words: &str, world: &World) -> Duration {
    let margin = words.strip_prefix("deadline+").expect("a margin on the deadline");
    Duration::from_millis(world.config.deadline_ms + margin.parse::<u64>().unwrap())
}

/// Parses `$VALID` and `principal($VALID)`. The id of a fixture is its name.
fn fixture(words: &str) -> &str {
    let name = words.strip_prefix("principal(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(words);
    name.strip_prefix('$').expect("the name of a fixture")
}

/// Asserts that an answer shows no text of a key, in every case.
fn assert_no_secrets(world: &World, answer: &Answer) {
    let shown = format!("{:?} {}", answer.headers, answer.text());
    assert!(world.fixtures.secrets().all(|secret| !shown.contains(secret)), "the response holds a key");
}

/// Asserts that a handler receives keys in sensitive headers only, in every case.
fn assert_sensitive(world: &World, headers: &HeaderMap) {
    for value in headers.values() {
        let text = String::from_utf8_lossy(value.as_bytes());
        let holds_key = world.fixtures.secrets().any(|secret| text.contains(secret));
        assert!(!holds_key || value.is_sensitive(), "a key is not marked as sensitive");
    }
}
