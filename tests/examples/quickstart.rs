//! The quick start, as a newcomer runs it.

use std::path::Path;
use std::process::Stdio;

use http::{Method, StatusCode};
use http_body_util::Full;
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::{request, send};
use crate::server::{WAIT_TIMEOUT, binary};

const SOURCE: &str = include_str!("../../examples/quickstart.rs");

pub(crate) struct QuickStart {
    pub(crate) key: String,
    pub(crate) url: String,
    /// Opens the pages.
    pub(crate) link: String,
    _killed_when_dropped: Child,
}

/// Starts the example, and reads the key and the URL from the command that it prints.
pub(crate) async fn start(folder: &Path) -> QuickStart {
    let mut example = Command::new(binary("quickstart"));
    example.current_dir(folder).env("ADDR", "127.0.0.1:0").stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = example.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(WAIT_TIMEOUT, stdout.next_line()).await.expect("a line in time").unwrap().unwrap();
    let link = timeout(WAIT_TIMEOUT, stdout.next_line()).await.expect("a line in time").unwrap().unwrap();
    let (key, url) = line
        .strip_prefix("curl -i -H 'X-API-Key: ")
        .and_then(|rest| rest.split_once("' "))
        .unwrap_or_else(|| panic!("not the command: {line}"));
    QuickStart { key: key.to_owned(), url: url.to_owned(), link, _killed_when_dropped: child }
}

#[tokio::test]
async fn the_printed_key_reads_and_does_not_write() {
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let status = async |method, key: Option<&str>| {
        let request = request(method, &server.url, None);
        let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
        send(request.body(Full::default()).unwrap()).await.status
    };
    assert_eq!(status(Method::GET, Some(&server.key)).await, StatusCode::OK);
    assert_eq!(status(Method::GET, None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(Method::GET, Some("demo_live_unknown")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(Method::DELETE, Some(&server.key)).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_printed_link_opens_the_pages_once() {
    let folder = tempdir().unwrap();
    let server = start(folder.path()).await;
    let (page, code) = server.link.split_once("?code=").unwrap();
    let asked = send(request(Method::GET, &server.link, None).body(Full::default()).unwrap()).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&asked.body).contains("You will act as"));
    let sign_in = async || {
        let form = request(Method::POST, page, None);
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        send(form.body(Full::from(format!("code={code}"))).unwrap()).await
    };
    let signed_in = sign_in().await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in().await.status, StatusCode::FORBIDDEN);

    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let list = request(Method::GET, &server.url.replace("/notes", "/keys/keys"), None);
    let list = send(list.header("cookie", cookie).body(Full::default()).unwrap()).await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&list.body).contains(&server.key[..12]));
}

#[tokio::test]
async fn the_key_of_an_earlier_start_stays_good() {
    let folder = tempdir().unwrap();
    let key = start(folder.path()).await.key;
    let second = start(folder.path()).await;
    let request = request(http::Method::GET, &second.url, Some(&key));
    assert_eq!(send(request.body(Full::default()).unwrap()).await.status, StatusCode::OK);
    assert_ne!(second.key, key);
}

/// What a newcomer reads first is what the tests run.
#[test]
fn the_readme_and_the_crate_page_show_the_example() {
    let (_, program) = SOURCE.split_once("\nuse ").unwrap();
    let block = format!("\nuse {program}```\n");
    assert!(include_str!("../../README.md").contains(&block), "README.md must contain:{block}");
    let commented: String =
        block.trim().lines().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect();
    assert!(include_str!("../../src/lib.rs").contains(&commented), "src/lib.rs must contain:\n{commented}");
}

#[test]
fn it_stays_short() {
    assert!(SOURCE.lines().count() <= 90);
    let (_, main) = SOURCE.split_once("fn main() ").unwrap();
    let body = main.split_once("\n}").unwrap().0.lines().skip(1).filter(|line| !line.is_empty());
    assert!(body.count() <= 22);
    let imports: String = SOURCE.lines().filter(|line| line.starts_with("use tower_api_key")).collect();
    let names = imports.split(|symbol: char| !symbol.is_alphanumeric());
    assert!(names.filter(|name| name.starts_with(char::is_uppercase)).count() <= 12);
}
