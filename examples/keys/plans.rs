//! Plans of keys, and the limits of keys.

use serde_json::{Value, json};
use tower_api_key::KeyId;
use tower_api_key::backend::{KeyStore, KeyUpdate, OwnerStore, PlanStore};
use tower_api_key::limit::{Limit, Limits, Plan};
use tower_api_key::manage::{KeyManager, ManageError, ManageErrorKind};

use crate::arguments::{Command, PlanAction, PlanOwnerArguments, UpdateArguments};
use crate::failure::Failure;
use crate::output;
use crate::table;

/// Checks the limits of a command before the database is opened.
pub(crate) fn check(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => limits(create.limits.clone()).map(drop),
        Command::Update(update) => limits(update.limits.clone()).map(drop),
        Command::Plans { action: PlanAction::Put { limits: wanted, .. } } => limits(wanted.clone()).map(drop),
        _ => Ok(()),
    }
}

/// Converts the limits of a command.
pub(crate) fn limits(wanted: Vec<Limit>) -> Result<Limits, Failure> {
    Limits::new(wanted).map_err(|error| Failure::value(error.to_string()))
}

/// Converts the arguments to an update.
pub(crate) fn update(wanted: UpdateArguments) -> Result<(KeyId, KeyUpdate), Failure> {
    let mut update = KeyUpdate::new();
    if wanted.no_limits || !wanted.limits.is_empty() {
        update = update.limits(limits(wanted.limits)?);
    }
    if let Some(plan) = wanted.plan {
        update = update.plan(plan);
    }
    Ok((wanted.id, if wanted.no_plan { update.without_plan() } else { update }))
}

pub(crate) async fn run<S: KeyStore + OwnerStore + PlanStore>(
    manager: &KeyManager<S>,
    action: PlanAction,
    as_json: bool,
) -> Result<(), Failure> {
    match action {
        PlanAction::List { limit, after } => {
            let plans = manager.plans(after.as_deref(), limit).await?;
            output::show(&show(&plans, as_json))
        }
        PlanAction::Put { name, limits: wanted } => {
            let plan = name.with_limits(limits(wanted)?);
            manager.put_plan(&plan).await?;
            output::tell(&format!("The plan {} is in force.", plan.name()));
            Ok(())
        }
        PlanAction::Assign { name, owner } => {
            let message = format!("The plan {} is in force for {}.", name.name(), text(&owner));
            assign(manager, owner, Some(name)).await?;
            output::tell(&message);
            Ok(())
        }
        PlanAction::Unassign { owner } => {
            let message = format!("No plan is in force for {}.", text(&owner));
            assign(manager, owner, None).await?;
            output::tell(&message);
            Ok(())
        }
        PlanAction::Delete { name } => {
            manager.delete_plan(name.name()).await.map_err(|error| of_plan(&name, error))?;
            output::tell(&format!("The plan {} is deleted.", name.name()));
            Ok(())
        }
    }
}

/// Sets or removes the plan of an organization or a user that the database has.
async fn assign<S: KeyStore + OwnerStore>(
    manager: &KeyManager<S>,
    owner: PlanOwnerArguments,
    plan: Option<Plan>,
) -> Result<(), Failure> {
    let whose = text(&owner);
    let assigned = match (owner.organization, owner.user) {
        (Some(id), _) => manager.set_organization_plan(&id, plan).await,
        (None, user) => manager.set_user_plan(&user.unwrap_or_default(), plan).await,
    };
    assigned.map_err(|error| match error.kind() {
        // Keys may have owners that the application keeps elsewhere.
        ManageErrorKind::NotFound => Failure::from(error).saying(format!("no {whose} in the database")),
        _ => error.into(),
    })
}

fn text(owner: &PlanOwnerArguments) -> String {
    match (&owner.organization, &owner.user) {
        (Some(id), _) => format!("organization {id}"),
        (None, user) => format!("user {}", user.as_deref().unwrap_or_default()),
    }
}

fn of_plan(plan: &Plan, error: ManageError) -> Failure {
    let name = plan.name();
    match error.kind() {
        ManageErrorKind::NotFound => Failure::from(error).saying(format!("no plan {name}")),
        ManageErrorKind::Conflict => {
            let message = format!("cannot delete the plan {name}: {error}");
            Failure::from(error).saying(message)
        }
        _ => error.into(),
    }
}

fn show(plans: &[Plan], as_json: bool) -> String {
    let limits = |plan: &Plan| {
        plan.limits().into_iter().flat_map(Limits::iter).map(Limit::to_string).collect::<Vec<_>>()
    };
    if as_json {
        let value = |plan: &Plan| json!({ "name": plan.name(), "limits": limits(plan) });
        return plans.iter().map(value).collect::<Value>().to_string();
    }
    let heads = ["NAME", "LIMITS"].map(str::to_owned);
    let rows = plans.iter().map(|plan| [plan.name().to_owned(), limits(plan).join(" ")]);
    table::of_rows(&[heads].into_iter().chain(rows).collect::<Vec<_>>())
}
