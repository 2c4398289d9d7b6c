//! Uploads in three steps: announcement, file, attributes.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{
    Credential, OTHER_PROJECT, PROJECT, ann_of, assert_error, basic, bearer, call, get, post, project_key,
    token_of, with_headers,
};
use crate::server::Server;

/// An announced file: the path of its URL, and its token.
pub(super) struct Announced {
    pub(super) path: String,
    pub(super) token: String,
}

pub(super) async fn announce(
    server: &Server,
    credential: &Credential,
    route: &str,
    kind: &str,
    size: usize,
) -> Announced {
    let answer = post(server, credential, route, &json!({ "kind": kind, "size": size })).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let data = answer.json()["data"].clone();
    let url = data["upload_url"].as_str().unwrap();
    let path = url.strip_prefix(&server.url("")).expect("an absolute URL of this server").to_owned();
    Announced { path, token: data["token"].as_str().unwrap().to_owned() }
}

async fn put(server: &Server, path: &str, bytes: &'static [u8]) -> u16 {
    let answer = with_headers(server, &[], Method::PUT, path, Bytes::from_static(bytes)).await;
    if answer.status != StatusCode::OK {
        assert_error(&answer, answer.status.as_u16());
    }
    answer.status.as_u16()
}

pub(super) fn said(token: &str) -> Value {
    json!({ "file": { "token": token, "md5": "0", "name": "file.bin" }, "device_serial": "device-1" })
}

async fn files(server: &Server) -> Vec<Value> {
    let list = get(server, &ann_of(server), &format!("{PROJECT}/files")).await;
    list.json()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_uploaded_file_can_be_read_back() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let device = project_key(server.key("project_key"));
    let people = [token_of(&server), ann_of(&server), basic(server.key("email"), server.key("password"))];
    let (prepare, devices) = (format!("{PROJECT}/upload"), "/api/v0/upload".to_owned());
    let mut calls = vec![
        (&device, &devices, "COREDUMP", "/api/v0/upload/coredump".to_owned()),
        (&device, &devices, "MAR", "/api/v0/upload/mar".to_owned()),
    ];
    for person in &people {
        for (path, kind) in [
            ("coredumps", "COREDUMP"),
            ("symbols", "SYMBOL_FILE"),
            ("releases/ota_payload", "OTA_PAYLOAD"),
            ("mar", "MAR"),
            ("sboms", "SBOM"),
        ] {
            calls.push((person, &prepare, kind, format!("{PROJECT}/{path}")));
        }
    }
    for (credential, prepare, kind, finish) in calls {
        let announced = announce(&server, credential, prepare, kind, 6).await;
        assert_eq!(put(&server, &announced.path, b"CORE\0\xff").await, 200);
        let finished = post(&server, credential, &finish, &said(&announced.token)).await;
        assert_eq!(finished.status, StatusCode::CREATED, "{finish}: {:?}", finished.body);
        let id = finished.json()["data"]["id"].as_str().unwrap().to_owned();
        let kept = files(&server).await.pop().unwrap();
        assert_eq!(
            (&kept["id"], &kept["kind"], &kept["name"]),
            (&json!(id), &json!(kind), &json!("file.bin"))
        );
        assert_eq!(kept["details"]["device_serial"], "device-1");
        let read = get(&server, &people[0], &format!("{PROJECT}/files/{id}")).await;
        assert_eq!(&*read.body, b"CORE\0\xff");
        // A token is valid for one file.
        assert_error(&post(&server, credential, &finish, &said(&announced.token)).await, 400);
    }
    let chunk = call(&server, &device, Method::POST, "/api/v0/chunks/device-1", "\u{8}\u{2}").await;
    assert_eq!(chunk.status, StatusCode::ACCEPTED);
    let kept = files(&server).await.pop().unwrap();
    let path = format!("{PROJECT}/files/{}", kept["id"].as_str().unwrap());
    assert_eq!(&*get(&server, &people[1], &path).await.body, b"\x08\x02");
}

