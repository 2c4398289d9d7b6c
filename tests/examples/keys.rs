//! The example `keys`, a command line.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tower_api_key::backend::{
    Backend, KeyStore, OwnerChange, OwnerStore, UsageBatch, UsageCount, UsageStore, WriteBack,
};
use tower_api_key::clock::Day;
use tower_api_key::digest::Digester;
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, KeyId, Owner, SqliteStore, Timestamp};

use crate::server::binary;

/// A text that might be a minted key.
const PASTED: &str = "demo_live_Wq3TzK8vLm2NbX7cRy5PdH9sJf4GaE6uQo1BiZ";

/// Runs the command line on a database in a folder of its own.
struct Keys(TempDir);

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Keys {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.path().join("keys.db").display())
    }

    async fn run(&self, arguments: &str) -> Ran {
        run(&self.url(), arguments.split(' ')).await
    }

    /// Runs a command with peppers in the environment.
    async fn run_under(&self, [current, former]: [Option<&str>; 2], arguments: &str) -> Ran {
        let mut command = Command::new(binary("keys"));
        command.args(["--url", &self.url()]).args(arguments.split(' ')).stdout(Stdio::piped());
        let peppers = [("KEYS_PEPPER", current), ("KEYS_FORMER_PEPPERS", former)];
        command.envs(peppers.into_iter().filter_map(|(name, value)| Some((name, value?))));
        finish(&mut command).await
    }

    /// Runs a command that must succeed, and parses its JSON output.
    async fn json(&self, arguments: &str) -> Value {
        let ran = self.run(&format!("--json {arguments}")).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}");
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

async fn run<'a>(url: &str, arguments: impl Iterator<Item = &'a str>) -> Ran {
    run_into(Stdio::piped(), url, arguments).await
}

async fn run_into<'a>(stdout: Stdio, url: &str, arguments: impl Iterator<Item = &'a str>) -> Ran {
    let mut command = Command::new(binary("keys"));
    command.args(["--url", url]).args(arguments).stdout(stdout);
    finish(&mut command).await
}

async fn finish(command: &mut Command) -> Ran {
    let command = command.stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output();
    let Output { status, stdout, stderr } = output.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

#[tokio::test]
async fn a_key_lives_from_its_creation_to_its_revocation() {
    let keys = Keys::new();
    assert_eq!(keys.run("init").await.code, 0);
    let made =
        keys.json("create --organization acme --name build --scope notes.read --scope notes.write").await;
    let (id, text) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(text.starts_with("demo_live_"), "{text}");

    let listed = keys.json("list --organization acme").await;
    assert_eq!(listed[0]["scopes"], serde_json::json!(["notes.read", "notes.write"]));
    assert_eq!(listed, keys.json(&format!("show {id}")).await);
    assert_eq!(keys.json("list --organization other").await, serde_json::json!([]));

    let successor = keys.json(&format!("rotate {id} --grace-seconds 60")).await;
    assert_ne!(successor["key"], made["key"]);
    let again = keys.run(&format!("rotate {id}")).await;
    assert_eq!((again.code, again.stdout.as_str()), (4, ""), "{}", again.stderr);

    let next = successor["id"].as_str().unwrap();
    for (command, state) in [("disable", "disabled"), ("enable", "active")] {
        assert_eq!(keys.run(&format!("{command} {next}")).await.code, 0);
        assert_eq!(keys.json(&format!("show {next}")).await[0]["state"], state);
    }
    for _ in 0..2 {
        assert_eq!(keys.run(&format!("revoke {next} --reason lost")).await.code, 0);
    }
    assert_eq!(keys.json(&format!("show {next}")).await[0]["state"], "revoked");
}

#[tokio::test]
async fn usage_is_shown_by_day() {
    let keys = Keys::new();
    let ids = ["acme", "other"].map(|organization| format!("create --organization {organization}"));
    let made = [keys.json(&ids[0]).await, keys.json(&ids[1]).await];
    let store = SqliteStore::open(&keys.url()).await.unwrap();
    let day: Day = "2027-01-15".parse().unwrap();
    let count = |key: &Value, owner, requests, day: Day| {
        let id = KeyId::new(key["id"].as_str().unwrap()).unwrap();
        let owner = Owner::organization(owner);
        UsageCount::new(id, Environment::Live, owner, requests, day.start())
            .rejected(requests / 2, requests / 4)
    };
    let counts = [
        count(&made[0], "acme", 1, day).routes([("/notes", 1)]),
        count(&made[1], "other", 2, day),
        count(&made[0], "acme", 4, day.plus(1)),
    ];
    store.add_usage(&UsageBatch::new("test", 1, counts)).await.unwrap();
    store.close().await;

    let line = |day: &str, [requests, limited, forbidden]: [u64; 3], key: Value| {
        serde_json::json!({
            "day": day, "environment": "live", "requests": requests, "limited": limited, "forbidden": forbidden,
            "key": key, "route": null,
        })
    };
    let both = "usage --from 2027-01-15 --to 2027-01-16";
    let null = || Value::Null;
    assert_eq!(
        keys.json(both).await,
        Value::from(vec![line("2027-01-15", [3, 1, 0], null()), line("2027-01-16", [4, 2, 1], null())])
    );
    let own = keys.json(&format!("{both} --by-key --organization other")).await;
    assert_eq!(own, Value::from(vec![line("2027-01-15", [2, 1, 0], made[1]["id"].clone())]));
    let id = made[0]["id"].as_str().unwrap();
    let one = keys.json(&format!("usage --key {id} --from 2027-01-16 --to 2027-01-16")).await;
    assert_eq!(one, Value::from(vec![line("2027-01-16", [4, 2, 1], null())]));
    assert_eq!(keys.json("usage --to 2027-01-14").await, serde_json::json!([]));
    let route = serde_json::json!({
        "day": "2027-01-15", "environment": "live", "requests": 1, "key": null, "route": "/notes",
    });
    assert_eq!(keys.json(&format!("{both} --by-route")).await, Value::from(vec![route]));
    let table = keys.run(&format!("{both} --by-route")).await.stdout;
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["2027-01-15", "live", "1", "-", "-", "/notes"], "{table}");
    let table = keys.run(&format!("{both} --by-key")).await.stdout;
    assert!(table.starts_with("DAY") && table.contains(id) && table.lines().count() == 4, "{table}");
}

