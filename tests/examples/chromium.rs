//! The examples with pages, in Chromium.

use std::net::TcpListener;

use serde_json::{Value, json};
use support::chromium::Chromium;
use support::postgres::{Database, is_absent};
use tempfile::tempdir;

use crate::server::Server;

static CHROMIUM: Chromium = Chromium::with(env!("CARGO_TARGET_TMPDIR"));

fn options(server: &Server) -> String {
    json!({ "address": server.url(""), "credentials": server.credentials() }).to_string()
}

#[tokio::test]
async fn a_key_lives_by_mouse_by_keyboard_and_without_scripts() {
    let Some(programs) = CHROMIUM.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start("portal", folder.path()).await;
    programs.run("life", &options(&server)).await;
}

#[tokio::test]
async fn a_new_key_is_shown_once_whatever_the_browser_keeps() {
    let Some(programs) = CHROMIUM.find() else { return };
    let folder = tempdir().unwrap();
    // Of the portal, and of the proxy in front of it, which the program starts.
    let [own, public] = free_ports();
    let (own, public) = (format!("127.0.0.1:{own}"), format!("https://localhost:{public}"));
    let variables = [("ADDR", &*own), ("PUBLIC_URL", &*public)];
    let server = Server::start_with("portal", folder.path(), &variables).await;
    let options =
        json!({ "address": public, "behind": format!("http://{own}"), "credentials": server.credentials() });
    programs.run("once", &options.to_string()).await;
}

/// Signs in to the pages of a service, and creates a key there.
async fn visit(example: &str, base: &str, set: impl Fn(&Server) -> Value) {
    let Some(programs) = CHROMIUM.find() else { return };
    let folder = tempdir().unwrap();
    let server = Server::start(example, folder.path()).await;
    let mut options = json!({ "address": server.url(""), "base": base });
    options.as_object_mut().unwrap().extend(set(&server).as_object().unwrap().clone());
    programs.run("services", &options.to_string()).await;
    assert!(server.end().await.status.success());
}

#[tokio::test]
async fn memory_scope_has_a_developer_console() {
    let set = |server: &Server| {
        json!({
            "key": server.key("test_key"),
            "permission": "console",
            "prefix": "sk_test_",
            "api": ["/console/keys", "/memory/mem_1"],
        })
    };
    visit("memory_scope", "/developer", set).await;
}

#[tokio::test]
async fn memsolus_has_its_keys_in_the_settings() {
    let set = |server: &Server| {
        json!({
            "key": server.key("admin_key"),
            "permission": "memory.read",
            "requires": "Permissions: must not be empty",
            "prefix": "msk_live_",
            "api": ["/v1/api-keys", "/v1/memories"],
        })
    };
    visit("memsolus", "/settings/api-keys", set).await;
}

#[tokio::test]
async fn memory_api_has_a_dashboard() {
    let set = |server: &Server| {
        json!({
            "key": server.key("admin_key"),
            "permission": "read",
            "prefix": "mem_live_",
            "api": ["/v1/account/api-keys", "/v1/usage"],
        })
    };
    visit("memory_api", "/dashboard", set).await;
}

#[tokio::test]
async fn the_portal_hands_its_customers_and_its_staff_over() {
    for (base, user) in [("/settings/api-keys", "ann"), ("/staff/api-keys", "staff")] {
        let set = |server: &Server| {
            let mut set = json!({
                "ticket": server.key(user),
                "permission": "notes.read",
                "prefix": "acme_live_",
                "api": ["/api/notes"],
            });
            if user == "staff" {
                set["owner"] = "acme".into();
            }
            set
        };
        visit("portal", base, set).await;
    }
}

#[tokio::test]
async fn memfault_opens_its_pages_to_an_email_and_a_password() {
    for (base, opens, permission, prefix) in [
        ("/account/api-keys", "/open/api-keys", "account.key", ""),
        ("/organization/auth-tokens", "/open/organizations/acme-inc/auth-tokens", "project.*", "oat_"),
    ] {
        let set = |server: &Server| {
            json!({
                "opens": opens,
                "email": server.key("email"),
                "password": server.key("password"),
                "permission": permission,
                "prefix": prefix,
                // The browser presents the password as well.
                "api": [],
            })
        };
        visit("memfault", base, set).await;
    }
}

#[tokio::test]
async fn a_key_that_one_node_creates_is_revoked_on_a_page_of_another() {
    let Some(programs) = CHROMIUM.find() else { return };
    if is_absent() {
        return;
    }
    let (folder, database) = (tempdir().unwrap(), Database::create().await);
    let server = Server::start_with("fleet", folder.path(), &[("DATABASE_URL", &database.url())]).await;
    let options = json!({ "address": "", "nodes": server.nodes(), "credentials": server.credentials() });
    programs.run("fleet", &options.to_string()).await;
}

fn free_ports() -> [u16; 2] {
    let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
