//! The arguments of the command line.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{ArgGroup, Args, Parser, Subcommand, value_parser};
use tower_api_key::backend::LoggedAction;
use tower_api_key::clock::Day;
use tower_api_key::limit::{Limit, Plan};
use tower_api_key::{ConfigError, InvalidValue, KeyFormat, KeyId, Scope, Timestamp};

use crate::digesters;

/// Manage the API keys in a database.
#[derive(Debug, Parser)]
#[command(after_help = digesters::HELP)]
pub(crate) struct Arguments {
    /// The database: `sqlite:keys.db` or `postgres://user@host/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "sqlite:keys.db")]
    pub(crate) url: String,
    /// The prefix of new keys.
    #[arg(long, default_value = "demo", value_parser = format)]
    pub(crate) prefix: KeyFormat,
    /// Print JSON, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create the tables, unless they exist.
    Init,
    /// Create a key and print its text.
    Create(CreateArguments),
    /// List keys, oldest first.
    List {
        #[command(flatten)]
        owner: OwnerArguments,
        /// The most keys to list.
        #[arg(long, default_value_t = 100, allow_negative_numbers = true, value_parser = limit())]
        limit: usize,
        /// List the keys after the key with this id.
        #[arg(long, value_parser = KeyId::new)]
        after: Option<KeyId>,
    },
    /// Show one key.
    Show {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
    },
    /// Change the limits or the plan of a key.
    Update(UpdateArguments),
    /// Replace a key with a new one and print its text.
    Rotate(RotateArguments),
    /// Disable a key until it is enabled. Its owner cannot enable it.
    Disable {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
        /// The reason, for people.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Enable a key that was disabled.
    Enable {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
    },
    /// Revoke a key permanently.
    Revoke {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
        /// The reason, for people.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List, put, assign or delete plans, which name the limits of many keys at once.
    Plans {
        #[command(subcommand)]
        action: PlanAction,
    },
    /// Show the number of requests by day.
    Usage(UsageArguments),
    /// Show the changes of keys, the newest first.
    Audit(AuditArguments),
    /// Import existing keys, one JSON object for each line.
    ///
    /// The fields are `key` (the text) or `sha256` (its SHA-256 digest in hexadecimal digits); `organization`, `organization` and `project`, or
    /// `user`; and, all optional, `name`, `scopes` (a list), `environment` (`live` or `test`), `expires_at` (RFC 3339), `limits` (a list such as
    /// `["burst=100/60s"]`) and `plan`. Nothing is imported unless all lines are valid.
    Import(ImportArguments),
    /// Show the peppers by their fingerprints, and the number of keys that still need a former one.
    ///
    /// A key needs a former pepper until it is used on a node that has the current one.
    Digesters,
    /// Drop the digests of keys under former peppers, from each key that has one under the current pepper.
    ///
    /// From then on, these keys are unknown to nodes that do not have the current pepper. Keys without a digest under it are left as they are.
    RetireDigesters,
    /// Check whether a service could use the database now. Changes no key.
    SelfCheck,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// Show the changes of the key with this id, which may be deleted.
    #[arg(long, value_parser = KeyId::new)]
    pub(crate) key: Option<KeyId>,
    /// Show the changes by this actor.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Show the changes of this kind: created, updated, rotated, disabled, enabled, revoked, expired or deleted.
    #[arg(long, value_parser = action)]
    pub(crate) action: Option<LoggedAction>,
    /// Show the changes from this time on, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// Show the changes before this time.
    #[arg(long, value_parser = time)]
    pub(crate) to: Option<Timestamp>,
    /// Show the oldest changes first.
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// The most changes to show.
    #[arg(long, default_value_t = 100, allow_negative_numbers = true, value_parser = limit())]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The file to read, or `-` for stdin.
    pub(crate) file: PathBuf,
    /// Check all lines, and import nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Accept texts of fewer than 16 bytes, which can be guessed.
    #[arg(long)]
    pub(crate) allow_weak: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["organization", "user"])))]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// The name of the key, for people.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// A scope of the key; repeat for several.
    #[arg(long = "scope", value_parser = scope)]
    pub(crate) scopes: Vec<Scope>,
    /// Create a key of the test environment.
    #[arg(long)]
    pub(crate) test: bool,
    /// The days until the key expires.
    #[arg(long, allow_negative_numbers = true, value_parser = value_parser!(u32).range(1..=36_500))]
    pub(crate) expires_in_days: Option<u32>,
    /// A limit of requests, such as burst=100/60s, daily=10000/day/owner or monthly=50000/month/organization; repeat for several.
    #[arg(long = "limit", value_name = "LIMIT")]
    pub(crate) limits: Vec<Limit>,
    /// The plan of the key.
    #[arg(long, value_name = "NAME", value_parser = Plan::named)]
    pub(crate) plan: Option<Plan>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["limits", "no_limits", "plan", "no_plan"])))]
