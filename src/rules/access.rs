//! Who may call a route.

// Layer 8 of 10: decision.

use crate::error::InvalidValue;
use crate::scope::Requirement;

/// Who may call a route.
///
/// ```
/// use tower_api_key::rules::Access;
/// use tower_api_key::Requirement;
///
/// let requirement = Requirement::all_of(["notes.read"])?;
/// assert_eq!(Access::scope("notes.read")?, Access::Scopes(requirement.clone()));
/// assert_eq!(Access::try_from("notes.read")?, Access::Scopes(requirement));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Any client, with or without a key. The key is not looked up, so the handler has no principal, and neither a bad key nor an outage of
    /// the store keeps the client out. A path that a router or a proxy might read in more than one way (with `%`, `//`, `;` or `\`, or with a
    /// segment `.` or `..`) needs a key all the same.
    Public,
    /// Any client with a good key, whatever its scopes.
    AnyKey,
    /// A client whose key meets the requirement.
    Scopes(Requirement),
}

impl Access {
    /// Creates an access that requires one scope.
    ///
    /// # Errors
    ///
    /// When `scope` is not a scope token.
    pub fn scope(scope: &str) -> Result<Self, InvalidValue> {
        Requirement::all_of([scope]).map(Self::Scopes)
    }
}

/// Reads the scopes that a route requires, as [`Requirement`]'s `FromStr` does. No text stands for [`Public`](Access::Public) or
/// [`AnyKey`](Access::AnyKey).
impl TryFrom<&str> for Access {
    type Error = InvalidValue;

    fn try_from(scopes: &str) -> Result<Self, InvalidValue> {
        scopes.parse().map(Self::Scopes)
    }
}

impl From<Requirement> for Access {
    fn from(requirement: Requirement) -> Self {
        Self::Scopes(requirement)
    }
}
