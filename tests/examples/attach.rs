//! The clients of the example `client`, against the servers of other examples.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::tempdir;
use tokio::process::Command;

use crate::server::{Server, binary};

/// Runs the example, and returns its output without secrets.
async fn run(client: &str, url: &str, file: &Path, secret: &str) -> Output {
    let output = Command::new(binary("client")).args([client, url]).arg(file).output().await.unwrap();
    for text in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(text).contains(secret), "{client} {url}");
    }
    output
}

#[tokio::test]
async fn each_client_is_admitted_with_the_key_of_the_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("key.txt");
    for (example, key, clients) in
        [("hyper", "key", &["hyper", "reqwest"][..]), ("grpc", "health_key", &["tonic"][..])]
    {
        let server = Server::start(example, folder.path()).await;
        fs::write(&file, format!("{}\n", server.key(key))).unwrap();
        for client in clients {
            let output = run(client, &server.url(""), &file, server.key(key)).await;
            let stdout = String::from_utf8(output.stdout).unwrap();
            let expected = if example == "grpc" { "SERVING\n" } else { "200 OK\nhello key_hyper_key\n\n" };
            assert_eq!(stdout, expected, "{client}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[tokio::test]
async fn a_key_is_not_sent_over_plain_http_to_another_machine() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("key.txt");
    fs::write(&file, "demo_live_s3cret").unwrap();
    for client in ["hyper", "reqwest", "tonic"] {
        let output = run(client, "http://api.example.com/", &file, "s3cret").await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains("must use https"), "{stderr}");
    }
}
