//! Who is signed in, by the cookie of a session.

// Layer 10 of 10: rim.

use axum::http::Method;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::cookies::Cookie;
use super::sessions::Sessions;
use super::state::{Door, Environments, State};
use crate::backend::KeyStore;
use crate::console::page::{Problem, redirect, root};
use crate::console::signed_in::{Role, SessionLinks, SignedIn};
use crate::manage::{ExternalCaller, ManageErrorKind};

impl<S: KeyStore> Sessions<S> {
    /// Returns who is signed in, with what the opener has as of now. Without a session that has not ended, redirects to the form to sign in.
    pub(super) async fn resolve(&self, head: &Parts) -> Result<SignedIn, Response> {
        let Some(text) = self.cookies.read(Cookie::Session, head) else {
            return Err(redirect(&to_sign_in(head, "")));
        };
        let found = self.find_session(text).await.map_err(|error| Problem::from(error).into_response())?;
        let policy = self.authenticator.policy();
        let state = found.and_then(|record| Some((State::decode(&record, policy, &self.clock)?, record)));
        let Some((state, record)) = state else { return Err(self.ended(head)) };
        let actor = state.actor(&record, policy, &self.clock);
        let owner = record.owner.identity();
        let authorized = match self.manager.authorize_actor(&actor, Some(record)).await {
            // A store authorizes each session.
            Ok(authorized) => authorized,
            // The opener has ended, or lacks what it signed in with.
            Err(error) if error.kind() == ManageErrorKind::Forbidden => None,
            Err(error) => return Err(Problem::from(error).into_response()),
        };
        let Some(authorized) = authorized else { return Err(self.ended(head)) };
        let role = match state.door {
            Door::Operator => Role::Operator(actor),
            Door::Customer => {
                let caller =
                    ExternalCaller::of_session(actor, authorized, owner).keeping_manager(state.keeps);
                Role::Customer(match state.environments {
                    Environments::One(environment) => caller.environment(environment),
                    Environments::All => caller.across_environments(),
                })
            }
        };
        let session = Some(SessionLinks { return_url: state.return_url });
        Ok(SignedIn { role, read_only: state.read_only, session })
    }

    /// Redirects to the form to sign in, which says that the session has ended.
    fn ended(&self, head: &Parts) -> Response {
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let mut response = redirect(&to_sign_in(head, if is_read { "?ended" } else { "?stopped" }));
        response.headers_mut().append(SET_COOKIE, self.cookies.remove(Cookie::Session));
        response
    }
}

fn to_sign_in(head: &Parts, query: &str) -> String {
    format!("{}sign-in{query}", root(head.uri.path()))
}
