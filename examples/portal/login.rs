//! The login of the product, which knows nothing of keys: users, and sessions of `tower-sessions`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_api_key::Environment;
use tower_api_key::key::{KeyFormat, MintError};
use tower_sessions::Session;

/// The name of the user in the data of a session.
const USER: &str = "user";

/// A user of the product.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) id: &'static str,
    pub(crate) role: Role,
}

#[derive(Clone, Copy)]
pub(crate) enum Role {
    Customer { organization: &'static str },
    Staff,
}

/// The table of users, by the ticket that each signs in with: in place of passwords, or of a single sign-on.
#[derive(Clone, Default)]
pub(crate) struct Users(Arc<HashMap<String, User>>);

#[derive(Deserialize)]
pub(crate) struct Ticket {
    ticket: String,
}

impl Users {
    /// Adds a user, and returns the ticket.
    pub(crate) fn invite(&mut self, id: &'static str, role: Role) -> Result<String, MintError> {
        let ticket = KeyFormat::new("ticket").expect("a valid prefix").mint(Environment::Live)?;
        let ticket = ticket.reveal().as_str().to_owned();
        Arc::make_mut(&mut self.0).insert(ticket.clone(), User { id, role });
        Ok(ticket)
    }

    /// Returns the user of a session as it is now, or a redirect to the login.
    pub(crate) async fn of(&self, session: &Session) -> Result<User, Response> {
        let unavailable = |_| StatusCode::SERVICE_UNAVAILABLE.into_response();
        if session.id().is_some() {
            session.load().await.map_err(unavailable)?;
        }
        let id: Option<String> = session.get(USER).await.map_err(unavailable)?;
        let user = self.0.values().find(|user| Some(user.id) == id.as_deref());
        user.copied().ok_or_else(|| Redirect::to("/login").into_response())
    }
}

pub(crate) async fn page() -> Html<&'static str> {
    Html(
        r#"<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
<form method="post"><label>Ticket <input name="ticket" type="password"></label> <button>Sign in</button></form>"#,
    )
}

/// Signs in by a ticket. The id of the session changes, so that no earlier one is of use.
pub(crate) async fn log_in(
    State(users): State<Users>,
    session: Session,
    Form(Ticket { ticket }): Form<Ticket>,
) -> Result<Redirect, StatusCode> {
    let user = users.0.get(&ticket).ok_or(StatusCode::UNAUTHORIZED)?;
    let stored = async {
        session.cycle_id().await?;
        session.insert(USER, user.id).await
    };
    stored.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Redirect::to(match user.role {
        Role::Customer { .. } => "/settings/api-keys",
        Role::Staff => "/staff/api-keys",
    }))
}

/// Signs out: forms that still arrive change nothing.
pub(crate) async fn log_out(session: Session) -> Result<Redirect, StatusCode> {
    session.flush().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Redirect::to("/login"))
}
