//! A PostgreSQL server of a test's own, which can be stopped, with an optional standby.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::timeout;

pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    url: String,
}

impl Server {
    /// Starts a server. Returns `None` if its programs are missing; with `CI` set, panics instead.
    pub async fn start() -> Option<Self> {
        let programs = programs();
        assert!(programs.is_some() || env::var_os("CI").is_none(), "initdb is missing");
        let server = Self::in_new_folder(programs?);
        let arguments =
            ["--username=test", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        server.run("initdb", &arguments).await;
        server.launch().await;
        Some(server)
    }

    /// Starts a standby that replicates this server and applies each commit after `delay`.
    pub async fn standby(&self, delay: Duration) -> Self {
        let standby = Self::in_new_folder(self.programs.clone());
        let source = format!("--dbname={}", self.url);
        let arguments = [&*source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        standby.run("pg_basebackup", &arguments).await;
        let settings = standby.folder.path().join("data/postgresql.auto.conf");
        let mut text = fs::read_to_string(&settings).unwrap();
        text.push_str(&format!("recovery_min_apply_delay = '{}ms'\n", delay.as_millis()));
        fs::write(&settings, text).unwrap();
        standby.launch().await;
        standby
    }

    fn in_new_folder(programs: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        if is_root(folder.path()) {
            let (user, group) = owner();
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let url = format!("postgres:///postgres?host={}&user=test", folder.path().display());
        Self { folder, programs, url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills the server.
    pub async fn stop(&self) {
        self.run("pg_ctl", &["stop", "--silent", "--mode=immediate"]).await;
    }

    pub async fn launch(&self) {
        let folder = self.folder.path().display();
        let settings = format!(
            "--options=-c fsync=off -c listen_addresses= -c unix_socket_directories={folder} -c max_connections=300"
        );
        let log = format!("--log={folder}/log");
        self.run("pg_ctl", &["start", "--silent", "--wait", &log, &settings]).await;
    }

    /// Waits until a standby has replayed all changes of its primary.
    pub async fn catch_up_with(&self, primary: &Self) {
        const POSITION: &str = "SELECT pg_current_wal_insert_lsn()::TEXT";
        const HAS: &str = "SELECT pg_last_wal_replay_lsn() >= $1::TEXT::PG_LSN";
        let mut connection = PgConnection::connect(&primary.url).await.unwrap();
        let position: String = sqlx::query_scalar(POSITION).fetch_one(&mut connection).await.unwrap();
        let mut own = PgConnection::connect(&self.url).await.unwrap();
        let caught_up = async {
            while !sqlx::query_scalar::<_, bool>(HAS).bind(&position).fetch_one(&mut own).await.unwrap() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), caught_up).await.unwrap();
    }

    /// Promotes a standby to the primary.
    pub async fn promote(&self) {
        self.run("pg_ctl", &["promote", "--silent", "--wait"]).await;
    }

    async fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = as_owner(&self.programs.join(program), self.folder.path());
        command.args(arguments).arg("--pgdata").arg(self.folder.path().join("data"));
        let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
        assert!(status.success(), "{program}: {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let mut command = as_owner(&self.programs.join("pg_ctl"), self.folder.path());
        let _ = command.args(["stop", "--silent", "--mode=immediate", "--pgdata"]).arg(data).status();
    }
}

/// Returns a command that runs as the owner of the folder: a server refuses to run as root.
fn as_owner(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let folder = folder.metadata().unwrap();
    command.uid(folder.uid()).gid(folder.gid()).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn is_root(own: &Path) -> bool {
    own.metadata().unwrap().uid() == 0
}

/// Returns the user that packages of the server create, and its group.
pub fn owner() -> (u32, u32) {
    let number = |of: &str| {
        let output = Command::new("id").args([of, "postgres"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().expect("a user called postgres")
    };
    (number("--user"), number("--group"))
}

/// Returns the folder of the server's programs: the newest of Debian's packages, or one in the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<_> = versions.filter_map(|version| Some(version.ok()?.path())).collect();
    versions.sort_by_key(|version| version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let packaged = versions.into_iter().rev().map(|version| version.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = env::split_paths(&path).collect();
    packaged.chain(path).find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}
