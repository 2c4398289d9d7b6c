//! Plans of keys: reads and changes of them.
//!
//! Each change that refers to a plan checks that it exists, and the deletion that nothing refers to it, under the lock of owners, which the
//! deletion has alone. Revoked keys do not count, and may name a plan that was deleted: no request reads its limits, and to write a million of
//! them would hold up all other changes.

// Layer 3 of 10: storage.

use super::written::Written;
use crate::backend::sql::owner_state::decode_plan;
use crate::backend::sql::session::{Row, Session};
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
/// Seeks each index by its order, not by equality: if most rows have one plan, PostgreSQL expects a scan of the table to find one at once, and
/// reads it whole where there is none.
const IN_USE: &str = "SELECT 1 WHERE $1 IN (
    (SELECT plan FROM tower_api_key WHERE plan >= $1 AND revoked_at IS NULL ORDER BY plan LIMIT 1),
    (SELECT organization_plan FROM tower_api_key_organization WHERE organization_plan >= $1
        ORDER BY organization_plan LIMIT 1),
    (SELECT user_plan FROM tower_api_key_user WHERE user_plan >= $1 ORDER BY user_plan LIMIT 1))";

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
            if session.fetch_optional(&in_use(&name)).await?.is_some() {
                return Err(BackendError::plan_in_use());
            }
            match session.execute(&Statement::new(DELETE).bind(&*name)).await? {
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

/// Selects a row if an owner has a plan, or a key that is not revoked.
pub(super) fn in_use(plan: &str) -> Statement {
    Statement::new(IN_USE).bind(plan)
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

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backend::sql::statements::sqlite_plan::sqlite_plan;

    #[tokio::test]
    async fn the_deletion_of_a_plan_reads_no_revoked_keys() {
        let steps = sqlite_plan(&in_use("free")).await;
        for (table, index) in
            [("", "by_plan (plan>?)"), ("_organization", "organization_by_plan (organization_plan>?)")]
        {
            let seeks =
                |step: &String| step.contains(&format!("tower_api_key{table} ")) && step.contains(index);
            assert!(steps.iter().any(seeks), "{steps:?}");
        }
        assert!(
            !steps.iter().any(|step| step.starts_with("SCAN tower") || step.contains("B-TREE")),
            "{steps:?}"
        );
    }
}
