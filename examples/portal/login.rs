//! The login of the product, whose users and sessions (of `tower-sessions`) know nothing of keys, and the way from it to the pages.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use tower_api_key::backend::Actor;
use tower_api_key::console::{Handover, SignInUrl};
use tower_api_key::key::{KeyFormat, MintError};
use tower_api_key::{Environment, Owner};
use tower_sessions::Session;

use crate::app::Product;

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

impl User {
    /// Returns the user as the actor of the changes that it makes on the pages.
    fn actor(&self) -> Actor {
        match self.role {
            Role::Customer { .. } => Actor::external(self.id),
            Role::Staff => Actor::named(self.id),
        }
    }
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
    async fn of(&self, session: &Session) -> Result<User, Response> {
        if session.id().is_some() {
            session.load().await.map_err(unavailable)?;
        }
        let id: Option<String> = session.get(USER).await.map_err(unavailable)?;
        let user = self.0.values().find(|user| Some(user.id) == id.as_deref());
        user.copied().ok_or_else(|| Redirect::to("/login").into_response())
    }
}

fn unavailable<E>(_: E) -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Returns a page of the product.
fn html(title: &str, content: &str) -> Html<String> {
    Html(format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Notes</title>
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"#
    ))
}

pub(crate) async fn page() -> Html<String> {
    let form = r#"<form method="post"><label>Ticket <input name="ticket" type="password" required></label> <button>Sign in</button></form>"#;
    html("Sign in", form)
}

pub(crate) async fn home(State(product): State<Product>, session: Session) -> Result<Html<String>, Response> {
    let user = product.users.of(&session).await?;
    let content = format!(
        r#"<p>You are {}.</p>
<form method="post" action="/api-keys"><button>API keys</button></form>
<form method="post" action="/logout"><button>Sign out</button></form>"#,
        user.id
    );
    Ok(html("Notes", &content))
}

/// Hands the user of a session over to the pages: a customer to the keys of its organization, the staff to those of all.
pub(crate) async fn open_keys(
    State(product): State<Product>,
    session: Session,
) -> Result<SignInUrl, Response> {
    let user = product.users.of(&session).await?;
    let (pages, handover) = match user.role {
        Role::Customer { organization } => {
            let handover = Handover::customer(user.actor(), Owner::organization(organization));
            let scopes = "notes.*".parse().expect("valid scopes");
            (&product.customers, handover.map(|handover| handover.across_environments().scopes(scopes)))
        }
        Role::Staff => (&product.staff, Handover::operator(user.actor())),
    };
    let handover = handover.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
    pages.session_for(handover.return_url("/")).await.map_err(unavailable)
}

/// Signs in by a ticket. The id of the session changes, so that no earlier one is of use.
pub(crate) async fn log_in(
    State(product): State<Product>,
    session: Session,
    Form(Ticket { ticket }): Form<Ticket>,
) -> Result<Redirect, StatusCode> {
    let user = product.users.0.get(&ticket).ok_or(StatusCode::UNAUTHORIZED)?;
    let stored = async {
        session.cycle_id().await?;
        session.insert(USER, user.id).await
    };
    stored.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Redirect::to("/"))
}

/// Signs out, from the pages as well: forms that still arrive change nothing.
pub(crate) async fn log_out(State(product): State<Product>, session: Session) -> Result<Redirect, Response> {
    let user = product.users.of(&session).await?;
    let pages = match user.role {
        Role::Customer { .. } => &product.customers,
        Role::Staff => &product.staff,
    };
    pages.end_sessions(&user.actor()).await.map_err(unavailable)?;
    session.flush().await.map_err(unavailable)?;
    Ok(Redirect::to("/login"))
}
