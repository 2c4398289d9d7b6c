//! The state that the pages share, and the visitor of a page.

// Layer 10 of 10: rim.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{self, IntoResponse, Response};

use super::keys::Keys;
use super::look::{Look, SCRIPT};
use super::once;
use super::page::{Problem, Shell, root};
use super::signed_in::{Role, SignedIn};
use super::words::bound;
use crate::backend::KeyStore;
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::manage::{KeyManager, ManageErrorKind, Permissions, Resolver};

/// Pages beyond those of keys, for a store that has what they show.
#[derive(Clone)]
pub(super) struct Further<S> {
    pub(super) members: bool,
    pub(super) plans: bool,
    pub(super) pages: Router<Arc<Shared<S>>>,
}

impl<S: Send + Sync + 'static> Further<S> {
    pub(super) fn none() -> Self {
        Self { members: false, plans: false, pages: Router::new() }
    }
}

pub(super) struct Shared<S> {
    pub(super) manager: KeyManager<S>,
    pub(super) permissions: Permissions,
    /// The length of the hints of new keys.
    pub(super) hint: usize,
    pub(super) look: Look,
    pub(super) style: String,
    pub(super) version: String,
    has_members: bool,
    has_plans: bool,
    /// The host that requests have to name, which come from this machine only.
    pub(super) only_local: Option<Box<str>>,
    resolver: Resolver<SignedIn>,
}

/// The extractor of the shared state.
pub(super) type SharedState<S> = State<Arc<Shared<S>>>;

impl<S> Shared<S> {
    pub(super) fn new(
        manager: KeyManager<S>,
        permissions: Permissions,
        hint: usize,
        look: Look,
        further: &Further<S>,
        resolver: Resolver<SignedIn>,
    ) -> Self {
        let style = look.style();
        let version = format!("{:08x}", crc32fast::hash([&style, SCRIPT].concat().as_bytes()));
        let Further { members, plans, .. } = *further;
        Self {
            manager,
            permissions,
            hint,
            look,
            style,
            version,
            has_members: members,
            has_plans: plans,
            only_local: None,
            resolver,
        }
    }

    /// Serves browsers of this machine only, which find the pages at this host.
    pub(super) fn in_development(self, host: &str) -> Self {
        Self { only_local: Some(host.into()), ..self }
    }

    /// Returns the frame of a page without a visitor.
    pub(super) fn shell(&self, root: String) -> Shell<'_> {
        let (look, version) = (&self.look, &*self.version);
        let lease = bound(self.manager.longest_lease());
        Shell {
            look,
            version,
            root,
            whose: String::new(),
            visitor: String::new(),
            is_operator: false,
            may_change: false,
            lease,
            has_members: self.has_members,
            has_plans: self.has_plans,
            session: None,
        }
    }
}

/// Who asks for a page.
pub(super) struct Visitor {
    signed_in: SignedIn,
    head: Box<Parts>,
}

impl<S: KeyStore> FromRequestParts<Arc<Shared<S>>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, shared: &Arc<Shared<S>>) -> Result<Self, Response> {
        let signed_in = shared.resolver.resolve(head).await?;
        check_operator(shared, &signed_in).await.map_err(IntoResponse::into_response)?;
        Ok(Self { signed_in, head: Box::new(head.clone()) })
    }
}