#[tokio::test]
async fn only_the_text_of_a_key_goes_to_stdout() {
    let keys = Keys::new();
    let made = keys.run("create --user ann@example.com --test --expires-in-days 30").await;
    let text = made.stdout.strip_suffix('\n').unwrap();
    assert!(text.starts_with("demo_test_") && !text.contains(char::is_whitespace), "{text:?}");
    assert!(!made.stderr.contains(text), "{}", made.stderr);
    let table = keys.run("list").await.stdout;
    assert!(table.contains("user ann@example.com") && table.contains("active"), "{table}");
    assert!(!table.contains(text) && table.contains(&text[..16]), "{table}");
}

#[tokio::test]
async fn an_invalid_command_names_the_argument_and_changes_nothing() {
    let keys = Keys::new();
    let made = keys.json("create --organization acme").await;
    let id = made["id"].as_str().unwrap();
    let before = keys.json("list").await;
    let long = "x".repeat(256);
    let scopes: String = (0..101).map(|number| format!(" --scope a{number}")).collect();
    // As many as a command line takes.
    let limits: String = (0..5_000).map(|number| format!(" --limit a{number}=1/1s")).collect();
    let plan_limits: String = (0..10_000).map(|number| format!(" a{number}=1/1s")).collect();
    let of = |command: &str| format!("{command} {id}");
    for (arguments, says) in [
        ("", "Usage"),
        ("destroy", "destroy"),
        ("init now", "now"),
        ("create", "--organization"),
        ("create --project p", "--organization"),
        ("create --organization a --user b@c", "--user"),
        ("create --organization=", "--organization"),
        ("create --organization a --project=", "--project"),
        (&format!("create --organization {long}"), "--organization"),
        ("create --organization a\nb", "--organization"),
        ("create --user=", "--user"),
        ("create --user ann", "--user"),
        ("create --organization a --scope a\"b", "--scope"),
        ("create --organization a --scope=", "--scope"),
        (&format!("create --organization a{scopes}"), "scopes: must have at most 100"),
        (&format!("create --organization a --scope {long}"), "must have at most 128 characters"),
        ("create --organization a --expires-in-days soon", "--expires-in-days"),
        ("create --organization a --expires-in-days 0", "--expires-in-days"),
        ("create --organization a --expires-in-days -1", "--expires-in-days"),
        ("create --organization a --expires-in-days 4294967295", "--expires-in-days"),
        ("create --organization a --test=no", "--test"),
        (&format!("create --organization a --name {long}"), "name: must have at most 255"),
        ("create --organization a --name a\nb", "name: must not contain control characters"),
        ("create --organization a --prefix Demo", "--prefix"),
        ("--prefix Demo create --organization a", "--prefix"),
        ("--prefix= create --organization a", "--prefix"),
        ("create --organization a --limit burst=0/60s", "at least one request"),
        ("create --organization a --limit burst=-1/60s", "must have the form"),
        ("create --organization a --limit burst=99999999999999999999/60s", "must have the form"),
        ("create --organization a --limit monthly=4294967296/month", "at most 4294967295"),
        ("create --organization a --limit a=1/1s --limit a=2/1s", "the same name"),
        (&format!("create --organization a{limits}"), "at most eight limits"),
        ("create --organization a --plan Pro", "--plan"),
        ("create --organization a --plan gold", "plan: no plan with this name"),
        ("update", "<ID>"),
        (&of("update"), "--limit"),
        (&of("update --limit burst=0/60s"), "at least one request"),
        (&of("update --no-limits --limit burst=1/60s"), "--no-limits"),
        (&of("update --plan gold"), "plan: no plan with this name"),
        (&of("update --no-plan --plan gold"), "--no-plan"),
        ("plans", "Usage"),
        ("plans put Pro", "<NAME>"),
        ("plans put pro burst=0/60s", "at least one request"),
        ("plans put pro a=1/1s a=2/1s", "the same name"),
        (&format!("plans put pro{plan_limits}"), "at most eight limits"),
        ("plans delete", "<NAME>"),
        ("plans list --limit 0", "--limit"),
        ("plans assign", "<NAME>"),
        ("plans assign free", "--organization"),
        ("plans assign free --organization a --user b@c", "--user"),
        ("plans assign gold --organization acme", "plan: no plan with this name"),
        ("plans unassign", "--organization"),
        ("list --limit 0", "--limit"),
        ("list --limit -1", "--limit"),
        ("list --limit ten", "--limit"),
        ("list --after a/b", "--after"),
        ("list --project p", "--organization"),
        ("list --user ann", "--user"),
        ("show", "<ID>"),
        ("show a/b", "<ID>"),
        ("show a\u{1b}[2Jb", r"'a\u{1b}[2Jb'"),
        (&of("show a"), id),
        ("rotate", "<ID>"),
        ("rotate a/b", "<ID>"),
        (&of("rotate --grace-seconds soon"), "--grace-seconds"),
        (&of("rotate --grace-seconds -1"), "--grace-seconds"),
        (&of("rotate --grace-seconds 4294967296"), "--grace-seconds"),
        (&of("rotate --from-first-use=maybe"), "--from-first-use"),
        ("revoke", "<ID>"),
        ("revoke a/b", "<ID>"),
        (&of(&format!("revoke --reason {long}")), "reason: must have at most 255"),
        (&of("revoke --reason a\nb"), "reason: must not contain control characters"),
        ("usage --key a/b", "--key"),
        ("usage --from 2027-02-29", "--from"),
        ("usage --from 2027-01-02 --to 2027-01-01", "--from"),
        ("usage --to tomorrow", "--to"),
        ("usage --project p", "--organization"),
        ("usage --user ann", "--user"),
        ("usage --by-key=no", "--by-key"),
        ("list --json=no", "--json"),
        ("audit --key a/b", "--key"),
        ("audit --action sold", "--action"),
        ("audit --from yesterday", "--from"),
        ("audit --to 2030-01-31", "--to"),
        ("audit --limit 0", "--limit"),
        ("audit --user ann", "--user"),
        ("import", "<FILE>"),
        ("self-check now", "now"),
    ] {
        let ran = keys.run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments}: {}", ran.stderr);
    }
    for command in ["show", "rotate", "disable", "enable", "revoke"] {
        let ran = keys.run(&format!("{command} key_nope")).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{command}: {}", ran.stderr);
        assert_eq!(ran.stderr, "keys: no key with id key_nope\n", "{command}");
        for pasted in [PASTED, "secret-0123456789abcdef", "key_Wq3TzK8vLm2NbX7cRy5PdH"] {
            let ran = keys.run(&format!("{command} {pasted}")).await;
            assert_eq!((ran.code, ran.stderr.as_str()), (3, "keys: no key with this id\n"), "{command}");
            assert_eq!(ran.stdout, "", "{command}");
        }
    }
    assert_eq!(keys.json("list").await, before);
    assert_eq!(keys.json("plans list").await, serde_json::json!([]));
}

