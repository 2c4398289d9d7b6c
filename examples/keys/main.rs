//! Manages the keys of a database from the command line.
//!
//! `cargo run --example keys --features sqlite,postgres -- --url sqlite:keys.db create --organization acme`
//!
//! To install it as `keys`, in a checkout: `cargo install --path . --example keys --features sqlite,postgres`
//!
//! The text of a new key is the only output on stdout; with `--output` it goes to a new file that only its owner can read. A key is not
//! created if its text would be lost, and revoked if its text cannot be written. Exit status: 2 for an invalid argument, 3 for an unknown
//! key, 4 for a key whose state does not permit the change, 5 for a database that is missing or does not answer, or an output that cannot
//! be written.
//!
//! `KEYS_PEPPER` and `KEYS_FORMER_PEPPERS` set the digesters, which must be those of the nodes. No key is made with a pepper that the database
//! does not know.

mod arguments;
mod audit;
mod database;
mod destination;
mod digesters;
mod failure;
mod import;
mod output;
mod plans;
mod self_check;
mod table;
mod usage;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use arguments::{Arguments, Command, CreateArguments, OwnerArguments, RotateArguments};
use clap::Parser;
use destination::Destination;
use digesters::Digesters;
use failure::Failure;
use serde_json::json;
use tower_api_key::backend::{AuditLog, Grace, KeyFilter, KeyStore, OwnerStore, PlanStore, UsageStore};
use tower_api_key::manage::{CreatedKey, KeyManager, NewKey, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, PostgresStore, SqliteStore, Timestamp};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| arguments::escaped(error).exit());
    match open(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(&format!("keys: {failure}"));
            failure.code()
        }
    }
}

async fn open(arguments: Arguments) -> Result<(), Failure> {
    if let Command::Usage(wanted) = &arguments.command {
        usage::days(wanted, now())?;
    }
    plans::check(&arguments.command)?;
    let digesters = Digesters::from_env()?;
    if matches!(arguments.command, Command::RetireDigesters) {
        digesters.check_has_former()?;
    }
    let destination = Destination::of(&arguments.command)?;
    let checks = matches!(arguments.command, Command::SelfCheck);
    if arguments.url.starts_with("sqlite:") {
        if checks {
            return self_check::sqlite(&arguments.url, &digesters, arguments.json).await;
        }
        database::check_exists(&arguments.url, &arguments.command)?;
        let store = SqliteStore::open(&arguments.url).await?;
        run(store, arguments, digesters, destination).await
    } else if arguments.url.starts_with("postgres:") || arguments.url.starts_with("postgresql:") {
        if checks {
            return self_check::postgres(&arguments.url, &digesters, arguments.json).await;
        }
        let store = PostgresStore::open(&arguments.url).await?;
        run(store, arguments, digesters, destination).await
    } else {
        // The value is not shown: it may hold a password.
        Err(Failure::value("--url must start with `sqlite:` or `postgres:`"))
    }
}

async fn run<S: KeyStore + OwnerStore + PlanStore + UsageStore + AuditLog + Clone>(
    store: S,
    arguments: Arguments,
    digesters: Digesters,
    destination: Destination,
) -> Result<(), Failure> {
    let format = arguments.prefix;
    let manager = digesters.manage(KeyManager::new(store.clone(), format.clone()));
    if makes_keys(&arguments.command) {
        digesters.check(&store).await?;
    }
    let json = arguments.json;
    match arguments.command {
        Command::Init => {
            output::tell("The database is ready.");
            Ok(())
        }
        Command::Create(create) => {
            let created = manager.create(new_key(create)?).await?;
            hand_out(&manager, created, destination, json).await
        }
        Command::List { owner, limit, after } => {
            let records = manager.list(&filter(owner), after.as_ref(), limit).await?;
            output::show(&table::of_keys(&records, json, now()))
        }
        Command::Show { id } => {
            let record = manager.get(&id).await.map_err(|error| Failure::of_key(&id, error))?;
            output::show(&table::of_keys(&[record], json, now()))
        }
        Command::Update(update) => {
            let (id, update) = plans::update(update)?;
            manager.update(&id, update).await.map_err(|error| Failure::of_key(&id, error))?;
            output::tell(&format!("{id} is updated."));
            Ok(())
        }
        Command::Plans { action } => plans::run(&manager, action, json).await,
        Command::Rotate(RotateArguments { id, grace_seconds, from_first_use, .. }) => {
            let grace = Duration::from_secs(grace_seconds.into());
            let grace = match (grace_seconds, from_first_use) {
                (_, true) => Grace::FromFirstUse(grace),
                (0, false) => Grace::None,
                (_, false) => Grace::For(grace),
            };
            let created = manager.rotate(&id, RotateOptions::new(grace)).await;
            let created = created.map_err(|error| Failure::of_key(&id, error))?;
            hand_out(&manager, created, destination, json).await
        }
        Command::Disable { id, reason } => {
            manager.disable(&id, &reason).await.map_err(|error| Failure::of_key(&id, error))?;
            output::tell(&format!("{id} is disabled."));
            Ok(())
        }
        Command::Enable { id } => {
            manager.enable(&id).await.map_err(|error| Failure::of_key(&id, error))?;
            output::tell(&format!("{id} is enabled."));
            Ok(())
        }
        Command::Revoke { id, reason } => {
            manager.revoke(&id, &reason).await.map_err(|error| Failure::of_key(&id, error))?;
            output::tell(&format!("{id} is revoked."));
            Ok(())
        }
        Command::Usage(wanted) => {
            let lines = manager.query_usage(&usage::query(wanted, now())?).await?;
            output::show(&usage::table(&lines, json))
        }
        Command::Audit(wanted) => {
            let entries = manager.query_audit(&audit::query(wanted)).await?;
            output::show(&audit::table(&entries, json))
        }
        Command::Import(wanted) => import::run(&store, &manager, format, &digesters, &wanted, json).await,
        Command::Digesters => {
            let left = manager.keys_under_former_digesters().await?;
            output::show(&digesters.table(&store, left, json).await?)
        }
        Command::RetireDigesters => {
            let retired = manager.retire_former_digesters().await?;
            let left = manager.keys_under_former_digesters().await?;
            output::show(&if json {
                json!({ "keys": retired, "keys_under_former": left }).to_string()
            } else {
                format!(
                    "Keys that lost former digests: {retired}\nKeys in force under former digesters only: {left}"
                )
            })
        }
        // `open` has run it.
        Command::SelfCheck => Ok(()),
    }
}

