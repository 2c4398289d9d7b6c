//! The pages on which visitors sign in and out.

// Layer 10 of 10: rim.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State as RouterState;
use axum::http::header::{AUTHORIZATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{self, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::cookies::Cookie;
use super::handover::no_owner;
use super::sessions::{CONSOLE, Sessions};
use super::state::{Door, Environments, State};
use crate::backend::{Actor, KeyStore};
use crate::console::fields::{Fields, Filters};
use crate::console::once;
use crate::console::page::{Problem, Shell, redirect, render};
use crate::console::shared::{Shared, SharedState};
use crate::environment::Environment;
use crate::manage::{ManageError, ManageErrorKind};
use crate::path::template;
use crate::principal::Principal;
use crate::record::Record;
use crate::reject::{Reason, Rejection};
use crate::rights::Resource;
use crate::scope::Requirement;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    shell: Shell<'a>,
    notice: Option<&'static str>,
    error: Option<&'static str>,
    email: &'a str,
    /// Ties the form to the browser.
    token: String,
    accepts_keys: bool,
    accepts_passwords: bool,
}

#[derive(Template)]
#[template(path = "hand_over.html")]
struct HandOverPage<'a> {
    shell: Shell<'a>,
    code: &'a str,
    /// The account to ask for, of a code that any browser of the machine may redeem.
    account: Option<String>,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage<'a> {
    shell: Shell<'a>,
    return_url: Option<Box<str>>,
}

type Here<S> = Extension<Arc<Sessions<S>>>;

pub(super) async fn form<S: KeyStore>(
    RouterState(shared): SharedState<S>,
    Extension(sessions): Here<S>,
    head: Parts,
    query: Filters,
) -> response::Result<Response> {
    let code = query.text("code");
    if !code.is_empty() {
        return Ok(hand_over(&shared, &sessions, &head, code).await?);
    }
    // A link can name either, so each says nothing more than that.
    let notice = match (query.has("ended"), query.has("stopped")) {
        // The same form may have been sent before, and its change have ended the session.
        (_, true) => Some("Your session has ended. Sign in to see whether your change was made."),
        (true, _) => Some("Your session has ended."),
        _ => None,
    };
    Ok(page(&shared, &sessions, &head, StatusCode::OK, notice, None, "")?)
}

/// Shows the form that redeems a code. Until it is sent, the code works: a preview of the link does not use it up.
async fn hand_over<S: KeyStore>(
    shared: &Shared<S>,
    sessions: &Sessions<S>,
    head: &Parts,
    code: &str,
) -> Result<Response, Problem> {
    let open = if sessions.is_development { sessions.find_code(code, "").await? } else { None };
    let account = open.and_then(|record| {
        let opener = record.session.as_ref()?.opener.clone();
        let keys =
            if record.owner == no_owner() { "all owners".to_owned() } else { record.owner.to_string() };
        Some(format!("{opener}, for the keys of {keys}"))
    });
    if account.is_none() && sessions.browser(head).is_none() {
        return Err(no_way_in());
    }
    let shell = shared.shell("./".to_owned());
    Ok(render(StatusCode::OK, &HandOverPage { shell, code, account }))
}

fn no_way_in() -> Problem {
    let text = "It works once, for 15 minutes, and only in the browser that it was made for. Go back to where you found it, and open it again.";
    Problem::new(StatusCode::FORBIDDEN, "This link does not work", text)
}

