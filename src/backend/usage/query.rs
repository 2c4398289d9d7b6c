//! Queries of usage, and their results.

// Layer 3 of 10: storage.

use crate::backend::KeyFilter;
use crate::clock::Day;
use crate::environment::Environment;
use crate::key::KeyId;

/// Selects the usage from day `from` to day `to` that matches every field which is not `None`.
///
/// ```
/// use tower_api_key::backend::{UsageBy, UsageQuery};
/// use tower_api_key::clock::Day;
///
/// let today = Day::from_unix_days(20_000);
/// let query = UsageQuery::new(today.plus(-29), today).of_organization("acme").by(UsageBy::Key);
/// assert_eq!(query.organization.as_deref(), Some("acme"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageQuery {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Usage of this key.
    pub key: Option<KeyId>,
    /// Usage of keys of this organization and of its projects.
    pub organization: Option<Box<str>>,
    /// Usage of keys of projects with this id.
    pub project: Option<Box<str>>,
    /// Usage of keys of the user with this e-mail.
    pub user: Option<Box<str>>,
    /// Usage of keys of this environment.
    pub environment: Option<Environment>,
    /// What the lines group by.
    pub by: UsageBy,
    /// Returns lines after this one. Its requests are ignored.
    pub after: Option<UsageLine>,
    /// The maximum number of lines.
    pub limit: usize,
}

/// What the lines of a query group by, beside the day and the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UsageBy {
    /// One key.
    Key,
    /// All selected keys.
    Total,
    /// One route, for all selected keys. The lines have only requests that were [counted by route](crate::count_routes).
    Route,
}

/// The number of requests in an environment on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageLine {
    /// The key, if the query groups by keys.
    pub key: Option<KeyId>,
    /// The route, if the query groups by routes: `limited` and `forbidden` are then zero.
    pub route: Option<Box<str>>,
    /// The day.
    pub day: Day,
    /// The environment.
    pub environment: Environment,
    /// The number of requests that were admitted.
    pub requests: u64,
    /// The number of these that a limit rejected.
    pub limited: u64,
    /// The number of these that were rejected otherwise, such as for a missing scope. A stream that makes [several
    /// rejections](crate::usage#what-is-counted) counts as often.
    pub forbidden: u64,
}

impl UsageQuery {
    /// Selects all usage of these days, both included, in total.
    pub fn new(from: Day, to: Day) -> Self {
        Self {
            from,
            to,
            key: None,
            organization: None,
            project: None,
            user: None,
            environment: None,
            by: UsageBy::Total,
            after: None,
            limit: usize::MAX,
        }
    }

    /// Narrows the query to one key.
    #[must_use]
    pub fn of_key(self, key: KeyId) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Narrows the query to the keys of this organization and of its projects.
    #[must_use]
    pub fn of_organization(self, id: impl Into<Box<str>>) -> Self {
        Self { organization: Some(id.into()), ..self }
    }

    /// Narrows the query to the keys of this project of an organization.
    #[must_use]
    pub fn of_project(self, organization: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self { project: Some(id.into()), ..self.of_organization(organization) }
    }

    /// Narrows the query to the keys of the user with this e-mail.
    #[must_use]
    pub fn of_user(self, email: impl Into<Box<str>>) -> Self {
        Self { user: KeyFilter::of_user(email).user, ..self }
    }

    /// Narrows the query to one environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Sets what the lines group by.
    #[must_use]
    pub fn by(self, by: UsageBy) -> Self {
        Self { by, ..self }
    }

    /// Continues after a line, such as the last one of the previous page.
    #[must_use]
    pub fn after(self, line: UsageLine) -> Self {
        Self { after: Some(line), ..self }
    }

    /// Sets the maximum number of lines.
    #[must_use]
    pub fn limit(self, lines: usize) -> Self {
        Self { limit: lines, ..self }
    }

    /// Returns the filter of keys that corresponds to the query.
    pub(crate) fn filter(&self) -> KeyFilter {
        KeyFilter {
            organization: self.organization.clone(),
            project: self.project.clone(),
            user: self.user.clone(),
            environment: self.environment,
            ..KeyFilter::all()
        }
    }

    /// Replaces the filter of keys. Ignores fields of it that usage is not kept by.
    pub(crate) fn within(self, keys: KeyFilter) -> Self {
        let KeyFilter { organization, project, user, environment, .. } = keys;
        Self { organization, project, user, environment, ..self }
    }
}

impl UsageLine {
    /// Creates a line of requests of which none was rejected.
    pub fn new(key: Option<KeyId>, day: Day, environment: Environment, requests: u64) -> Self {
        Self { key, route: None, day, environment, requests, limited: 0, forbidden: 0 }
    }

    /// Sets the route.
    #[must_use]
    pub fn of_route(self, route: impl Into<Box<str>>) -> Self {
        Self { route: Some(route.into()), ..self }
    }

    /// Sets how many of the requests were rejected after their admission.
    #[must_use]
    pub fn rejected(self, limited: u64, forbidden: u64) -> Self {
        Self { limited, forbidden, ..self }
    }

    /// Returns the number of requests that were admitted and not rejected afterwards.
    ///
    /// A request that is rejected on another day than it was admitted counts on each as what it was there. So the number may be too high by
    /// the requests of this day that were rejected on the next, and too low, but never below zero, by those of the day before that were
    /// rejected on this one. For a period, subtract the sums of all its lines: then only its first and its last midnight can err.
    ///
    /// ```
    /// use tower_api_key::Environment;
    /// use tower_api_key::backend::UsageLine;
    /// use tower_api_key::clock::Day;
    ///
    /// let line = UsageLine::new(None, Day::from_unix_days(20_000), Environment::Live, 10).rejected(3, 1);
    /// assert_eq!(line.served(), 6);
    /// ```
    pub fn served(&self) -> u64 {
        self.requests.saturating_sub(self.limited).saturating_sub(self.forbidden)
    }
}