/// Returns whether a command depends on the digesters: keys that it makes or leaves must be known to the nodes.
fn makes_keys(command: &Command) -> bool {
    matches!(command, Command::Create(_) | Command::Rotate(_) | Command::Import(_) | Command::RetireDigesters)
}

fn new_key(create: CreateArguments) -> Result<NewKey, Failure> {
    let environment = if create.test { Environment::Test } else { Environment::Live };
    let new = NewKey::new(owner(create.owner)?)
        .name(create.name)
        .environment(environment)
        .scopes(create.scopes.into_iter().collect())
        .limits(plans::limits(create.limits)?);
    let new = match create.plan {
        Some(plan) => new.plan(plan),
        None => new,
    };
    Ok(match create.expires_in_days {
        Some(days) => {
            new.expires_at(now().saturating_add(Duration::from_secs(24 * 60 * 60 * u64::from(days))))
        }
        None => new,
    })
}

fn owner(OwnerArguments { organization, project, user }: OwnerArguments) -> Result<Owner, Failure> {
    match (organization, project, user) {
        (Some(organization), None, None) => Ok(Owner::organization(organization)),
        (Some(organization), Some(project), None) => {
            Ok(Owner::project(Organization::new(organization), project))
        }
        (None, None, Some(email)) => Ok(Owner::user(email, [])),
        _ => Err(Failure::value("--organization or --user is required")),
    }
}

fn filter(OwnerArguments { organization, project, user }: OwnerArguments) -> KeyFilter {
    let mut filter = user.map_or_else(KeyFilter::all, KeyFilter::of_user);
    filter.organization = organization.map(Into::into);
    filter.project = project.map(Into::into);
    filter
}

/// Writes the text of a key. If that fails, revokes the key: no client has it, and a part of its text may have leaked.
async fn hand_out<S: KeyStore>(
    manager: &KeyManager<S>,
    created: CreatedKey,
    mut destination: Destination,
    as_json: bool,
) -> Result<(), Failure> {
    let (text, record) = created.into_parts();
    let id = &record.id;
    let written = if as_json {
        destination.write(&json!({ "id": id.as_str(), "key": text.as_str() }).to_string())
    } else {
        match destination.path() {
            Some(path) => output::tell(&format!("Writing the text of {id} to {}.", path.display())),
            None => output::tell(&format!("Created {id}. Its text, which cannot be shown again:")),
        }
        destination.write(text.as_str())
    };
    let Err(error) = written else { return Ok(()) };
    let replaced = match &record.rotated_from {
        Some(old) => format!("; the rotated key {old} ends as requested"),
        None => String::new(),
    };
    let message = format!("cannot write the text of the new key: {error}{replaced}");
    Err(Failure::outside(match manager.revoke(id, "its text could not be written").await {
        Ok(()) => format!("{message}; {id} is revoked"),
        Err(failure) => format!("{message}; cannot revoke {id}: {failure}; run `revoke {id}`"),
    }))
}

#[allow(clippy::disallowed_methods, reason = "a command line has the clock of the machine")]
fn now() -> Timestamp {
    SystemTime::now().into()
}