impl Visitor {
    /// Returns the keys that the visitor may read.
    pub(super) fn keys<'s, S: KeyStore + Clone>(&self, shared: &'s Shared<S>) -> Keys<'s, S> {
        Keys::new(&shared.manager, &self.signed_in.role)
    }

    /// Returns the keys that the visitor may change by a form that was made for this one. It is resolved again, as the body of a request may arrive
    /// long after its head: read all that the change needs before, so that nothing but the change follows.
    pub(super) async fn authorize_again<'s, S: KeyStore + Clone>(
        &mut self,
        shared: &'s Shared<S>,
        made_for: &str,
    ) -> response::Result<Keys<'s, S>> {
        self.check_made_for(made_for)?;
        // For the page that follows a change that is not made.
        check_operator(shared, &self.signed_in).await?;
        let before = self.identity();
        self.signed_in = shared.resolver.resolve(&self.head).await?;
        if self.identity() != before {
            return Err(self.other().into());
        }
        self.check_may_change()?;
        Ok(self.keys(shared))
    }

    /// Checks that a form was made for this visitor, who may have signed in since. A program that fills in no page need not name it.
    pub(super) fn check_made_for(&self, made_for: &str) -> Result<(), Problem> {
        if made_for.is_empty() || made_for == self.tag() { Ok(()) } else { Err(self.other()) }
    }

    fn other(&self) -> Problem {
        let text =
            format!("You are signed in for {} by now. Check the form, and send it again.", self.whose());
        Problem::new(StatusCode::CONFLICT, "The form was made for another visitor", &text)
    }

    pub(super) fn check_may_change(&self) -> Result<(), Problem> {
        if self.signed_in.read_only {
            let text = "Your account may look at keys, and not change them.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "You may not make this change", text));
        }
        Ok(())
    }

    /// Rejects a customer on a page of operators alone, as a page that does not exist.
    pub(super) fn check_is_operator(&self) -> Result<(), Problem> {
        let text = "The link may be incomplete.";
        if self.is_operator() {
            Ok(())
        } else {
            Err(Problem::new(StatusCode::NOT_FOUND, "No such page", text))
        }
    }

    fn is_operator(&self) -> bool {
        matches!(self.signed_in.role, Role::Operator(_))
    }

    pub(super) fn shell<'s, S>(&self, shared: &'s Shared<S>) -> Shell<'s> {
        let (whose, visitor, is_operator) = (self.whose(), self.tag(), self.is_operator());
        let may_change = !self.signed_in.read_only;
        let session = self.signed_in.session.clone();
        Shell { whose, visitor, is_operator, may_change, session, ..shared.shell(root(self.head.uri.path())) }
    }

    fn whose(&self) -> String {
        match &self.signed_in.role {
            Role::Customer(caller) => caller.owner().to_string(),
            Role::Operator(_) => "all owners".to_owned(),
        }
    }

    /// Returns what tells its forms from those of other visitors.
    fn tag(&self) -> String {
        once::mark(&self.identity())
    }

    pub(super) fn role(&self) -> &Role {
        &self.signed_in.role
    }

    /// Returns the environments of its keys, that of new keys by default first.
    pub(super) fn environments(&self) -> &'static [Environment] {
        match &self.signed_in.role {
            Role::Customer(caller) => caller.environments(),
            Role::Operator(_) => &[Environment::Live, Environment::Test],
        }
    }

    /// Returns a text that tells it from other visitors, for the ids of the keys that it creates.
    pub(super) fn identity(&self) -> String {
        match &self.signed_in.role {
            Role::Customer(caller) => format!("customer\0{}\0{}", caller.name(), caller.owner()),
            Role::Operator(actor) => format!("operator\0{}", actor.name().unwrap_or_default()),
        }
    }
}

/// Checks that an operator meets its requirements: the store checks them with changes only.
async fn check_operator<S: KeyStore>(shared: &Shared<S>, signed_in: &SignedIn) -> Result<(), Problem> {
    // A session is checked with its opener when it is resolved.
    let Role::Operator(actor) = &signed_in.role else { return Ok(()) };
    if signed_in.session.is_some() {
        return Ok(());
    }
    let none = || {
        let text = "Your account has ended, or is not one of an operator.";
        Problem::new(StatusCode::FORBIDDEN, "These pages are for operators", text)
    };
    match shared.manager.authorize_actor(actor, None).await {
        // With a live key that it creates, a test key would reach live data.
        Ok(Some(own)) if own.record().environment != Environment::Live => Err(none()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ManageErrorKind::Forbidden => Err(none()),
        Err(error) => Err(error.into()),
    }
}

impl<S: KeyStore> Shared<S> {
    pub(super) fn now(&self) -> Timestamp {
        self.manager.now()
    }
}
