//! The service's own command-line client, unchanged, with minimal valid files.

use std::fs;
use std::path::Path;
use std::process::Output;

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::process::Command;

use super::{PROJECT, basic, call, get, require_sso, token_of};
use crate::server::Server;
use support::python::Python;

/// The commands for people and automation, and the kind of file that each leaves behind.
const COMMANDS: [(&str, Option<&str>); 7] = [
    ("upload-coredump core.bin", Some("COREDUMP")),
    (
        "upload-mcu-symbols --software-type fw --software-version 1.0.0 --revision abc symbols.elf",
        Some("SYMBOL_FILE"),
    ),
    ("upload-elf-symbols --archive root.tar", Some("SYMBOL_FILE")),
    (
        "upload-ota-payload --hardware-version mp --software-type fw --software-version 1.0.0 firmware.bin",
        Some("OTA_PAYLOAD"),
    ),
    (
        "upload-mar --hardware-version mp --software-type fw --software-version 1.0.0 --device-serial d1 device.mar",
        Some("MAR"),
    ),
    ("upload-software-version-sbom --software-type fw --software-version 1.0.0 sbom.json", Some("SBOM")),
    ("deploy-release --release-version 1.0.0 --cohort default", None),
];

/// The commands for devices.
const OF_DEVICES: [(&str, &str); 4] = [
    ("upload-coredump --device-serial d1 core.bin", "COREDUMP"),
    ("post-chunk --device-serial d1 --encoding hex 0802a702010301", "CHUNK"),
    // Several chunks go as one message of parts.
    ("post-chunk --device-serial d1 --encoding sdk_data_export export.txt", "CHUNK"),
    (
        "upload-mar --hardware-version mp --software-type fw --software-version 1.0.0 --device-serial d1 device.mar",
        "MAR",
    ),
];

/// The client itself.
pub(crate) static PYTHON: Python = Python::with(env!("CARGO_TARGET_TMPDIR"), &["memfault-cli==1.12.0"]);

/// A server, and a folder with files to upload.
struct World {
    server: Server,
    folder: TempDir,
    python: &'static Path,
}

/// The output of the client.
struct Ran {
    status: Option<i32>,
    told: String,
}

