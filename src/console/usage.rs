//! The requests of a time, as a plot with a table beneath, and as a file.
//!
//! The plot is SVG by the template: a library for plots would add style attributes, which the content security policy forbids, or a script.

// Layer 10 of 10: rim.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::header::CONTENT_DISPOSITION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{self, Response};

use super::fields::Filters;
use super::page::{Problem, Shell, render, respond};
use super::shared::{Shared, SharedState, Visitor};
use super::signed_in::Role;
use super::view::{Id, View};
use crate::backend::{KeyFilter, KeyStore, UsageBy, UsageLine, UsageQuery, UsageStore};
use crate::clock::Day;
use crate::environment::Environment;
use crate::key::KeyId;

/// The spans to select from, in days.
const SPANS: [i64; 3] = [7, 30, 90];
const DEFAULT_SPAN: i64 = 30;
/// The fields by which an operator selects an owner.
const OWNER: [&str; 3] = ["organization", "project", "user"];
/// Width and height of the plot.
const PLOT: (f64, f64) = (720.0, 160.0);

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage<'a> {
    shell: Shell<'a>,
    key: Option<View>,
    /// The path below the base.
    path: String,
    filters: &'a Filters,
    span: i64,
    environments: &'static [Environment],
    days: Vec<Requests>,
    bars: Vec<Bar>,
    highest: u64,
    total: Requests,
    /// Empty if they are not shown, `None` if they cannot be read now.
    routes: Option<Vec<OfRoute>>,
}

/// The requests for a route, with live and with test keys.
struct OfRoute {
    route: Box<str>,
    live: u64,
    test: u64,
}

impl UsagePage<'_> {
    /// Returns the query of the same usage in another time.
    fn query(&self, days: &i64) -> String {
        self.filters.with(&OWNER, "days", &days.to_string())
    }
}

/// The requests of a day.
#[derive(Debug, Clone, Copy)]
struct Requests {
    day: Day,
    live: Numbers,
    test: Numbers,
}

/// The requests in an environment, and how many of them were rejected.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    all: u64,
    limited: u64,
    forbidden: u64,
}

impl Numbers {
    fn of(line: &UsageLine) -> Self {
        Self { all: line.requests, limited: line.limited, forbidden: line.forbidden }
    }

    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.limited = self.limited.saturating_add(other.limited);
        self.forbidden = self.forbidden.saturating_add(other.forbidden);
    }

    fn served(&self) -> u64 {
        self.all.saturating_sub(self.limited).saturating_sub(self.forbidden)
    }
}

impl Requests {
    fn none(day: Day) -> Self {
        Self { day, live: Numbers::default(), test: Numbers::default() }
    }

    /// Returns the numbers of both environments.
    fn sum(&self) -> Numbers {
        let mut sum = self.live;
        sum.add(self.test);
        sum
    }

    fn is_empty(&self) -> bool {
        let Numbers { all, limited, forbidden } = self.sum();
        all == 0 && limited == 0 && forbidden == 0
    }

    fn add(&mut self, environment: Environment, numbers: Numbers) {
        match environment {
            Environment::Live => self.live.add(numbers),
            Environment::Test => self.test.add(numbers),
        }
    }
}

/// The bar of a day: test above live.
struct Bar {
    day: Requests,
    x: String,
    width: String,
    live_y: String,
    live_height: String,
    test_y: String,
    test_height: String,
}

fn bars(days: &[Requests], highest: u64) -> Vec<Bar> {
    let (width, height) = PLOT;
    let (slot, scale) = (width / days.len() as f64, height / highest.max(1) as f64);
    let bar = |(index, day): (usize, &Requests)| {
        let (x, live, test) = (index as f64 * slot, day.live.all as f64 * scale, day.test.all as f64 * scale);
        let pixels = |value: f64| format!("{value:.1}");
        Bar {
            day: *day,
            x: pixels(x + slot * 0.1),
            width: pixels(slot * 0.8),
            live_y: pixels(height - live),
            live_height: pixels(live),
            test_y: pixels(height - live - test),
            test_height: pixels(test),
        }
    };
    days.iter().enumerate().map(bar).collect()
}

pub(super) async fn of_all<S: KeyStore + UsageStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    query: Filters,
) -> response::Result<Response> {
    let query = if visitor.shell(&shared).is_operator { query } else { query.without_owner() };
    page(&shared, &visitor, &query, None).await
}

pub(super) async fn of_key<S: KeyStore + UsageStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
    query: Filters,
) -> response::Result<Response> {
    page(&shared, &visitor, &query.without_owner(), Some(id)).await
}

pub(super) async fn csv_of_all<S: KeyStore + UsageStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    query: Filters,
) -> response::Result<Response> {
    csv(&shared, &visitor, &query, None).await
}

pub(super) async fn csv_of_key<S: KeyStore + UsageStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
    query: Filters,
) -> response::Result<Response> {
    csv(&shared, &visitor, &query.without_owner(), Some(id)).await
}