pub(crate) struct UpdateArguments {
    /// The id of the key.
    #[arg(value_parser = KeyId::new)]
    pub(crate) id: KeyId,
    /// A limit of requests, in place of all that the key has itself; repeat for several.
    #[arg(long = "limit", value_name = "LIMIT")]
    pub(crate) limits: Vec<Limit>,
    /// Remove the limits of the key itself.
    #[arg(long, conflicts_with = "limits")]
    pub(crate) no_limits: bool,
    /// The plan of the key.
    #[arg(long, value_name = "NAME", value_parser = Plan::named)]
    pub(crate) plan: Option<Plan>,
    /// Remove the plan of the key, which then has that of its organization or user.
    #[arg(long, conflicts_with = "plan")]
    pub(crate) no_plan: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanAction {
    /// List plans, by name.
    List {
        /// The most plans to list.
        #[arg(long, default_value_t = 100, allow_negative_numbers = true, value_parser = limit())]
        limit: usize,
        /// List the plans after the one with this name.
        #[arg(long)]
        after: Option<String>,
    },
    /// Add a plan, or change its limits.
    Put {
        /// The name of the plan.
        #[arg(value_parser = Plan::named)]
        name: Plan,
        /// The limits of the plan, such as burst=100/60s; none for a plan without.
        #[arg(value_name = "LIMIT")]
        limits: Vec<Limit>,
    },
    /// Give a plan to the keys of an organization and its projects, or of a user, that have none of their own.
    ///
    /// The database must have the organization or the user, which the application adds. Keys of other owners get plans by `create` and `update`.
    Assign {
        /// The name of the plan.
        #[arg(value_parser = Plan::named)]
        name: Plan,
        #[command(flatten)]
        owner: PlanOwnerArguments,
    },
    /// Take the plan from an organization or a user. Keys keep plans of their own.
    Unassign {
        #[command(flatten)]
        owner: PlanOwnerArguments,
    },
    /// Delete a plan that no organization, no user and no key has that is not revoked.
    Delete {
        /// The name of the plan.
        #[arg(value_parser = Plan::named)]
        name: Plan,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PlanOwnerArguments {
    /// The organization.
    #[arg(long, value_parser = name)]
    pub(crate) organization: Option<String>,
    /// The e-mail of the user.
    #[arg(long, value_parser = email)]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// Write the text of the new key to this file, which must not exist, instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct OwnerArguments {
    /// The organization that owns the key.
    #[arg(long, value_parser = name)]
    pub(crate) organization: Option<String>,
    /// The project of the organization that owns the key.
    #[arg(long, requires = "organization", value_parser = name)]
    pub(crate) project: Option<String>,
    /// The e-mail of the user who owns the key.
    #[arg(long, conflicts_with_all = ["organization", "project"], value_parser = email)]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// The id of the key.
    #[arg(value_parser = KeyId::new)]
    pub(crate) id: KeyId,
    /// The seconds for which the old key stays valid.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) grace_seconds: u32,
    /// Start the grace at the first use of the new key.
    #[arg(long)]
    pub(crate) from_first_use: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// Show the usage of the key with this id.
    #[arg(long, value_parser = KeyId::new)]
    pub(crate) key: Option<KeyId>,
    /// The first day, such as 2030-01-31; by default 29 days before the last.
    #[arg(long, value_parser = day)]
    pub(crate) from: Option<Day>,
    /// The last day, in UTC; by default today.
    #[arg(long, value_parser = day)]
    pub(crate) to: Option<Day>,
    /// Show each key separately.
    #[arg(long)]
    pub(crate) by_key: bool,
    /// Show each route separately, where the service counts by route.
    #[arg(long, conflicts_with = "by_key")]
    pub(crate) by_route: bool,
}

fn format(prefix: &str) -> Result<KeyFormat, ConfigError> {
    KeyFormat::new(prefix)
}

fn scope(text: &str) -> Result<Scope, InvalidValue> {
    Scope::new(text)
}

fn limit() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=10_000)
}

fn day(text: &str) -> Result<Day, &'static str> {
    text.parse().map_err(|_| "must be a day such as 2030-01-31")
}

fn time(text: &str) -> Result<Timestamp, InvalidValue> {
    text.parse()
}

fn action(text: &str) -> Result<LoggedAction, InvalidValue> {
    text.parse()
}

pub(crate) fn name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..=255).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_name.then(|| text.to_owned()).ok_or("must have 1 to 255 characters, none of them a control character")
}

pub(crate) fn email(text: &str) -> Result<String, &'static str> {
    name(text).ok().filter(|text| text.contains('@')).ok_or("must be an e-mail address")
}

/// Escapes the control characters of an invalid argument, which the message would pass on to the terminal.
pub(crate) fn escaped(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let mut escaped = String::new();
            for symbol in text.chars() {
                if symbol.is_control() {
                    escaped.extend(symbol.escape_default());
                } else {
                    escaped.push(symbol);
                }
            }
            error.insert(kind, ContextValue::String(escaped));
        }
    }
    error
}
