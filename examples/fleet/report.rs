//! The results as a table, and commands to try.

use tower_api_key::clock::Moment;

use crate::fleet::Node;
use crate::keys::Keys;
use crate::watch::{Seen, Watched};

const HEADS: [&str; 6] = ["NODE", "REQUESTS", "ADMITTED UNTIL", "AFTER THE ANSWER", "REJECTED FROM", "READS"];

/// A node that has ended is not waited for after it is off the list.
const LEASE_END: &str = "
A node did not say that it has heard of it, so the answer came when the lease had passed. A node that has ended stays on the
list for about a minute: if this example ran a short while ago, try it again.
";

/// Formats a table of times in milliseconds since the request to revoke.
pub(crate) fn of(watched: &Watched) -> String {
    let Watched { sent, acknowledged, reached, .. } = watched;
    let after = millis(*sent, *acknowledged);
    let rows = watched.nodes.iter().map(|(name, seen)| row(name, seen, watched));
    let rows: Vec<_> = [HEADS.map(str::to_owned)].into_iter().chain(rows).collect();
    let line = |row: &[String; 6]| {
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:width$}", width = width(column)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let table = rows.iter().map(line).collect::<Vec<_>>().join("\n");
    let note = if reached == "lease-end" { LEASE_END } else { "" };
    format!("The revocation was answered after {after}, Revocation-Reached: {reached}\n{note}\n{table}\n")
}

fn row(name: &str, seen: &Seen, watched: &Watched) -> [String; 6] {
    let Watched { sent, acknowledged, .. } = watched;
    let told = |moment: Option<Moment>, since: Moment, otherwise: &str| {
        let moment = moment.filter(|moment| *moment > since);
        moment.map_or_else(|| otherwise.to_owned(), |moment| millis(since, moment))
    };
    [
        name.to_owned(),
        seen.requests.to_string(),
        told(seen.last_admission, *sent, "before it"),
        told(seen.last_admission, *acknowledged, "none"),
        told(seen.first_rejection, *sent, "never"),
        seen.reads.to_string(),
    ]
}

fn millis(from: Moment, to: Moment) -> String {
    format!("{:.1} ms", to.saturating_since(from).as_secs_f64() * 1_000.0)
}

/// Formats commands for a shell.
pub(crate) fn to_try(nodes: &[Node], keys: &Keys, revoked: &str) -> String {
    let Keys { admin, reader, .. } = keys;
    let last = nodes.last().map_or("", |node| &node.address);
    let first = nodes.first().map_or("", |node| &node.address);
    format!(
        r#"To try it:

  # 200: every node knows every key
  curl -i -H "Authorization: Bearer {reader}" {last}/v1/whoami
  # 401: the key that was revoked
  curl -i -H "Authorization: Bearer {revoked}" {last}/v1/whoami
  # 200: whether the node is ready, and the state of its change feed
  curl -i {last}/health
  # 200: the keys, with the ids by which they are revoked
  curl -i -H "X-API-Key: {admin}" {first}/admin/keys

The pages for keys, on each node: {first}/console. Sign in with the key of the last command.
"#
    )
}