async fn page<S: KeyStore + UsageStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    query: &Filters,
    id: Option<KeyId>,
) -> response::Result<Response> {
    let path = id.as_ref().map_or_else(|| "usage".to_owned(), |id| format!("keys/{id}/usage"));
    let key = match &id {
        Some(id) => {
            let record = visitor.keys(shared).get(id).await.map_err(Problem::from)?;
            Some(View::new(&record, shared.now()))
        }
        None => None,
    };
    let (span, query_of_days) = select(shared, visitor, query, id)?;
    let mut days = read(shared, visitor, span, query_of_days.clone()).await?;
    let routes = routes(shared, visitor, query_of_days).await;
    let highest = days.iter().map(|day| day.sum().all).max().unwrap_or_default();
    let mut total = Requests::none(shared.now().into());
    for day in &days {
        total.add(Environment::Live, day.live);
        total.add(Environment::Test, day.test);
    }
    let (shell, environments) = (visitor.shell(shared), visitor.environments());
    let bars = bars(&days, highest);
    days.retain(|day| !day.is_empty());
    days.reverse();
    Ok(render(
        StatusCode::OK,
        &UsagePage {
            shell,
            key,
            path,
            filters: query,
            span,
            environments,
            days,
            bars,
            highest,
            total,
            routes,
        },
    ))
}

async fn csv<S: KeyStore + UsageStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    query: &Filters,
    id: Option<KeyId>,
) -> response::Result<Response> {
    if let Some(id) = &id {
        visitor.keys(shared).get(id).await.map_err(Problem::from)?;
    }
    let (span, query) = select(shared, visitor, query, id)?;
    let days = read(shared, visitor, span, query).await?;
    let lines = days.iter().map(|Requests { day, live, test }| {
        let rejected = format!("{},{},{},{}", live.limited, live.forbidden, test.limited, test.forbidden);
        format!("{day},{},{},{rejected}\r\n", live.all, test.all)
    });
    let heads = "day,live,test,live_limited,live_forbidden,test_limited,test_forbidden\r\n";
    let text: String = [heads.to_owned()].into_iter().chain(lines).collect();
    let mut response = respond(StatusCode::OK, "text/csv; charset=utf-8", text);
    let value = HeaderValue::from_static("attachment; filename=\"usage.csv\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, value);
    Ok(response)
}

/// Reads the requests by route of a key or an owner. For all owners, no store has totals of them.
async fn routes<S: KeyStore + UsageStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    query: UsageQuery,
) -> Option<Vec<OfRoute>> {
    let is_of_all = match visitor.role() {
        Role::Operator(_) => query.key.is_none() && query.organization.is_none() && query.user.is_none(),
        Role::Customer(_) => false,
    };
    if is_of_all {
        return Some(Vec::new());
    }
    let lines = visitor.keys(shared).usage(query.by(UsageBy::Route)).await;
    // The conversion logs why.
    lines.map(by_route).map_err(Problem::from).ok()
}

/// Adds up the lines of each route, and puts the most used first.
fn by_route(lines: Vec<UsageLine>) -> Vec<OfRoute> {
    let mut routes = BTreeMap::<_, Requests>::new();
    for line in lines {
        if let Some(route) = &line.route {
            let requests = routes.entry(route.clone()).or_insert_with(|| Requests::none(line.day));
            requests.add(line.environment, Numbers::of(&line));
        }
    }
    let of_route = |(route, requests): (_, Requests)| OfRoute {
        route,
        live: requests.live.all,
        test: requests.test.all,
    };
    let mut routes: Vec<_> = routes.into_iter().map(of_route).collect();
    routes.sort_by_key(|of| Reverse(of.live.saturating_add(of.test)));
    routes
}

/// Returns the span in days, and the query of its usage.
fn select<S: KeyStore + UsageStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    query: &Filters,
    id: Option<KeyId>,
) -> Result<(i64, UsageQuery), Problem> {
    let span = |text: &str| text.parse().ok().filter(|days| SPANS.contains(days));
    let span = query.parse("days", span)?.unwrap_or(DEFAULT_SPAN);
    let last = Day::from(shared.now());
    let first = last.plus(1 - span);
    let owner = match visitor.role() {
        Role::Operator(_) => query.owner(),
        Role::Customer(_) => KeyFilter::all(),
    };
    let query = UsageQuery::new(first, last).within(owner);
    let query = match id {
        Some(id) => query.of_key(id).by(UsageBy::Key),
        None => query,
    };
    Ok((span, query))
}

/// Returns the requests of each day.
async fn read<S: KeyStore + UsageStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    span: i64,
    query: UsageQuery,
) -> Result<Vec<Requests>, Problem> {
    let first = query.from;
    let lines = visitor.keys(shared).usage(query).await?;
    let mut days: Vec<_> = (0..span).map(|day| Requests::none(first.plus(day))).collect();
    for line in lines {
        if let Some(requests) = days.iter_mut().find(|requests| requests.day == line.day) {
            requests.add(line.environment, Numbers::of(&line));
        }
    }
    Ok(days)
}