fn page<S: KeyStore>(
    shared: &Shared<S>,
    sessions: &Sessions<S>,
    head: &Parts,
    status: StatusCode,
    notice: Option<&'static str>,
    error: Option<&'static str>,
    email: &str,
) -> Result<Response, Problem> {
    let (token, cookie) = match sessions.browser(head) {
        Some(browser) => (once::mark(browser), None),
        None => {
            let (browser, cookie) = sessions.new_browser()?;
            (once::mark(browser.as_str()), Some(cookie))
        }
    };
    let page = SignInPage {
        shell: shared.shell("./".to_owned()),
        notice,
        error,
        email,
        token,
        accepts_keys: sessions.pasted_keys,
        accepts_passwords: sessions.passwords,
    };
    let mut response = render(status, &page);
    response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

pub(super) async fn sign_in<S: KeyStore>(
    RouterState(shared): SharedState<S>,
    Extension(sessions): Here<S>,
    head: Parts,
    fields: Fields,
) -> response::Result<Response> {
    let code = fields.text("code");
    if !code.is_empty() {
        return Ok(redeem(&sessions, &head, code).await?);
    }
    let refuse =
        |status, error| page(&shared, &sessions, &head, status, None, Some(error), fields.shown("email"));
    if sessions.browser(&head).is_none_or(|browser| once::mark(browser) != fields.text("token")) {
        return Ok(refuse(
            StatusCode::FORBIDDEN,
            "This form was open for too long, or cookies are off. Try again.",
        )?);
    }
    let (key, email) = (fields.text("key"), fields.text("email"));
    let admitted = if sessions.pasted_keys && !key.is_empty() {
        sessions.authenticator.verify(key).await
    } else if sessions.passwords && !email.is_empty() {
        let password = fields.exact("password").next().unwrap_or_default();
        let admitted = sessions.authenticator.authenticate(&basic(email, password)).await;
        // Basic credentials may hold a key in place of the password.
        admitted.and_then(|caller| match caller.actor() {
            Actor::User(_) => Ok(caller),
            _ => Err(caller.reject(Reason::WrongSource)),
        })
    } else {
        return Ok(refuse(StatusCode::UNPROCESSABLE_ENTITY, "Fill in the form.")?);
    };
    let principal = match admitted {
        Ok(principal) => principal,
        Err(rejection) => {
            rejection.report(template(&head.extensions));
            return Ok(refuse(status_of(&rejection), error_of(&rejection))?);
        }
    };
    match sessions.enter(&principal).await {
        Ok(cookie) => {
            sessions.leave(&head).await.map_err(Problem::from)?;
            Ok(entered(&sessions, cookie))
        }
        Err(error) if error.kind() == ManageErrorKind::Forbidden => {
            let lacking = principal.reject(Reason::MissingScope(CONSOLE.into()));
            lacking.report(template(&head.extensions));
            let text = "This key does not open these pages: it needs the permission `console`.";
            Ok(refuse(StatusCode::FORBIDDEN, text)?)
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}

async fn redeem<S: KeyStore>(sessions: &Sessions<S>, head: &Parts, code: &str) -> Result<Response, Problem> {
    let tied = match sessions.browser(head) {
        Some(browser) => sessions.redeem(code, browser).await?,
        None => None,
    };
    let cookie = match tied {
        Some(cookie) => cookie,
        // A code without a browser exists in development only.
        None => sessions.redeem(code, "").await?.ok_or_else(no_way_in)?,
    };
    sessions.leave(head).await?;
    Ok(entered(sessions, cookie))
}

/// Leads to the keys, with the cookie of the session.
fn entered<S>(sessions: &Sessions<S>, cookie: HeaderValue) -> Response {
    let mut response = redirect("./keys");
    response.headers_mut().append(SET_COOKIE, cookie);
    response.headers_mut().append(SET_COOKIE, sessions.cookies.remove(Cookie::SignIn));
    response
}

/// Ends the session, so that a copy of its cookie is of no use, and makes the browser forget it.
pub(super) async fn sign_out<S: KeyStore>(
    RouterState(shared): SharedState<S>,
    Extension(sessions): Here<S>,
    head: Parts,
) -> response::Result<Response> {
    let session = sessions.leave(&head).await.map_err(Problem::from)?;
    let state =
        session.and_then(|session| State::decode(&session, sessions.authenticator.policy(), &sessions.clock));
    let return_url = state.and_then(|state| state.return_url);
    let shell = shared.shell("./".to_owned());
    let mut response = render(StatusCode::OK, &SignedOutPage { shell, return_url });
    response.headers_mut().append(SET_COOKIE, sessions.cookies.remove(Cookie::Session));
    Ok(response)
}

/// Returns from the address of the form to the keys, for a reload.
pub(super) async fn back() -> Response {
    redirect("./keys")
}

impl<S> Sessions<S> {
    /// Returns the secret of the browser, which its cookie holds.
    fn browser<'h>(&self, head: &'h Parts) -> Option<&'h str> {
        self.cookies.read(Cookie::SignIn, head).filter(|text| Self::is_browser(text))
    }
}

impl<S: KeyStore> Sessions<S> {
    /// Ends the session of the browser, if it has one, and returns it: it signs out, or another session takes its place.
    async fn leave(&self, head: &Parts) -> Result<Option<Record>, ManageError> {
        let Some(text) = self.cookies.read(Cookie::Session, head) else { return Ok(None) };
        let found = self.find_session(text).await?;
        if let Some(session) = &found {
            self.manager.end_session(&session.id, "signed out").await?;
        }
        Ok(found)
    }

    /// Opens the session of a caller who has presented a key or a password, and returns its cookie. It is an operator if it is live and meets the
    /// requirement for the organization of operators. Otherwise a key needs the scope `console`, and a user nothing but the password.
    async fn enter(&self, principal: &Principal) -> Result<HeaderValue, ManageError> {
        let actor = principal.actor();
        if let Some((organization, needed)) = &self.operators
            // With a live key that it creates, a test key would reach live data.
            && principal.environment() == Environment::Live
        {
            let operator = actor.clone().requires_for(needed.clone(), Resource::Organization(organization));
            match self.manager.authorize_actor(&operator, None).await {
                Ok(_) => return self.enter_as(operator, Door::Operator, None, principal).await,
                Err(error) if error.kind() == ManageErrorKind::Forbidden => {}
                Err(error) => return Err(error),
            }
        }
        let is_user = matches!(actor, Actor::User(_));
        let needed = (!is_user).then(|| Requirement::from(CONSOLE));
        let actor = needed.iter().fold(actor, |actor, needed| actor.requires(needed.clone()));
        self.manager.authorize_actor(&actor, None).await?;
        self.enter_as(actor, Door::Customer, needed, principal).await
    }

    async fn enter_as(
        &self,
        opener: Actor,
        door: Door,
        keeps: Option<Requirement>,
        principal: &Principal,
    ) -> Result<HeaderValue, ManageError> {
        // With a live key that it creates, a test key would reach live data.
        let environments = match principal.environment() {
            Environment::Live if self.across_environments => Environments::All,
            own => Environments::One(own),
        };
        let state =
            State { opener, door, bounds: None, environments, read_only: false, keeps, return_url: None };
        self.open(&state, principal.owner().identity(), principal.scopes().clone()).await
    }
}

/// Returns the headers of a request with a password.
fn basic(email: &str, password: &str) -> HeaderMap {
    let pair = Zeroizing::new(format!("{email}:{password}"));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    // An e-mail with a colon names another user (RFC 7617 §2), so no such form is one of a user.
    let value = HeaderValue::from_str(&value).ok().filter(|_| !email.contains(':'));
    value.map(|value| (AUTHORIZATION, value)).into_iter().collect()
}

fn status_of(rejection: &Rejection) -> StatusCode {
    match rejection.reason() {
        Reason::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// Returns one text for all keys and passwords that are not good: why not would tell that they were.
fn error_of(rejection: &Rejection) -> &'static str {
    match rejection.reason() {
        Reason::Unavailable => "The keys cannot be reached. Try again in a moment.",
        _ => "This is not accepted. Check that it is complete, and still valid.",
    }
}
