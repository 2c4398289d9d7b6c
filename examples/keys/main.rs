//! Manages the keys of a database from the command line.
//!
//! `cargo run --example keys --features sqlite,postgres,manage -- --url sqlite:keys.db create --organization acme`
//!
//! The text of a key that was made goes to stdout, and nothing else does beside it. The exit status says what went wrong: 2 a
//! value, 3 no such key, 4 a key that is not in a state for it, 5 a database that could not be asked.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]

mod arguments;
mod failure;
mod table;
mod usage;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use arguments::{Arguments, Command, CreateArguments, OwnerArguments, RotateArguments};
use clap::Parser;
use failure::Failure;
use serde_json::json;
use tower_api_key::backend::{Grace, KeyFilter};
use tower_api_key::manage::{CreatedKey, KeyManager, NewKey, Replacement};
use tower_api_key::{
    Environment, KeyState, KeyStore, Organization, Owner, PostgresStore, SqliteStore, Timestamp, UsageStore,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match open(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("keys: {failure}");
            failure.code()
        }
    }
}

async fn open(arguments: Arguments) -> Result<(), Failure> {
    if arguments.url.starts_with("sqlite:") {
        let store = SqliteStore::open(&arguments.url).await?;
        run(store, arguments).await
    } else if arguments.url.starts_with("postgres:") || arguments.url.starts_with("postgresql:") {
        let store = PostgresStore::open(&arguments.url).await?;
        run(store, arguments).await
    } else {
        // The value is not shown: it may hold a password.
        Err(Failure::value("expected `sqlite:` or `postgres:` at the start of --url, found something else"))
    }
}

async fn run<S: KeyStore + UsageStore + Clone>(store: S, arguments: Arguments) -> Result<(), Failure> {
    let manager = KeyManager::new(store, arguments.prefix);
    let json = arguments.json;
    match arguments.command {
        Command::Init => eprintln!("The database is ready."),
        Command::Create(create) => show_created(manager.create(new_key(create)?).await?, json),
        Command::List { owner, limit, after } => {
            let records = manager.list(&filter(owner), after.as_ref(), limit).await?;
            table::print(&records, json, now());
        }
        Command::Show { id } => table::print(&[manager.get(&id).await?], json, now()),
        Command::Rotate(RotateArguments { id, grace_seconds, from_first_use }) => {
            let grace = Duration::from_secs(grace_seconds.into());
            let grace = match (grace_seconds, from_first_use) {
                (_, true) => Grace::FromFirstUse(grace),
                (0, false) => Grace::None,
                (_, false) => Grace::For(grace),
            };
            show_created(manager.rotate(&id, Replacement::new(grace)).await?, json);
        }
        Command::Revoke { id, reason } => {
            manager.revoke(&id, &reason).await?;
            eprintln!("{id} is revoked.");
        }
        Command::Usage(wanted) => {
            usage::print(&manager.usage(&usage::query(wanted, now())?).await?, json);
        }
    }
    Ok(())
}

fn new_key(create: CreateArguments) -> Result<NewKey, Failure> {
    let environment = if create.test { Environment::Test } else { Environment::Live };
    let new = NewKey::new(owner(create.owner)?)
        .name(create.name)
        .environment(environment)
        .scopes(create.scopes.into_iter().collect());
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
        _ => Err(Failure::value("expected an owner: --organization, with --project if it is one, or --user")),
    }
}

fn filter(OwnerArguments { organization, project, user }: OwnerArguments) -> KeyFilter {
    let mut filter = KeyFilter::all();
    filter.organization = organization.map(Into::into);
    filter.project = project.map(Into::into);
    filter.user = user.map(Into::into);
    filter
}

/// Prints the text of a key, once.
fn show_created(created: CreatedKey, as_json: bool) {
    let (text, record) = created.into_parts();
    if as_json {
        println!("{}", json!({ "id": record.id.as_str(), "key": text.as_str() }));
    } else {
        eprintln!("{} is ready. This is its text, which cannot be shown again:", record.id);
        println!("{}", text.as_str());
    }
    debug_assert_eq!(record.state(now()), KeyState::Active);
}

#[allow(clippy::disallowed_methods, reason = "a command line has the clock of the machine")]
fn now() -> Timestamp {
    SystemTime::now().into()
}
