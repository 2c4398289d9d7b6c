//! Who is signed in.

// Layer 10 of 10: rim.

use crate::backend::Actor;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::manage::ExternalCaller;

/// Who is signed in: a customer, who gets the portal, or an operator, who gets the keys of all owners.
///
/// ```
/// use tower_api_key::Owner;
/// use tower_api_key::backend::Actor;
/// use tower_api_key::console::SignedIn;
/// use tower_api_key::manage::ExternalCaller;
///
/// let customer = SignedIn::customer(ExternalCaller::new("user:17", Owner::organization("acme"))?);
/// let auditor = SignedIn::operator(Actor::named("staff:3"))?.read_only();
///
/// let error = SignedIn::operator(Actor::external("user:17")).unwrap_err();
/// assert!(error.to_string().starts_with("an operator must be"));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub(super) role: Role,
    pub(super) read_only: bool,
    /// What the pages of a session of this crate have beside those of the application.
    pub(super) session: Option<SessionLinks>,
}

/// The links of a session.
#[derive(Debug, Clone)]
pub(super) struct SessionLinks {
    /// Where the visitor came from.
    pub(super) return_url: Option<Box<str>>,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one per request")]
pub(super) enum Role {
    Customer(ExternalCaller),
    Operator(Actor),
}

impl SignedIn {
    /// Returns a customer, who gets the keys of one owner.
    pub fn customer(caller: ExternalCaller) -> Self {
        Self { role: Role::Customer(caller), read_only: false, session: None }
    }

    /// Returns an operator, who gets the keys of all owners: a [named](Actor::named) one, or a live key or a user in this store that meets a
    /// requirement for the application's own organization, by [`Actor::requires_for`]. The store authorizes a key or a user before each page, and
    /// in the transaction of each change.
    ///
    /// # Errors
    ///
    /// When it is an [`Actor::External`], of which no store knows whether it is an operator; or a key or a user without a requirement for an
    /// organization or a project: keys of any owner would open this door.
    pub fn operator(actor: Actor) -> Result<Self, InvalidValue> {
        let actor = check_operator(actor)?;
        Ok(Self { role: Role::Operator(actor), read_only: false, session: None })
    }

    /// Shows the pages without their forms, and rejects changes with 403.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }
}

pub(super) fn check_operator(actor: Actor) -> Result<Actor, InvalidValue> {
    if actor.is_operator() {
        return Ok(actor);
    }
    let message = "an operator must be a named actor (`Actor::named`), or a key or a user of the store with a requirement for the application's own organization (`Actor::requires_for`)";
    Err(InvalidValue::new(InvalidValueKind::Operator, message))
}

impl From<ExternalCaller> for SignedIn {
    fn from(caller: ExternalCaller) -> Self {
        Self::customer(caller)
    }
}