#[tokio::test]
async fn symbols_are_known_by_the_build_id_in_them() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let token = token_of(&server);
    let has = async |id: &str| {
        let path = format!("{PROJECT}/symbols-by-gnu-build-id/{id}");
        call(&server, &token, Method::HEAD, &path, "").await.status.as_u16()
    };
    let id = "0102030405060708090a0b0c0d0e0f1011121314";
    assert_eq!(has(id).await, 404);
    let announced = announce(&server, &token, &format!("{PROJECT}/upload"), "SYMBOL_FILE", 24).await;
    let note = b"GNU\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14";
    assert_eq!(put(&server, &announced.path, note).await, 200);
    assert_eq!(
        post(&server, &token, &format!("{PROJECT}/symbols"), &said(&announced.token)).await.status,
        StatusCode::CREATED
    );
    assert_eq!(has(id).await, 200);
    for unknown in ["0102030405060708090a0b0c0d0e0f1011121315", "", "01", "zz", "0102030405060708z"] {
        assert_eq!(has(unknown).await, 404, "{unknown}");
    }
    let other = bearer(server.key("other_organization_token"));
    let path = format!("{OTHER_PROJECT}/symbols-by-gnu-build-id/{id}");
    assert_eq!(call(&server, &other, Method::HEAD, &path, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_url_of_an_upload_is_secret_and_accepts_the_announced_file() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let token = token_of(&server);
    let announced = announce(&server, &token, &format!("{PROJECT}/upload"), "MAR", 3).await;
    let secret = announced.path.rsplit('/').next().unwrap();
    assert!(secret.len() >= 43 && secret != announced.token, "256 random bits of its own");
    let (start, last) = announced.path.split_at(announced.path.len() - 1);
    let almost = format!("{start}{}", if last == "x" { "y" } else { "x" });
    for wrong in
        [&almost, "/uploads/", "/uploads/x", &format!("/uploads/{}", announced.token), "/uploads/%FF"]
    {
        let answer = with_headers(&server, &[], Method::PUT, wrong, "abc").await;
        assert!([401, 404].contains(&answer.status.as_u16()), "{wrong}: {}", answer.status);
    }
    // A credential does not replace the secret of a URL.
    assert_error(&call(&server, &token, Method::PUT, &almost, "abc").await, 404);
    for wrong in [&b""[..], b"ab", b"abcd"] {
        assert_eq!(put(&server, &announced.path, wrong).await, 400);
    }
    assert_error(&with_headers(&server, &[], Method::GET, &announced.path, "").await, 405);
    assert_eq!(put(&server, &announced.path, b"abc").await, 200);
    assert_eq!(files(&server).await.len(), 0, "unknown has said what it is");
}

#[tokio::test]
async fn the_url_of_an_upload_is_short_lived() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memfault", folder.path(), &[("UPLOAD_SECONDS", "0")]).await;
    let announced = announce(&server, &token_of(&server), &format!("{PROJECT}/upload"), "MAR", 3).await;
    assert_eq!(put(&server, &announced.path, b"abc").await, 404);
}

#[tokio::test]
async fn a_file_is_of_the_project_and_the_kind_that_it_was_announced_for() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let token = token_of(&server);
    let announced = announce(&server, &token, &format!("{PROJECT}/upload"), "MAR", 3).await;
    let finish = async |credential: &Credential, path: &str| {
        let answer = post(&server, credential, path, &said(&announced.token)).await;
        if answer.status != StatusCode::CREATED {
            assert_error(&answer, answer.status.as_u16());
        }
        answer.status.as_u16()
    };
    let own = format!("{PROJECT}/mar");
    assert_eq!(finish(&token, &own).await, 400, "nothing has arrived");
    assert_eq!(put(&server, &announced.path, b"abc").await, 200);
    let other = bearer(server.key("other_organization_token"));
    assert_eq!(finish(&other, &format!("{OTHER_PROJECT}/mar")).await, 400);
    assert_eq!(finish(&ann_of(&server), &format!("{OTHER_PROJECT}/mar")).await, 400);
    assert_eq!(finish(&token, &format!("{PROJECT}/coredumps")).await, 400);
    assert_eq!(finish(&token, &own).await, 201);

    let id = files(&server).await[0]["id"].as_str().unwrap().to_owned();
    assert_error(&get(&server, &other, &format!("{OTHER_PROJECT}/files/{id}")).await, 404);
    assert_error(&get(&server, &other, &format!("{PROJECT}/files/{id}")).await, 403);
    for unknown in ["file_9", "%00", "'--"] {
        assert_error(&get(&server, &token, &format!("{PROJECT}/files/{unknown}")).await, 404);
    }
}

#[tokio::test]
async fn an_invalid_upload_is_rejected_and_not_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start("memfault", folder.path()).await;
    let (token, device) = (token_of(&server), project_key(server.key("project_key")));
    let bad =
        [json!(null), json!([]), json!({}), json!({ "kind": "MAR" }), json!({ "kind": "MAR", "size": -1 })];
    let unknown = [json!({ "kind": "PIZZA", "size": 1 }), json!({ "kind": 7, "size": 1 })];
    let large = [json!({ "kind": "MAR", "size": 16 * 1024 * 1024 + 1 })];
    for body in bad.iter().chain(&unknown).chain(&large) {
        assert_error(&post(&server, &token, &format!("{PROJECT}/upload"), body).await, 400);
        assert_error(&post(&server, &device, "/api/v0/upload", body).await, 400);
    }
    let nameless = [json!({ "file": { "token": "x" } }), json!({ "file": "x" }), said("x"), said("")];
    for body in bad.iter().chain(&nameless) {
        for path in ["coredumps", "symbols", "releases/ota_payload", "mar", "sboms"] {
            assert_error(&post(&server, &token, &format!("{PROJECT}/{path}"), body).await, 400);
        }
        assert_error(&post(&server, &device, "/api/v0/upload/coredump", body).await, 400);
    }
    for (serial, body, status) in [("device-1", "", 400), ("%FF", "x", 404), ("a%00b", "x", 404)] {
        let path = format!("/api/v0/chunks/{serial}");
        assert_error(&call(&server, &device, Method::POST, &path, body).await, status);
    }
    assert_eq!(files(&server).await, Vec::<Value>::new());
}
