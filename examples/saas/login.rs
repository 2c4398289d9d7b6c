//! The login of the product, which knows nothing of keys: members, and sessions of `tower-sessions`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use tower_api_key::Environment;
use tower_api_key::key::{KeyFormat, MintError};
use tower_sessions::Session;

/// The name of the member in the data of a session.
const MEMBER: &str = "member";

/// A member of an organization.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: &'static str,
    pub(crate) organization: &'static str,
    pub(crate) role: Role,
}

/// What a member may do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Admin,
    Viewer,
}

impl Member {
    pub(crate) fn new(id: &'static str, organization: &'static str, role: Role) -> Self {
        Self { id, organization, role }
    }
}

/// The table of members, by the ticket that each signs in with: in place of passwords, or of a single sign-on.
#[derive(Clone, Default)]
pub(crate) struct Members(Arc<Mutex<HashMap<String, Member>>>);

impl Members {
    /// Adds a member, and returns the ticket.
    pub(crate) fn invite(&self, member: Member) -> Result<String, MintError> {
        let ticket = KeyFormat::new("ticket").expect("a valid prefix").mint(Environment::Live)?;
        let ticket = ticket.reveal().as_str().to_owned();
        self.0.lock().expect("no panic").insert(ticket.clone(), member);
        Ok(ticket)
    }

    /// Returns the member of a session, as both are now: not as they were when the request arrived.
    pub(crate) async fn of(&self, session: &Session) -> Result<Member, StatusCode> {
        let unavailable = |error| {
            tracing::error!(%error, "cannot read a session");
            StatusCode::SERVICE_UNAVAILABLE
        };
        if session.id().is_some() {
            session.load().await.map_err(unavailable)?;
        }
        let id: Option<String> = session.get(MEMBER).await.map_err(unavailable)?;
        let members = self.0.lock().expect("no panic");
        let member = members.values().find(|member| Some(member.id) == id.as_deref());
        member.cloned().ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Signs in by a ticket, the body of the request. The id of the session changes, so that no earlier one is of use.
pub(crate) async fn log_in(
    State(members): State<Members>,
    session: Session,
    ticket: String,
) -> Result<StatusCode, StatusCode> {
    let member = members.0.lock().expect("no panic").get(&ticket).cloned().ok_or(StatusCode::UNAUTHORIZED)?;
    let stored = async {
        session.cycle_id().await?;
        session.insert(MEMBER, member.id).await
    };
    stored.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out: requests whose bodies still arrive change nothing.
pub(crate) async fn log_out(session: Session) -> Result<StatusCode, StatusCode> {
    session.flush().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(StatusCode::NO_CONTENT)
}
