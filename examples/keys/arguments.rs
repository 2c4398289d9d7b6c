//! What can be asked for.

use clap::{Args, Parser, Subcommand};

/// Manage the API keys in a database.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The database: `sqlite:keys.db` or `postgres://user@host/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "sqlite:keys.db")]
    pub(crate) url: String,
    /// What the texts of new keys start with.
    #[arg(long, default_value = "demo")]
    pub(crate) prefix: String,
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
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Go on behind the key with this id.
        #[arg(long)]
        after: Option<String>,
    },
    /// Show one key.
    Show {
        /// The id of the key.
        id: String,
    },
    /// Replace a key by a new one, and print its text.
    Rotate(RotateArguments),
    /// Revoke a key for good.
    Revoke {
        /// The id of the key.
        id: String,
        /// Why, in words.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Show how often keys were used, by day.
    Usage(UsageArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// A name for people.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// What the key may do; may be given several times.
    #[arg(long = "scope")]
    pub(crate) scopes: Vec<String>,
    /// Make a key for tests.
    #[arg(long)]
    pub(crate) test: bool,
    /// After how many days it is refused.
    #[arg(long)]
    pub(crate) expires_in_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct OwnerArguments {
    /// The organization that owns the key.
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// The project of the organization that owns the key.
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// The e-mail of the person who owns the key.
    #[arg(long)]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// The id of the key.
    pub(crate) id: String,
    /// How long the old key goes on.
    #[arg(long, default_value_t = 0)]
    pub(crate) grace_seconds: u64,
    /// Let the grace begin with the first use of the new key.
    #[arg(long)]
    pub(crate) from_first_use: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArguments {
    #[command(flatten)]
    pub(crate) owner: OwnerArguments,
    /// Usage of the key with this id.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The first day, such as 2030-01-31; by default 30 days are shown.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// The last day; by default today, in UTC.
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Show each key by itself.
    #[arg(long)]
    pub(crate) by_key: bool,
}
