//! Totals of usage by owner, kept in the transaction of each batch: a query of an owner, or of all, reads no rows of keys.

// Layer 3 of 10: storage.

use std::collections::BTreeMap;

use super::ROWS_PER_STATEMENT;
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::{Statement, Value};
use crate::backend::{BackendError, UsageBy, UsageLine, UsageQuery};

/// The columns of a [`UsageRow`].
pub(super) const COLUMNS: &str = "day, environment, owner_organization, owner_project, owner_email";

/// Whose requests a total counts: those of all, of an organization with its projects, of a project, or of a user. The kind, the organization, and
/// the name of the other two.
type Scope = (&'static str, String, String);

/// This kind is the last in the order of writing: all batches change its rows, so they are locked for the shortest time.
fn of_all() -> Scope {
    ("whole", String::new(), String::new())
}

fn of_organization(id: String) -> Scope {
    ("organization", id, String::new())
}

fn of_project(organization: String, id: String) -> Scope {
    ("project", organization, id)
}

fn of_user(email: String) -> Scope {
    ("user", String::new(), email)
}

/// The requests that are counted, and of these the limited and the forbidden ones.
pub(super) type Numbers = [i64; 3];

/// Reads the numbers of a row of usage, or of a total.
pub(super) fn numbers(row: &Row) -> Result<Numbers, BackendError> {
    Ok([row.get("requests")?, row.get("limited")?, row.get("forbidden")?])
}

/// What totals need of a row of usage.
pub(super) struct UsageRow {
    pub(super) day: i64,
    pub(super) environment: String,
    organization: Option<String>,
    project: Option<String>,
    user: Option<String>,
}

impl UsageRow {
    pub(super) fn decode(row: &Row) -> Result<Self, BackendError> {
        Ok(Self {
            day: row.get("day")?,
            environment: row.get("environment")?,
            organization: row.get("owner_organization")?,
            project: row.get("owner_project")?,
            user: row.get("owner_email")?,
        })
    }
}

/// Changes of totals. They are written in their order, so that concurrent transactions lock the rows in the same order.
#[derive(Default)]
pub(super) struct Totals(BTreeMap<(Scope, i64, String), Numbers>);

impl Totals {
    /// Adds numbers to each total that counts a row.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::backend::BackendErrorKind::Invalid) if the sum is too large.
    pub(super) fn add(&mut self, row: UsageRow, numbers: Numbers) -> Result<(), BackendError> {
        let UsageRow { day, environment, organization, project, user } = row;
        let project =
            organization.clone().zip(project).map(|(organization, id)| of_project(organization, id));
        let owners = [organization.map(of_organization), project, user.map(of_user)];
        for scope in owners.into_iter().flatten().chain([of_all()]) {
            let total = self.0.entry((scope, day, environment.clone())).or_default();
            for (total, number) in total.iter_mut().zip(numbers) {
                let sum = total.checked_add(number);
                *total =
                    sum.ok_or_else(|| BackendError::invalid("the total of its requests is too large"))?;
            }
        }
        Ok(())
    }

    /// Adds the changes to the totals.
    pub(super) async fn write(&self, session: &mut dyn Session) -> Result<(), BackendError> {
        let rows: Vec<[Value; 8]> = self
            .0
            .iter()
            .map(|(((kind, organization, name), day, environment), numbers)| {
                let [requests, limited, forbidden] = numbers.map(Value::from);
                [
                    (*kind).into(),
                    organization.as_str().into(),
                    name.as_str().into(),
                    (*day).into(),
                    environment.as_str().into(),
                    requests,
                    limited,
                    forbidden,
                ]
            })
            .collect();
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let insert = Statement::new(
                "INSERT INTO tower_api_key_usage_total
                 (kind, organization, name, day, environment, requests, limited, forbidden) ",
            );
            let insert = insert.push_rows(rows.iter().cloned()).push(
                " ON CONFLICT (kind, organization, name, day, environment)
                 DO UPDATE SET requests = tower_api_key_usage_total.requests + excluded.requests,
                    limited = tower_api_key_usage_total.limited + excluded.limited,
                    forbidden = tower_api_key_usage_total.forbidden + excluded.forbidden",
            );
            session.execute(&insert.once()).await?;
        }
        Ok(())
    }

    /// Deletes the totals among the changed ones that count nothing any more.
    pub(super) async fn delete_empty(&self, session: &mut dyn Session) -> Result<(), BackendError> {
        let changed: Vec<_> = self.0.keys().collect();
        for changed in changed.chunks(ROWS_PER_STATEMENT) {
            let delete = Statement::new(
                "DELETE FROM tower_api_key_usage_total WHERE requests = 0 AND limited = 0 AND forbidden = 0
                 AND (kind, organization, name, day, environment) IN (",
            );
            let rows = changed.iter().map(|((kind, organization, name), day, environment)| {
                let owner = [Value::from(*kind), organization.as_str().into(), name.as_str().into()];
                let [kind, organization, name] = owner;
                [kind, organization, name, (*day).into(), environment.as_str().into()]
            });
            session.execute(&delete.push_rows(rows).push(")").once()).await?;
        }
        Ok(())
    }
}

/// Selects totals, if a query asks for what they count.
pub(super) fn select(query: &UsageQuery) -> Option<Statement> {
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let owner = [&query.organization, &query.project, &query.user].map(owned);
    let (kind, organization, name) = match owner {
        _ if query.by != UsageBy::Total || query.key.is_some() => return None,
        [None, None, None] => of_all(),
        [Some(organization), None, None] => of_organization(organization),
        [Some(organization), Some(project), None] => of_project(organization, project),
        [None, None, Some(user)] => of_user(user),
        _ => return None,
    };
    let select = Statement::new(
        "SELECT CAST(NULL AS TEXT) AS key_id, CAST(NULL AS TEXT) AS route, day, environment, requests, limited, forbidden
         FROM tower_api_key_usage_total WHERE kind = ",
    );
    let select = select.push_bind(kind).push(" AND organization = ").push_bind(organization);
    let select = select.push(" AND name = ").push_bind(name);
    let select = select.push(" AND day >= ").push_bind(query.from.unix_days());
    let mut select = select.push(" AND day <= ").push_bind(query.to.unix_days());
    if let Some(environment) = query.environment {
        select = select.push(" AND environment = ").push_bind(environment.label());
    }
    if let Some(UsageLine { day, environment, .. }) = &query.after {
        select = select.push(" AND (day, environment) > (").push_bind(day.unix_days());
        select = select.push(", ").push_bind(environment.label()).push(")");
    }
    Some(select.push(" ORDER BY day, environment LIMIT ").push_bind(query.limit))
}
