//! The authentication of Memfault: organization tokens, user keys, passwords and project keys, each with its own header and
//! scope of access. Its command-line client, `memfault-cli`, works with it.
//!
//! `cargo run --example memfault --features sqlite,console,password,tracing`
//!
//! The address and the new credentials go to stdout as one line of JSON, all other output to stderr. The environment
//! sets `ADDR`, `DATABASE_URL`, `RUST_LOG`, `HEAD_SECONDS` (the timeout of the head of a request), `PUBLIC_URL` (where
//! clients reach the service, if different) and `UPLOAD_SECONDS` (the lifetime of the URL of an upload).

#![allow(clippy::print_stderr, reason = "an example writes messages to its user")]

mod access;
mod accounts;
mod again;
#[path = "../support/api_error.rs"]
mod api_error;
mod app;
mod budget;
#[path = "../support/console.rs"]
mod console;
mod deployments;
mod errors;
mod files;
#[path = "../support/heaviest.rs"]
mod heaviest;
#[path = "../support/last.rs"]
mod last;
mod organizations;
mod pages;
mod place;
mod projects;
mod seed;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the keys that are made there are of one format and one owner")]
mod support;
#[path = "../support/text.rs"]
mod text;
mod tokens;
mod uploads;
mod words;

use std::sync::Arc;
use std::time::Duration;

use app::App;
use budget::Budget;
use files::Kept;
use pages::Pages;
use seed::Credentials;
use support::Failure;
use tokio::sync::RwLock;
use tower_api_key::password::Passwords;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    support::log()?;
    let shutdown = support::shutdown()?;
    let patience = patience()?;
    let listener = support::listen().await?;
    let store = support::open_store("sqlite:memfault.db").await?;
    let (address, passwords) = (console::public_url(&listener)?, Passwords::new()?);
    let authenticator = access::authenticator(store.clone(), passwords.clone())?;
    let managers = access::managers(store.clone())?;
    let app = App {
        pages: Pages::new(&managers, &authenticator, &address)?,
        managers,
        authenticator,
        passwords,
        files: Arc::new(RwLock::new(Kept::new(patience))),
        budget: Budget::default(),
        deployments: Arc::default(),
        address,
        store: store.clone(),
    };
    let Credentials { organization_token, user_key, password, project_key } = seed::seed(&app).await?;
    let address = &app.address;
    eprintln!(
        r#"Organizations, projects and devices behind keys of three kinds. To try it:

  # 200: an organization token, for automation
  curl -i {address}/api/v0/organizations/acme-inc/projects -H "Authorization: Bearer {organization_token}"
  # 200: a person, by key or password; 403 where single sign-on is required
  curl -i {address}/api/v0/organizations -u "ann@example.com:{user_key}"
  curl -i {address}/auth/me -u "ann@example.com:{password}"
  # 202: a device; 401 with its key as Bearer
  curl -i {address}/api/v0/chunks/device-1 -H "Memfault-Project-Key: {project_key}" -d chunk
  # 201: a further token, shown once
  curl -i {address}/api/v0/organizations/acme-inc/auth_tokens -u "ann@example.com:{user_key}" -d '{{"description": "nightly build"}}'
  # The client of the service, from PyPI
  memfault --url {address} --org-token {organization_token} --org acme-inc --project smart-sink deploy-release --release-version 1.0.0 --cohort default
"#
    );
    eprintln!(
        r#"In a browser, with the e-mail and the password as above:

  {address}/open/api-keys  the keys of a person
  {address}/open/organizations/acme-inc/auth-tokens  the tokens of an organization
"#
    );

    tokio::spawn(files::sweep(Arc::clone(&app.files)));
    support::serve(listener, app.routes()?, shutdown).await?;
    store.close().await;
    Ok(())
}

fn patience() -> Result<Duration, Failure> {
    let text = support::env_or("UPLOAD_SECONDS", "600")?;
    let seconds =
        text.parse().map_err(|_| format!("UPLOAD_SECONDS must be a number of seconds, got {text:?}"))?;
    Ok(Duration::from_secs(seconds))
}
