//! The memory of uploads: a project key is public, so any client may send them.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::uploads::{Announced, announce, said};
use super::{
    ORGANIZATION, OTHER_PROJECT, ann_of, assert_error, bearer, get, post, project_key, token_of, with_headers,
};
use crate::client::Answer;
use crate::held::{Held, expect};
use crate::server::{Server, WAIT_TIMEOUT};

const MIB: usize = 1024 * 1024;
const FILE: usize = 16 * MIB;

/// Announces files that a device may send with the key of its project.
async fn announce_files(server: &Server, count: usize) -> Vec<Announced> {
    let device = project_key(server.key("project_key"));
    let mut announced = Vec::new();
    for _ in 0..count {
        announced.push(announce(server, &device, "/api/v0/upload", "COREDUMP", FILE).await);
    }
    announced
}

/// Puts a file of the maximum size while the server reads it.
async fn put_file(server: &Server, announced: &Announced) -> Answer {
    expect(&server.url(""), &Method::PUT, &announced.path, &[], &vec![7; FILE]).await
}

async fn announce_to_other(server: &Server) -> Announced {
    let other = bearer(server.key("other_organization_token"));
    announce(server, &other, &format!("{OTHER_PROJECT}/upload"), "MAR", FILE).await
}

#[tokio::test]
async fn many_large_uploads_with_one_project_key_take_bounded_memory_and_no_room_of_others() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let announced = announce_files(&server, 32).await;
    let idle = cfg!(target_os = "linux").then(|| server.resident("VmRSS:"));

    let mut uploads = JoinSet::new();
    for announced in announced {
        let (url, path) = (server.url(""), announced.path);
        uploads.spawn(async move { expect(&url, &Method::PUT, &path, &[], &vec![7; FILE]).await });
    }
    let (taken, rejected): (Vec<_>, Vec<_>) =
        uploads.join_all().await.into_iter().partition(|answer| answer.status == StatusCode::OK);
    if let Some(idle) = idle {
        let most = server.resident("VmHWM:") - idle;
        assert!(most < 160 * MIB, "{} MiB more than idle", most / MIB);
    }
    assert_eq!((taken.len(), rejected.len()), (2, 30));
    for answer in rejected {
        assert_error(&answer, 503);
        assert!(answer.headers.contains_key("retry-after"));
    }

    let other = announce_to_other(&server).await;
    assert_eq!(put_file(&server, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn chunks_take_from_the_room_of_uploads() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let device = project_key(server.key("project_key"));
    let url = server.url("");
    let send = async |body: &[u8]| {
        expect(&url, &Method::POST, "/api/v0/chunks/device-1", &[(device.0, &device.1)], body).await
    };
    let uploads = announce_files(&server, 2).await;
    for upload in &uploads {
        assert_eq!(put_file(&server, upload).await.status, StatusCode::OK);
    }
    assert_error(&send(b"chunk").await, 503);
    // A completed file is no longer pending.
    let finish = post(&server, &device, "/api/v0/upload/coredump", &said(&uploads[0].token)).await;
    assert_eq!(finish.status, StatusCode::CREATED);
    assert_eq!(send(b"chunk").await.status, StatusCode::ACCEPTED);
    assert_error(&send(&vec![7; 2 * MIB + 1]).await, 413);
}

#[tokio::test]
async fn uploads_are_gone_from_memory_once_their_deadline_has_passed() {
    let folder = tempdir().unwrap();
    // glibc returns large buffers when they are freed only if this is set: otherwise it raises the threshold after the first one.
    let settings = [("UPLOAD_SECONDS", "5"), ("MALLOC_MMAP_THRESHOLD_", "131072")];
    let server = Server::start_with("memfault", folder.path(), &settings).await;
    let uploads = announce_files(&server, 3).await;
    let other = announce_to_other(&server).await;
    for upload in &uploads[..2] {
        assert_eq!(put_file(&server, upload).await.status, StatusCode::OK);
    }
    assert_error(&put_file(&server, &uploads[2]).await, 503);

    let full = cfg!(target_os = "linux").then(|| server.resident("VmRSS:"));

    // It is announced last, so all have ended by its deadline.
    let held = Held::begin(&server, Method::PUT, &other.path, ("x-any", ""), &"7".repeat(FILE)).await;
    assert_error(&held.answer().await, 408);
    if let Some(full) = full {
        let is_freed = async {
            while server.resident("VmRSS:") > full - 2 * FILE + MIB {
                yield_now().await;
            }
        };
        timeout(WAIT_TIMEOUT, is_freed).await.expect("memory is given back in time, without a request");
    }
    let takes_more = async {
        let upload = announce_files(&server, 1).await.remove(0);
        while put_file(&server, &upload).await.status != StatusCode::OK {}
    };
    timeout(WAIT_TIMEOUT, takes_more).await.expect("room in time");
}

#[tokio::test]
async fn the_oldest_kept_files_of_the_largest_project_give_way() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (token, other) = (token_of(&server), bearer(server.key("other_organization_token")));
    let list = async |credential, project: &str| -> Vec<Value> {
        let answer = get(&server, credential, &format!("{project}/files")).await;
        answer.json()["data"].as_array().unwrap().clone()
    };
    let keep = async |credential, project: &str, size: usize| {
        let announced = announce(&server, credential, &format!("{project}/upload"), "MAR", size).await;
        let put = with_headers(&server, &[], Method::PUT, &announced.path, vec![7; size]).await;
        assert_eq!(put.status, StatusCode::OK);
        let finished = post(&server, credential, &format!("{project}/mar"), &said(&announced.token)).await;
        assert_eq!(finished.status, StatusCode::CREATED);
    };
    keep(&other, OTHER_PROJECT, 3).await;
    // The number of projects is no limit, as members of the organization add them.
    for slug in ["a", "b", "c"] {
        let made =
            post(&server, &ann_of(&server), &format!("{ORGANIZATION}/projects"), &json!({ "slug": slug }))
                .await;
        assert_eq!(made.status, StatusCode::CREATED);
        for _ in 0..4 {
            keep(&token, &format!("{ORGANIZATION}/projects/{slug}"), FILE - 64 * 1024).await;
        }
    }
    let mut kept = 0;
    for slug in ["a", "b", "c"] {
        kept += list(&token, &format!("{ORGANIZATION}/projects/{slug}")).await.len();
    }
    assert_eq!(kept, 8, "128 MiB in all");
    assert_eq!(list(&other, OTHER_PROJECT).await.len(), 1, "the oldest, of another organization");
}