impl World {
    /// Returns `None` without Python.
    async fn new() -> Option<Self> {
        let python = PYTHON.find()?;
        let folder = tempdir().unwrap();
        // Existing symbols are not sent.
        let (symbols, library) = (elf(&[0x5a; 20]), elf(&[0xa5; 20]));
        let archive = "import tarfile, zipfile\n\
            with tarfile.open('root.tar', 'w') as tar: tar.add('library.elf')\n\
            with zipfile.ZipFile('device.mar', 'w') as mar: mar.writestr('manifest.json', '{}')";
        for (name, bytes) in [
            ("core.bin", &b"CORE\x01\x00\x00\x00 registers and memory"[..]),
            ("symbols.elf", &symbols),
            ("library.elf", &library),
            ("firmware.bin", b"\x00\x20\x00\x20 firmware"),
            ("sbom.json", br#"{"bomFormat": "CycloneDX"}"#),
            ("export.txt", b"MC:CAKnAgEDAQ==: MC:CAKnAgEDAQ==:"),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let made =
            Command::new(python).args(["-c", archive]).current_dir(folder.path()).status().await.unwrap();
        assert!(made.success());
        let server = Server::start("memfault", folder.path()).await;
        Some(Self { server, folder, python })
    }

    async fn run(&self, options: &[&str], command: &str) -> Ran {
        let output: Output = Command::new(self.python)
            .arg(self.python.with_file_name("memfault"))
            .args(["--url", &self.server.url("")])
            .args(options)
            .args(command.split(' '))
            .current_dir(self.folder.path())
            // It reads `~/.netrc`.
            .env("HOME", self.folder.path())
            .env_remove("NETRC")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let told = [output.stdout, output.stderr].concat();
        Ran { status: output.status.code(), told: String::from_utf8_lossy(&told).into_owned() }
    }

    /// Runs a command for the project, with options that hold a credential.
    async fn run_for_project(&self, credential: &[&str], command: &str) -> Ran {
        let project = ["--org", "acme-inc", "--project", "smart-sink"];
        self.run(&[credential, &project].concat(), command).await
    }

    /// The kind of each file that has arrived.
    async fn kinds(&self) -> Vec<String> {
        let list = get(&self.server, &token_of(&self.server), &format!("{PROJECT}/files")).await.json();
        let list = list["data"].as_array().unwrap().clone();
        list.iter().map(|file| file["kind"].as_str().unwrap().to_owned()).collect()
    }

    async fn deployments(&self) -> usize {
        let list = get(&self.server, &token_of(&self.server), &format!("{PROJECT}/deployments")).await;
        list.json()["data"].as_array().unwrap().len()
    }

    /// Runs all commands, which must succeed.
    async fn serves(&self, credential: &[&str]) {
        for (command, kind) in COMMANDS {
            let (before, deployed) = (self.kinds().await, self.deployments().await);
            let ran = self.run_for_project(credential, command).await;
            assert_eq!(ran.status, Some(0), "{command}: {}", ran.told);
            let arrived = self.kinds().await.split_off(before.len());
            match kind {
                Some(kind) => assert_eq!(arrived, [kind], "{command}: {}", ran.told),
                None => assert_eq!(self.deployments().await, deployed + 1, "{}", ran.told),
            }
        }
    }

    /// Runs all commands, which must fail with a reason and without effect.
    async fn rejects(&self, credential: &[&str], status: &str) {
        let before = (self.kinds().await, self.deployments().await);
        for (command, _) in COMMANDS {
            self.run_for_project(credential, command).await.assert_rejected(command, status);
        }
        assert_eq!((self.kinds().await, self.deployments().await), before);
    }
}

impl Ran {
    fn assert_rejected(&self, command: &str, status: &str) {
        assert_eq!(self.status, Some(1), "{command}: {}", self.told);
        assert!(
            self.told.contains(&format!("Request failed with HTTP status {status}")),
            "{command}: {}",
            self.told
        );
        // A response to HEAD has no body.
        let body = ["\"message\":", "(empty)"].iter().any(|body| self.told.contains(body));
        assert!(body, "{command}: {}", self.told);
    }
}

/// An ELF file with a section `.debug_info` and a build id, of minimal size: for 32 bits and Arm.
fn elf(build_id: &[u8; 20]) -> Vec<u8> {
    const HEADER: usize = 52;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let note = [words(&[4, 20, 3]), b"GNU\0".to_vec(), build_id.to_vec()].concat();
    let mut sections = vec![
        (".note.gnu.build-id", 7, note),
        (".debug_info", 1, vec![0; 16]),
        (".text", 1, b"\x70\x47".repeat(8)),
        (".shstrtab", 3, Vec::new()),
    ];
    let names = sections.iter().map(|(name, ..)| format!("{name}\0"));
    sections[3].2 = format!("\0{}", names.collect::<String>()).into_bytes();
    let (mut body, mut headers, mut name_at) = (Vec::new(), vec![0; 40], 1);
    for (name, kind, bytes) in &sections {
        let (at, length) = ((HEADER + body.len()) as u32, bytes.len() as u32);
        headers.extend(words(&[name_at, *kind, 0, 0, at, length, 0, 0, 4, 0]));
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        name_at += name.len() as u32 + 1;
    }
    let halves = |halves: &[u16]| halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<_>>();
    let identity = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let at = (HEADER + body.len()) as u32;
    let offsets = words(&[1, 0, 0, at, 0x0500_0000]);
    [identity, halves(&[2, 40]), offsets, halves(&[52, 0, 0, 40, 5, 4]), body, headers].concat()
}

#[tokio::test]
async fn the_client_is_served_with_an_organization_token() {
    let Some(world) = World::new().await else { return };
    let token = world.server.key("organization_token");
    world.serves(&["--org-token", token]).await;
}

#[tokio::test]
async fn the_client_is_served_with_an_organization_token_in_the_older_form() {
    let Some(world) = World::new().await else { return };
    let token = world.server.key("organization_token");
    let ran = world.run_for_project(&["--password", token], COMMANDS[0].0).await;
    assert_eq!(ran.status, Some(0), "{}", ran.told);
}

#[tokio::test]
async fn the_client_is_served_with_an_e_mail_and_a_users_key_or_a_password() {
    for secret in ["user_key", "password"] {
        let Some(world) = World::new().await else { return };
        let credential = ["--email", world.server.key("email"), "--password", world.server.key(secret)];
        world.serves(&credential).await;
    }
}

#[tokio::test]
async fn the_client_is_served_with_a_password_that_it_sends_as_latin_1() {
    let Some(world) = World::new().await else { return };
    let server = &world.server;
    let email = server.key("email");
    let change = json!({ "password": "pässwörd" }).to_string();
    let old = basic(email, server.key("password"));
    let changed = call(server, &old, Method::PUT, "/auth/password", change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{:?}", changed.body);

    let (command, _) = COMMANDS[6];
    let ran = world.run_for_project(&["--email", email, "--password", "pässwörd"], command).await;
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    for wrong in ["passwörd", "pässwörð", "p\u{e3}ssw\u{f6}rd"] {
        let ran = world.run_for_project(&["--email", email, "--password", wrong], command).await;
        ran.assert_rejected(command, "401");
    }
}

#[tokio::test]
async fn the_client_is_served_with_a_project_key_and_any_netrc() {
    let Some(world) = World::new().await else { return };
    let key = ["--project-key", world.server.key("project_key")];
    for netrc in [None, Some("machine 127.0.0.1 login other password something\n")] {
        if let Some(netrc) = netrc {
            fs::write(world.folder.path().join(".netrc"), netrc).unwrap();
        }
        for (command, kind) in OF_DEVICES {
            let ran = world.run(&key, command).await;
            assert_eq!(ran.status, Some(0), "{command}: {}", ran.told);
            assert_eq!(world.kinds().await.last().map(String::as_str), Some(kind), "{}", ran.told);
        }
    }
}

#[tokio::test]
async fn the_client_says_why_a_bad_credential_is_rejected() {
    let Some(world) = World::new().await else { return };
    let email = world.server.key("email");
    world.rejects(&["--org-token", "oat_unknown"], "401").await;
    world.rejects(&["--email", email, "--password", "unknown"], "401").await;
    world.rejects(&["--org-token", world.server.key("other_organization_token")], "403").await;
    for key in ["unknown", world.server.key("user_key"), world.server.key("organization_token")] {
        for (command, _) in OF_DEVICES {
            world.run(&["--project-key", key], command).await.assert_rejected(command, "401");
        }
    }
    assert_eq!(world.kinds().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_client_gets_the_single_sign_on_error_and_is_served_elsewhere() {
    let Some(world) = World::new().await else { return };
    let (server, command) = (&world.server, COMMANDS[0].0);
    let ann = ["--email", server.key("email"), "--password", server.key("user_key")];
    let elsewhere = [&ann[..], &["--org", "globex", "--project", "smart-sink"]].concat();
    let served = async |ran: Ran| assert_eq!(ran.status, Some(0), "{}", ran.told);

    require_sso(server).await;
    let rejected = world.run_for_project(&ann, command).await;
    rejected.assert_rejected(command, "403");
    assert!(rejected.told.contains("single sign-on"), "{}", rejected.told);
    served(world.run(&elsewhere, command).await).await;
    served(world.run_for_project(&["--org-token", server.key("organization_token")], command).await).await;
}
