//! Who is signed in.

use crate::backend::Actor;
use crate::manage::ExternalCaller;

/// Who is signed in: a customer, who gets the portal, or an operator, who gets the keys of all owners.
///
/// An operator is any [`Actor`]: a [named](Actor::named) one, or that of a key or a user in this store, such as
/// `principal.actor().requires(…)`, which the store then authorizes in the transaction of each change.
///
/// ```
/// use tower_api_key::Owner;
/// use tower_api_key::backend::Actor;
/// use tower_api_key::console::SignedIn;
/// use tower_api_key::manage::ExternalCaller;
///
/// let customer = SignedIn::from(ExternalCaller::new("user:17", Owner::organization("acme"))?);
/// let auditor = SignedIn::from(Actor::named("staff:3")).read_only();
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub(super) role: Role,
    pub(super) read_only: bool,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one per request")]
pub(super) enum Role {
    Customer(ExternalCaller),
    Operator(Actor),
}

impl SignedIn {
    /// Shows the pages without their forms, and rejects changes with 403.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }
}

impl From<ExternalCaller> for SignedIn {
    fn from(caller: ExternalCaller) -> Self {
        Self { role: Role::Customer(caller), read_only: false }
    }
}

impl From<Actor> for SignedIn {
    fn from(operator: Actor) -> Self {
        Self { role: Role::Operator(operator), read_only: false }
    }
}