#[tokio::test]
async fn keys_are_limited_by_themselves_and_by_plans() {
    let keys = Keys::new();
    assert_eq!(keys.run("init").await.code, 0);
    let put = keys.run("plans put free burst=10/60s monthly=1000/month/owner").await;
    assert_eq!((put.code, put.stderr.as_str()), (0, "The plan free is in force.\n"));
    assert_eq!(keys.run("plans put pro").await.code, 0);
    let plans = serde_json::json!([
        { "name": "free", "limits": ["burst=10/60s", "monthly=1000/month/owner"] },
        { "name": "pro", "limits": [] },
    ]);
    assert_eq!(keys.json("plans list").await, plans);
    assert!(keys.run("plans list").await.stdout.starts_with("NAME  LIMITS\nfree  burst=10/60s monthly="));

    let made =
        keys.json("create --organization acme --limit burst=5/60s --limit daily=9/day --plan free").await;
    let id = made["id"].as_str().unwrap();
    let shown = async || keys.json(&format!("show {id}")).await[0].clone();
    let limits = serde_json::json!(["burst=5/60s", "daily=9/day", "monthly=1000/month/owner"]);
    assert_eq!((&shown().await["limits"], &shown().await["plan"]), (&limits, &serde_json::json!("free")));
    assert!(
        keys.run("list").await.stdout.ends_with("free  burst=5/60s daily=9/day monthly=1000/month/owner\n")
    );

    let in_use = keys.run("plans delete free").await;
    assert_eq!(in_use.code, 4);
    assert!(
        in_use.stderr.starts_with("keys: cannot delete the plan free: a key, an organization or a user has"),
        "{}",
        in_use.stderr
    );
    assert_eq!(keys.json("plans list").await, plans);

    assert_eq!(keys.run(&format!("update {id} --no-limits --plan pro")).await.code, 0);
    assert_eq!(
        (&shown().await["limits"], &shown().await["plan"]),
        (&serde_json::json!([]), &serde_json::json!("pro"))
    );
    assert_eq!(keys.run("plans put pro burst=100/60s").await.code, 0);
    assert_eq!(shown().await["limits"], serde_json::json!(["burst=100/60s"]));
    assert_eq!(keys.run(&format!("update {id} --limit hourly=7/3600s --no-plan")).await.code, 0);
    assert_eq!(
        (&shown().await["limits"], &shown().await["plan"]),
        (&serde_json::json!(["hourly=7/3600s"]), &Value::Null)
    );

    // The application adds organizations. Their keys do not.
    let unknown = keys.run("plans assign pro --organization acme").await;
    assert_eq!((unknown.code, &*unknown.stderr), (3, "keys: no organization acme in the database\n"));
    let store = SqliteStore::open(&keys.url()).await.unwrap();
    assert_eq!(store.organization("acme").await.unwrap(), None);
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    let assigned = keys.run("plans assign pro --organization acme").await;
    assert_eq!((assigned.code, &*assigned.stderr), (0, "The plan pro is in force for organization acme.\n"));
    let of_both = serde_json::json!(["hourly=7/3600s", "burst=100/60s"]);
    assert_eq!((&shown().await["limits"], &shown().await["plan"]), (&of_both, &serde_json::json!("pro")));
    assert_eq!(keys.run("plans delete pro").await.code, 4);
    assert_eq!(keys.run("plans assign free --organization acme").await.code, 0);
    assert_eq!(shown().await["plan"], "free");
    let removed = keys.run("plans unassign --organization acme").await;
    assert_eq!((removed.code, &*removed.stderr), (0, "No plan is in force for organization acme.\n"));
    assert_eq!(shown().await["plan"], Value::Null);
    for (arguments, says) in [
        ("plans unassign --organization acne", "keys: no organization acne in the database\n"),
        ("plans assign pro --user ann@example.com", "keys: no user ann@example.com in the database\n"),
    ] {
        let ran = keys.run(arguments).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (3, says));
    }

    assert_eq!(keys.run("plans delete free").await.code, 0);
    let gone = keys.run("plans delete free").await;
    assert_eq!((gone.code, gone.stderr.as_str()), (3, "keys: no plan free\n"));
    let unknown = keys.run("update key_nope --plan pro").await;
    assert_eq!((unknown.code, unknown.stderr.as_str()), (3, "keys: no key with id key_nope\n"));
}

