//! What can be asked for.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args, Parser, Subcommand, value_parser};
use tower_api_key::clock::Day;
use tower_api_key::{ConfigError, InvalidValue, KeyFormat, KeyId, Scope};

/// Manage the API keys in a database.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The database: `sqlite:keys.db` or `postgres://user@host/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "sqlite:keys.db")]
    pub(crate) url: String,
    /// What the texts of new keys start with.
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
    /// Create the tables, if they are not there.
    Init,
    /// Make a key, and print its text.
    Create(CreateArguments),
    /// List keys, oldest first.
    List {
        #[command(flatten)]
        owner: OwnerArguments,
        /// The most to list.
        #[arg(long, default_value_t = 100, allow_negative_numbers = true, value_parser = limit())]
        limit: usize,
        /// Go on behind the key with this id.
        #[arg(long, value_parser = KeyId::new)]
        after: Option<KeyId>,
    },
    /// Show one key.
    Show {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
    },
    /// Replace a key by a new one, and print its text.
    Rotate(RotateArguments),
    /// Revoke a key for good.
    Revoke {
        /// The id of the key.
        #[arg(value_parser = KeyId::new)]
        id: KeyId,
        /// Why, in words.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Show how often keys were used, by day.
    Usage(UsageArguments),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["organization", "user"])))]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// A name for people.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// What the key may do; may be given several times.
    #[arg(long = "scope", value_parser = scope)]
    pub(crate) scopes: Vec<Scope>,
    /// Make a key for tests.
    #[arg(long)]
    pub(crate) test: bool,
    /// After how many days it is refused.
    #[arg(long, allow_negative_numbers = true, value_parser = value_parser!(u32).range(1..=36_500))]
    pub(crate) expires_in_days: Option<u32>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// Write the text of the new key into this file, which must not exist, in place of stdout.
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
    /// The e-mail of the person who owns the key.
    #[arg(long, conflicts_with_all = ["organization", "project"], value_parser = email)]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// The id of the key.
    #[arg(value_parser = KeyId::new)]
    pub(crate) id: KeyId,
    /// How long the old key goes on.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) grace_seconds: u32,
    /// Let the grace begin with the first use of the new key.
    #[arg(long)]
    pub(crate) from_first_use: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// Usage of the key with this id.
    #[arg(long, value_parser = KeyId::new)]
    pub(crate) key: Option<KeyId>,
    /// The first day, such as 2030-01-31; by default 30 days are shown.
    #[arg(long, value_parser = day)]
    pub(crate) from: Option<Day>,
    /// The last day; by default today, in UTC.
    #[arg(long, value_parser = day)]
    pub(crate) to: Option<Day>,
    /// Show each key by itself.
    #[arg(long)]
    pub(crate) by_key: bool,
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
    Day::parse(text).ok_or("expected a day such as 2030-01-31, found something else")
}

fn name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..=255).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_name
        .then(|| text.to_owned())
        .ok_or("expected 1 to 255 characters without control characters, found something else")
}

fn email(text: &str) -> Result<String, &'static str> {
    name(text).ok().filter(|text| text.contains('@')).ok_or("expected an e-mail, found something else")
}
