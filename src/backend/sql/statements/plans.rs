//! Plans of keys: reads and changes of them.
//!
//! Foreign keys let no transaction delete a plan to which another one refers meanwhile. An application may have turned them off in an SQLite
//! file, in which no two transactions write at once, so each change checks references by itself as well.

// Layer 3 of 10: storage.

use super::written::Written;
use crate::backend::sql::owner_state::decode_plan;
use crate::backend::sql::session::{Row, Session, is_foreign_key_violation};
use crate::backend::sql::statement::Statement;
use crate::backend::{BackendError, Invalidation};
use crate::limit::Plan;

/// Writes nothing if the plan is as it is to be.
const PUT: &str = "INSERT INTO tower_api_key_plan (plan_name, plan_limits) VALUES ($1, $2)
    ON CONFLICT (plan_name) DO UPDATE SET plan_limits = excluded.plan_limits
    WHERE tower_api_key_plan.plan_limits <> excluded.plan_limits";
const GET: &str = "SELECT plan_name, plan_limits FROM tower_api_key_plan WHERE plan_name = $1";
const PAGE: &str =
    "SELECT plan_name, plan_limits FROM tower_api_key_plan WHERE plan_name > $1 ORDER BY plan_name LIMIT $2";
const DELETE: &str = "DELETE FROM tower_api_key_plan WHERE plan_name = $1";
/// Revoked keys make no request, so they keep no plan in the store.
const FORGET: &str = "UPDATE tower_api_key SET plan = NULL WHERE plan = $1 AND revoked_at IS NOT NULL";
const IN_USE: &str = "SELECT 1 FROM tower_api_key_plan WHERE plan_name = $1
    AND (EXISTS (SELECT 1 FROM tower_api_key WHERE plan = plan_name AND revoked_at IS NULL)
    OR EXISTS (SELECT 1 FROM tower_api_key_organization WHERE organization_plan = plan_name)
    OR EXISTS (SELECT 1 FROM tower_api_key_user WHERE user_plan = plan_name))";

/// A change of a plan.
#[derive(Clone)]
pub(crate) enum PlanChange {
    Put(Plan),
    Delete(Box<str>),
}

/// Applies a change of a plan, which may concern any key.
pub(super) async fn change(session: &mut dyn Session, change: PlanChange) -> Result<Written, BackendError> {
    match change {
        PlanChange::Put(plan) => {
            let limits = plan.known_limits().map_err(BackendError::invalid)?;
            let put = Statement::new(PUT).bind(plan.name()).bind(limits.to_string());
            // An application that puts its plans at each start leaves the caches of other processes as they are.
            let is_unchanged = session.execute(&put).await? == 0;
            let change = Invalidation::Everything;
            Ok(if is_unchanged { Written::unchanged(change) } else { Written::one(change) })
        }
        PlanChange::Delete(name) => {
            if session.fetch_optional(&Statement::new(IN_USE).bind(&*name)).await?.is_some() {
                return Err(BackendError::plan_in_use());
            }
            session.execute(&Statement::new(FORGET).bind(&*name)).await?;
            let deleted = session.execute(&Statement::new(DELETE).bind(&*name)).await;
            let in_use =
                |error| if is_foreign_key_violation(&error) { BackendError::plan_in_use() } else { error };
            match deleted.map_err(in_use)? {
                0 => Err(BackendError::no_plan()),
                _ => Ok(Written::one(Invalidation::Everything)),
            }
        }
    }
}

/// Returns a plan as it is in the store, to which a change refers.
pub(super) async fn current(
    session: &mut dyn Session,
    plan: Option<Plan>,
) -> Result<Option<Plan>, BackendError> {
    let Some(plan) = plan else { return Ok(None) };
    let found = session.fetch_optional(&get(plan.name())).await?.ok_or_else(BackendError::unknown_plan)?;
    decode(&found).map(Some)
}

/// Converts the error of a statement that refers to a plan which was deleted meanwhile.
pub(super) fn unknown_if_absent(error: BackendError) -> BackendError {
    if is_foreign_key_violation(&error) { BackendError::unknown_plan() } else { error }
}

pub(crate) fn get(name: &str) -> Statement {
    Statement::new(GET).bind(name)
}

/// Returns the first `limit` plans after a name.
pub(crate) fn page(after: Option<&str>, limit: usize) -> Statement {
    Statement::new(PAGE).bind(after.unwrap_or_default()).bind(limit)
}

pub(crate) fn decode(row: &Row) -> Result<Plan, BackendError> {
    let (name, limits) = (row.get::<String>("plan_name")?, row.get::<String>("plan_limits")?);
    decode_plan(Some(name), Some(limits))?.ok_or_else(BackendError::no_plan)
}