#[tokio::test]
async fn an_invalid_command_creates_no_database() {
    let keys = Keys::new();
    for arguments in [
        "create",
        "show a/b",
        "create --user ann",
        "list --limit 0",
        "usage --to tomorrow",
        "usage --from 2027-01-02 --to 2027-01-01",
    ] {
        assert_eq!(keys.run(arguments).await.code, 2, "{arguments}");
    }
    assert_eq!(std::fs::read_dir(keys.0.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_init_and_create_create_a_missing_database() {
    let keys = Keys::new();
    for arguments in ["list", "show key_a", "rotate key_a", "revoke key_a", "usage", "audit", "import x"] {
        let ran = keys.run(arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains("run `init` to create it"), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains("keys.db"), "{arguments}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read_dir(keys.0.path()).unwrap().count(), 0);
    for made_by in ["init", "create --organization acme"] {
        let keys = Keys::new();
        assert_eq!(keys.run(made_by).await.code, 0);
        assert_eq!(keys.run("list").await.code, 0, "{made_by}");
    }
}

#[tokio::test]
async fn a_person_is_found_by_an_e_mail_in_any_case() {
    let keys = Keys::new();
    let made = keys.json("create --user ANN@example.com").await;
    let listed = keys.json("list --user Ann@Example.com").await;
    assert_eq!((&listed[0]["id"], listed.as_array().unwrap().len()), (&made["id"], 1));

    let store = SqliteStore::open(&keys.url()).await.unwrap();
    let (id, day) = (KeyId::new(made["id"].as_str().unwrap()).unwrap(), "2027-01-15".parse::<Day>().unwrap());
    let count = UsageCount::new(id, Environment::Live, Owner::user("ann@example.com", []), 3, day.start());
    store.add_usage(&UsageBatch::new("test", 1, [count])).await.unwrap();
    store.close().await;
    let usage = keys.json("usage --user Ann@Example.com --from 2027-01-15 --to 2027-01-15").await;
    assert_eq!(usage[0]["requests"], 3);
}

/// `/dev/full` fails each write.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_whose_text_cannot_be_written_is_revoked() {
    let keys = Keys::new();
    let first = keys.json("create --organization acme").await;
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let rotate = format!("rotate {} --grace-seconds 60", first["id"].as_str().unwrap());
    let made = ["create --organization acme", "--json create --organization acme", &rotate];
    let mut count = 1;
    for arguments in made {
        let ran = run_into(full().into(), &keys.url(), arguments.split(' ')).await;
        assert_eq!(ran.code, 5, "{arguments}: {}", ran.stderr);
        let listed = keys.json("list").await;
        let listed = listed.as_array().unwrap();
        count += 1;
        let newest = listed.last().unwrap();
        assert_eq!(newest["state"], "revoked", "{arguments}");
        let says = format!("{} is revoked", newest["id"].as_str().unwrap());
        assert!(ran.stderr.contains("cannot write the text of the new key"), "{}", ran.stderr);
        assert!(ran.stderr.contains(&says), "{arguments}: {}", ran.stderr);
        assert_eq!(listed.len(), count, "{arguments}");
    }
    // The rotated key stays valid for its grace.
    assert_eq!(keys.json("list").await[0]["state"], "active");
    for arguments in ["list", "--json list", "usage"] {
        let ran = run_into(full().into(), &keys.url(), arguments.split(' ')).await;
        assert_eq!(ran.code, 5, "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains("cannot write to stdout"), "{arguments}: {}", ran.stderr);
    }
    // A failed write to stderr fails no command.
    let mut quiet = Command::new(binary("keys"));
    quiet.args(["--url", &keys.url(), "create", "--organization", "acme"]).stderr(full());
    let ran = quiet.output().await.unwrap();
    assert!(ran.status.success() && ran.stdout.starts_with(b"demo_live_"), "{ran:?}");
}

/// Runs a command with a redirection of the shell.
#[cfg(unix)]
async fn run_redirected(redirection: &str, url: &str, arguments: &str) -> Ran {
    let mut command = Command::new("sh");
    let script = format!("exec \"$0\" \"$@\" {redirection}");
    command.args(["-c", &script]).arg(binary("keys")).args(["--url", url]).args(arguments.split(' '));
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

#[cfg(unix)]
#[tokio::test]
async fn no_key_is_created_whose_text_would_be_lost() {
    let keys = Keys::new();
    let nowhere = [">&-", ">/dev/null", ">/dev/zero", "<&- >&- 2>&-", ">/dev/null 2>/dev/null"];
    for redirection in nowhere {
        let ran = run_redirected(redirection, &keys.url(), "create --organization acme").await;
        assert_eq!(ran.code, 5, "{redirection}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read_dir(keys.0.path()).unwrap().count(), 0, "no database is created either");

    let made = keys.json("create --organization acme").await;
    let before = keys.json("list").await;
    let rotate = format!("rotate {}", made["id"].as_str().unwrap());
    for arguments in ["create --organization acme", "--json create --organization acme", &rotate] {
        for redirection in [">&-", ">/dev/null"] {
            let ran = run_redirected(redirection, &keys.url(), arguments).await;
            assert_eq!(ran.code, 5, "{arguments} {redirection}: {}", ran.stderr);
            assert!(ran.stderr.contains("--output"), "{arguments} {redirection}: {}", ran.stderr);
        }
    }
    assert_eq!(keys.json("list").await, before);
    // Output that can be requested again may be discarded.
    for arguments in ["list", "--json list", "usage", "init"] {
        assert_eq!(run_redirected(">/dev/null", &keys.url(), arguments).await.code, 0, "{arguments}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_text_of_a_key_goes_into_a_new_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;

    let keys = Keys::new();
    let file = |name: &str| keys.0.path().join(name);
    let [plain, json, next] = ["plain", "json", "next"].map(file);
    let create = "create --organization acme --output";
    let read = |path: &Path| {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::read_to_string(path).unwrap()
    };
    for redirection in ["", ">&-", ">/dev/null"] {
        let path = file(&format!("plain{}", redirection.len()));
        let ran = run_redirected(redirection, &keys.url(), &format!("{create} {}", path.display())).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{redirection}: {}", ran.stderr);
        let text = read(&path);
        assert!(text.starts_with("demo_live_") && text.lines().count() == 1, "{text}");
        assert!(!ran.stderr.contains(text.trim_end()), "{}", ran.stderr);
    }
    let ran = keys.run(&format!("--json {create} {}", json.display())).await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let made: Value = serde_json::from_str(&read(&json)).unwrap();
    let id = made["id"].as_str().unwrap();
    let ran = keys.run(&format!("rotate {id} --output {}", next.display())).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(read(&next).starts_with("demo_live_"));

    // An existing file stays as it is, and so does the target of a link.
    let (before, missing) = (keys.json("list").await, file("missing"));
    std::os::unix::fs::symlink(&missing, &plain).unwrap();
    for taken in [&next, &plain] {
        let text = std::fs::read_to_string(&next).unwrap();
        let ran = keys.run(&format!("{create} {}", taken.display())).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("--output") && ran.stderr.contains("exists"), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(&next).unwrap(), text);
    }
    // A command that creates no key leaves no file.
    for (arguments, code) in [("rotate key_nope", 3), (&format!("rotate {id}"), 4)] {
        let ran = keys.run(&format!("{arguments} --output {}", missing.display())).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
    }
    let ran = keys.run(&format!("{create} {} --name a\nb", missing.display())).await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!missing.exists());
    assert_eq!(keys.json("list").await, before);
}

#[cfg(unix)]
#[tokio::test]
async fn a_closed_pipe_fails_no_list() {
    let keys = Keys::new();
    keys.json("create --organization acme").await;
    // The other end is closed before the first write.
    let closed = || {
        let (own, other) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(other);
        Stdio::from(std::os::fd::OwnedFd::from(own))
    };
    for arguments in ["list", "--json list", "usage"] {
        let ran = run_into(closed(), &keys.url(), arguments.split(' ')).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}");
    }
    let ran = run_into(closed(), &keys.url(), "create --organization acme".split(' ')).await;
    assert_eq!(ran.code, 5, "{}", ran.stderr);
}

#[tokio::test]
async fn an_unreachable_database_has_a_status_of_its_own() {
    let folder = TempDir::new().unwrap();
    let missing = format!("sqlite:{}", folder.path().join("no/such/folder/keys.db").display());
    for (url, code) in [
        (missing.as_str(), 5),
        ("postgres://user@127.0.0.1:1/keys", 5),
        ("mysql://root:hunter2@x/y", 2),
        ("", 2),
        ("keys.db", 2),
    ] {
        let ran = run(url, ["list"].into_iter()).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains("--url"), code == 2, "{}", ran.stderr);
    }
    assert!(!Path::new("no").exists());
}

#[tokio::test]
async fn a_list_shows_when_keys_were_created_used_and_expire() {
    let keys = Keys::new();
    let made = keys.json("create --organization acme --expires-in-days 3").await;
    let store = SqliteStore::open(&keys.url()).await.unwrap();
    let (id, day) = (KeyId::new(made["id"].as_str().unwrap()).unwrap(), "2027-01-15".parse::<Day>().unwrap());
    let record = store.get(&id).await.unwrap().unwrap();
    let count = UsageCount::new(id, Environment::Live, Owner::organization("acme"), 3, day.start());
    store.add_usage(&UsageBatch::new("test", 1, [count])).await.unwrap();
    store.close().await;

    let shown = keys.json("list").await;
    let text = |time: Option<Timestamp>| time.unwrap().to_string();
    assert_eq!(shown[0]["created_at"], text(record.created_at));
    assert_eq!(shown[0]["expires_at"], text(record.expires_at));
    assert_eq!(shown[0]["last_used_at"], "2027-01-15T00:00:00Z");
    assert_eq!(shown[0]["revoked_at"], Value::Null);
    let table = keys.run("list").await.stdout;
    let (heads, row) = table.split_once('\n').unwrap();
    for head in ["CREATED", "EXPIRES", "LAST USED"] {
        assert!(heads.contains(head), "{heads}");
    }
    for time in [record.created_at, record.expires_at] {
        assert!(row.contains(&text(time)[..10]), "{row}");
    }
    assert!(row.contains("2027-01-15"), "{row}");
}

#[tokio::test]
async fn the_audit_log_shows_each_change() {
    let keys = Keys::new();
    let made = keys.json("create --organization acme").await;
    let id = made["id"].as_str().unwrap();
    keys.json("create --user ann@example.com").await;
    let next = keys.json(&format!("rotate {id}")).await;
    keys.run(&format!("revoke {id} --reason lost")).await;

    let all = keys.json("audit").await;
    let all = all.as_array().unwrap();
    let actions: Vec<_> = all.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["created", "rotated", "created", "created"], "the rotated key was revoked already");
    assert_eq!((&all[1]["key"], &all[1]["rotated_to"]), (&made["id"], &next["id"]));
    assert_eq!(all[3]["owner"], "organization acme");
    let at = all[1]["at"].as_str().unwrap();
    assert!(at.parse::<Timestamp>().is_ok(), "{at}");
    let reversed: Vec<_> = all.iter().rev().cloned().collect();
    for (arguments, expected) in [
        (format!("--key {id}"), vec![&all[1], &all[3]]),
        ("--action rotated".to_owned(), vec![&all[1]]),
        ("--user Ann@example.com".to_owned(), vec![&all[2]]),
        ("--oldest-first".to_owned(), reversed.iter().collect()),
        ("--limit 1".to_owned(), vec![&all[0]]),
        ("--actor another".to_owned(), Vec::new()),
        ("--to 2000-01-01T00:00:00Z".to_owned(), Vec::new()),
        ("--from 2999-01-01T00:00:00Z".to_owned(), Vec::new()),
    ] {
        assert_eq!(
            keys.json(&format!("audit {arguments}")).await,
            serde_json::json!(expected),
            "{arguments}"
        );
    }
    let table = keys.run("audit").await.stdout;
    assert!(
        table.contains("rotated") && table.contains(id) && table.contains("user ann@example.com"),
        "{table}"
    );
    let secret = made["key"].as_str().unwrap();
    assert!(!table.contains(secret) && !serde_json::json!(all).to_string().contains(secret));
}

#[tokio::test]
async fn existing_keys_are_imported_by_text_or_by_digest() {
    let keys = Keys::new();
    keys.run("init").await;
    let file = keys.0.path().join("keys.jsonl");
    let lines = r#"{"key":"secret-of-sixteen-bytes","organization":"acme","project":"p","name":"old","scopes":["a","b"],"environment":"test","expires_at":"2099-01-01T00:00:00Z"}

{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","user":"Ann@example.com","name":null}
"#;
    std::fs::write(&file, lines).unwrap();
    let import = format!("import {}", file.display());
    let dry = keys.run(&format!("{import} --dry-run")).await;
    assert_eq!((dry.code, dry.stdout.as_str(), dry.stderr.as_str()), (0, "", "2 keys can be imported.\n"));
    assert_eq!(keys.json("list").await, serde_json::json!([]));

    let made = keys.json(&import).await;
    assert_eq!((&made[0]["line"], &made[1]["line"]), (&serde_json::json!(1), &serde_json::json!(3)));
    let listed = keys.json("list").await;
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&made[0]["id"], &made[1]["id"]));
    assert_eq!(
        (&listed[0]["owner"], &listed[1]["owner"]),
        (&"project acme/p".into(), &"user ann@example.com".into())
    );
    assert_eq!((&listed[0]["name"], &listed[0]["environment"]), (&"old".into(), &"test".into()));
    assert_eq!(listed[0]["scopes"], serde_json::json!(["a", "b"]));
    assert_eq!(listed[0]["expires_at"], "2099-01-01T00:00:00Z");
    let store = SqliteStore::open(&keys.url()).await.unwrap();
    for text in ["secret-of-sixteen-bytes", "abc"] {
        assert!(store.find(&Digester::sha256().digest(text.as_bytes())).await.unwrap().is_some(), "{text}");
    }
    store.close().await;

    let again = keys.run(&import).await;
    assert_eq!((again.code, again.stdout.as_str()), (2, ""));
    assert_eq!(
        again.stderr,
        "line 1: the database has this key already\nline 3: the database has this key already\n\
         keys: nothing was imported: 2 lines invalid\n"
    );
}

#[tokio::test]
async fn keys_are_imported_with_limits_and_a_plan() {
    let keys = Keys::new();
    keys.run("init").await;
    assert_eq!(keys.run("plans put free burst=10/60s monthly=9/month/organization").await.code, 0);
    let file = keys.0.path().join("keys.jsonl");
    let line = |plan: &str| {
        let rest = format!(
            r#""organization":"acme","limits":["burst=5/60s","daily=7/day/owner"],"plan":"{plan}"}}"#
        );
        format!(r#"{{"key":"secret-of-sixteen-bytes",{rest}"#)
    };
    let import = format!("import {}", file.display());
    std::fs::write(&file, line("gold")).unwrap();
    let unknown = keys.run(&import).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.starts_with("line 1: invalid values: plan: no plan with"), "{}", unknown.stderr);
    std::fs::write(&file, line("free")).unwrap();
    assert_eq!(keys.json(&import).await[0]["line"], 1);
    let listed = keys.json("list").await;
    let limits = serde_json::json!(["burst=5/60s", "daily=7/day/owner", "monthly=9/month/organization"]);
    assert_eq!((&listed[0]["limits"], &listed[0]["plan"]), (&limits, &serde_json::json!("free")));
}

#[tokio::test]
async fn an_import_with_an_invalid_line_changes_nothing_and_shows_no_text() {
    let keys = Keys::new();
    keys.run("init").await;
    let file = keys.0.path().join("keys.jsonl");
    let good = r#"{"key":"secret-of-sixteen-bytes","organization":"acme"}"#;
    for (line, says) in [
        ("secret", "must be a JSON object"),
        ("[\"secret\"]", "must be a JSON object"),
        (r#"{"key":"secret","organization":"a"}"#, "at least 16 bytes unless --allow-weak"),
        (good, "an earlier line has the same key"),
        (r#"{"organization":"a"}"#, "either `key`, the text, or `sha256`"),
        (r#"{"key":"secret-secret-secret","sha256":"00","organization":"a"}"#, "either `key`"),
        (r#"{"sha256":"secret","organization":"a"}"#, "sha256: digest is invalid: must be 64 hex"),
        (r#"{"key":"secret-secret-secret"}"#, "must have `organization`"),
        (r#"{"key":"secret-secret-secret","organization":"a","user":"a@b"}"#, "no other owner"),
        (r#"{"key":"secret-secret-secret","project":"a"}"#, "must have `organization`"),
        (r#"{"key":"secret-secret-secret","user":"secret"}"#, "user: must be an e-mail"),
        (r#"{"key":"secret-secret-secret","organization":"a","scopes":["a","sec ret"]}"#, "scopes: item 2"),
        (r#"{"key":"secret-secret-secret","organization":"a","scopes":"secret"}"#, "scopes: must be a list"),
        (r#"{"key":"secret-secret-secret","organization":"a","expires_at":"secret"}"#, "expires_at: time"),
        (
            r#"{"key":"secret-secret-secret","organization":"a","expires_at":"2000-01-01T00:00:00Z"}"#,
            "in the future",
        ),
        (r#"{"key":"secret-secret-secret","organization":"a","environment":"secret"}"#, "`live` or `test`"),
        (
            r#"{"key":"secret-secret-secret","organization":"a","secret":1}"#,
            "unknown or repeated field; known are key",
        ),
        (
            r#"{"key":"secret-secret-secret","organization":"a","key":"secret-secret-secrets"}"#,
            "unknown or repeated field",
        ),
        (
            r#"{"key":"secret-secret-secret","organization":"a","limits":"burst=1/1s"}"#,
            "limits: must be a list",
        ),
        (
            r#"{"key":"secret-secret-secret","organization":"a","limits":["a=1/1s","b"]}"#,
            "limits: item 2: a limit",
        ),
        (
            r#"{"key":"secret-secret-secret","organization":"a","limits":["a=1/1s","a=2/1s"]}"#,
            "the same name",
        ),
        (r#"{"key":"secret-secret-secret","organization":"a","plan":"Secret"}"#, "plan: the name of a plan"),
        (r#"{"key":7,"organization":"a"}"#, "key: must be a text"),
        (
            r#"{"key":"secret secret secret","organization":"a","name":"a\nb"}"#,
            "name: must not contain control",
        ),
    ] {
        std::fs::write(&file, format!("{good}\n{line}\n")).unwrap();
        let ran = keys.run(&format!("import {}", file.display())).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("line 2: ") && ran.stderr.contains(says), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains("secret"), "{line}: {}", ran.stderr);
        assert!(ran.stderr.ends_with("keys: nothing was imported: 1 line invalid\n"), "{}", ran.stderr);
    }
    assert_eq!(keys.json("list").await, serde_json::json!([]));
    let missing = keys.run("import missing.jsonl").await;
    assert_eq!((missing.code, missing.stdout.as_str()), (5, ""));
    assert!(missing.stderr.contains("cannot read missing.jsonl"), "{}", missing.stderr);
}

#[cfg(unix)]
#[tokio::test]
async fn keys_are_imported_from_stdin() {
    let keys = Keys::new();
    keys.run("init").await;
    let file = keys.0.path().join("keys.jsonl");
    std::fs::write(&file, r#"{"key":"short","organization":"acme"}"#).unwrap();
    let from = format!("<{}", file.display());
    let ran = run_redirected(&from, &keys.url(), "import - --allow-weak").await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(keys.json("list").await[0]["id"], ran.stdout.trim_end());
}

#[tokio::test]
async fn a_self_check_names_what_fails_and_changes_nothing() {
    let keys = Keys::new();
    let checks = async |url: &str| {
        let ran = run(url, ["--json", "self-check"].into_iter()).await;
        let checks: Vec<(String, bool)> = serde_json::from_str::<Vec<Value>>(&ran.stdout)
            .unwrap()
            .iter()
            .map(|check| (check["check"].as_str().unwrap().to_owned(), check["ok"].as_bool().unwrap()))
            .collect();
        assert_eq!(ran.code, if checks.iter().all(|(_, passed)| *passed) { 0 } else { 5 }, "{}", ran.stderr);
        checks
    };
    let failed = |checks: Vec<(String, bool)>| {
        checks.into_iter().filter(|(_, passed)| !passed).map(|(check, _)| check).collect::<Vec<_>>()
    };
    assert_eq!(failed(checks(&keys.url()).await), ["file"]);
    assert_eq!(std::fs::read_dir(keys.0.path()).unwrap().count(), 0, "no file was created");

    keys.json("create --organization acme").await;
    let before = (keys.json("list").await, keys.json("audit").await);
    let passed = checks(&keys.url()).await;
    let names: Vec<_> = passed.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(
        names,
        ["file", "mode", "tables", "schema", "lookup", "usage", "audit", "write", "digester", "feed"]
    );
    assert_eq!(failed(passed), [""; 0]);
    assert_eq!((keys.json("list").await, keys.json("audit").await), before);
    let ran = keys.run("self-check").await;
    assert_eq!((ran.code, ran.stdout.lines().count(), ran.stderr.as_str()), (0, 10, ""));

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = keys.0.path().join("keys.db");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(failed(checks(&keys.url()).await), ["mode"]);
    }
    let other = keys.0.path().join("other.db");
    std::fs::write(&other, "no database, but a text of more than sixteen bytes").unwrap();
    assert!(failed(checks(&format!("sqlite:{}", other.display())).await).contains(&"tables".to_owned()));
    assert_eq!(failed(checks("postgres://user@127.0.0.1:1/keys").await), ["server"]);
}

/// A pepper of 32 bytes.
const PEPPER: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn pepper() -> Digester {
    let bytes: Vec<u8> = (0..32).map(|byte| byte % 16 * 0x11).collect();
    Digester::hmac_sha256(&bytes).unwrap()
}

#[tokio::test]
async fn a_pepper_is_replaced_step_by_step() {
    let keys = Keys::new();
    let made = keys.json("create --organization acme").await;
    let both = [Some(PEPPER), Some("sha256")];
    let json = async |arguments: &str| {
        let ran = keys.run_under(both, &format!("--json {arguments}")).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}");
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let fingerprint = pepper().fingerprint();
    let digesters = |is_stored: bool, has_former: bool, left: u64| {
        serde_json::json!({
            "digesters": [
                { "fingerprint": fingerprint.as_str(), "here": "current", "in_database": is_stored },
                { "fingerprint": "digester sha256", "here": "former", "in_database": has_former },
            ],
            "keys_under_former": left,
        })
    };
    assert_eq!(json("digesters").await, digesters(false, true, 1));
    let under_new = json("create --organization acme").await;
    assert_eq!(json("digesters").await, digesters(true, true, 1));

    // As a node does when the key is used.
    let store = SqliteStore::open(&keys.url()).await.unwrap();
    let add = WriteBack::Digest {
        id: KeyId::new(made["id"].as_str().unwrap()).unwrap(),
        digest: pepper().digest(made["key"].as_str().unwrap().as_bytes()),
        digester: fingerprint.clone(),
        at: Timestamp::from_unix_millis(1),
    };
    store.write_back(add).await.unwrap();
    assert_eq!(json("digesters").await, digesters(true, true, 0));
    assert_eq!(json("retire-digesters").await, serde_json::json!({ "keys": 1, "keys_under_former": 0 }));
    assert_eq!(json("digesters").await, digesters(true, false, 0));
    let table = keys.run_under([None, None], "digesters").await.stdout;
    assert!(table.contains(fingerprint.as_str()) && table.ends_with("digesters only: 2\n"), "{table}");

    for key in [&made, &under_new] {
        let text = key["key"].as_str().unwrap().as_bytes();
        assert!(store.find(&pepper().digest(text)).await.unwrap().is_some());
        assert!(store.find(&Digester::sha256().digest(text)).await.unwrap().is_none());
    }
    store.close().await;
}

#[tokio::test]
async fn no_key_is_made_under_a_pepper_that_the_database_does_not_know() {
    let keys = Keys::new();
    let made = keys.json("create --organization acme").await;
    let before = keys.json("list").await;
    let file = keys.0.path().join("keys.jsonl");
    std::fs::write(&file, r#"{"key":"secret-of-sixteen-bytes","organization":"acme"}"#).unwrap();
    let other = PEPPER.replace("00", "01");
    for command in [
        "create --organization acme",
        &format!("rotate {}", made["id"].as_str().unwrap()),
        &format!("import {}", file.display()),
        "retire-digesters",
    ] {
        let ran = keys.run_under([Some(PEPPER), Some(&other)], command).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{command}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("set KEYS_PEPPER to the pepper of the nodes"),
            "{command}: {}",
            ran.stderr
        );
    }
    assert_eq!(keys.json("list").await, before);
    let checks = keys.run_under([Some(PEPPER), None], "self-check").await;
    assert_eq!((checks.code, checks.stderr.as_str()), (5, "keys: 1 check failed\n"));
    assert!(checks.stdout.contains("FAILED  digester  no key of the database was made with this pepper"));
    let checks = keys.run_under([Some(PEPPER), Some("sha256")], "self-check").await;
    assert_eq!((checks.code, checks.stderr.as_str()), (0, ""), "{}", checks.stdout);
    // The setting of the current pepper may have been forgotten, and then its digests would be dropped.
    let retired = keys.run("retire-digesters").await;
    assert_eq!((retired.code, retired.stdout.as_str()), (2, ""));
    assert!(retired.stderr.contains("KEYS_FORMER_PEPPERS is not set"), "{}", retired.stderr);
}

#[tokio::test]
async fn an_invalid_pepper_is_named_and_not_shown() {
    let keys = Keys::new();
    let short = &PEPPER[..62];
    let twice = format!("{PEPPER},sha256,{PEPPER}");
    for (peppers, says) in [
        ([Some(""), None], "KEYS_PEPPER must be set to hexadecimal digits"),
        ([Some("a3c"), None], "KEYS_PEPPER must be set to hexadecimal digits"),
        ([Some("a secret of more than thirty-two bytes"), None], "KEYS_PEPPER must be set to hex"),
        ([Some(short), None], "KEYS_PEPPER: pepper must be at least 32 bytes, got 31"),
        ([None, Some("")], "KEYS_FORMER_PEPPERS must be set to hexadecimal digits"),
        ([None, Some("sha256,")], "KEYS_FORMER_PEPPERS must be set to hexadecimal digits"),
        ([None, Some(&PEPPER[..30])], "KEYS_FORMER_PEPPERS: pepper must be at least 16 bytes, got 15"),
        ([None, Some("sha256")], "KEYS_FORMER_PEPPERS must not repeat a pepper"),
        ([Some(PEPPER), Some(PEPPER)], "KEYS_FORMER_PEPPERS must not repeat a pepper"),
        ([None, Some(&twice)], "KEYS_FORMER_PEPPERS must not repeat a pepper"),
    ] {
        let ran = keys.run_under(peppers, "init").await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{peppers:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("keys: {says}")), "{peppers:?}: {}", ran.stderr);
        for pepper in peppers.into_iter().flatten().filter(|pepper| pepper.len() > "sha256".len()) {
            assert!(!ran.stderr.contains(pepper), "{}", ran.stderr);
        }
    }
    assert_eq!(std::fs::read_dir(keys.0.path()).unwrap().count(), 0, "no database was created");
    // A pepper of less than 32 bytes has no fingerprint.
    assert_eq!(keys.run("init").await.code, 0);
    let ran = keys.run_under([Some(PEPPER), Some(&PEPPER[..32])], "digesters").await;
    assert!(ran.stdout.contains("a pepper of less than 32 bytes"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(&PEPPER[..32]), "{}", ran.stdout);
    let help = keys.run("--help").await.stdout;
    assert!(help.contains("KEYS_PEPPER") && help.contains("KEYS_FORMER_PEPPERS"), "{help}");
}

#[tokio::test]
async fn an_import_finds_keys_under_former_peppers() {
    let keys = Keys::new();
    let file = keys.0.path().join("keys.jsonl");
    let import = format!("import {}", file.display());
    std::fs::write(&file, r#"{"key":"secret-of-sixteen-bytes","organization":"acme"}"#).unwrap();
    keys.run("init").await;
    assert_eq!(keys.run(&import).await.code, 0);
    let both = [Some(PEPPER), Some("sha256")];
    let again = keys.run_under(both, &import).await;
    assert_eq!((again.code, again.stdout.as_str()), (2, ""));
    assert!(again.stderr.starts_with("line 1: the database has this key already\n"), "{}", again.stderr);

    let digest =
        r#"{"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","user":"a@b"}"#;
    std::fs::write(&file, digest).unwrap();
    assert_eq!(keys.run_under(both, &format!("{import} --dry-run")).await.code, 0);
    // Of the pepper and a former one, the key has none.
    let fresh = Keys::new();
    fresh.run("init").await;
    let ran = fresh.run_under([Some(PEPPER), None], &import).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("line 1: sha256: the key would be unknown"), "{}", ran.stderr);
}
