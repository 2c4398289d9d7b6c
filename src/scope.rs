//! Scopes that are granted to keys, and requirements that check them.
//!
//! A scope is a token of RFC 6749 §3.3, such as `notes.read` or `things:write`. Wildcards are applied
//! when a requirement is checked, never expanded when a key is stored, so they cover scopes that the application adds
//! later.
//!
//! ```
//! use tower_api_key::scope::{Requirement, Scopes};
//!
//! let granted = Scopes::parse("memory.* export.read")?;
//! assert!(Requirement::all_of(["memory.read", "export.read"])?.is_met_by(&granted));
//! assert!(!Requirement::all_of(["memory.read", "webhook.write"])?.is_met_by(&granted));
//! assert!(Requirement::any_of(["memory.read", "webhook.write"])?.is_met_by(&granted));
//! # Ok::<(), tower_api_key::InvalidValue>(())
//! ```

// Layer 1 of 10: words.

#[cfg(feature = "serde")]
mod list;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use crate::ascii::{all, describe_first_invalid};
use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::{Text, parsed_from_text, serialized_as_text, try_from_text};

/// A scope token (RFC 6749 §3.3): visible ASCII without `"` and `\`.
///
/// ```
/// use tower_api_key::{Requirement, Scope, Scopes};
///
/// // Checked by the compiler, so that nothing is left to check at run time.
/// const READ: Scope = Scope::from_static("notes.read");
///
/// let granted: Scopes = "notes.* export.read".parse()?;
/// assert!(Requirement::from(READ).is_met_by(&granted));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Text);

impl Scope {
    /// Creates a scope from a literal. In a constant, the compiler checks it:
    ///
    /// ```compile_fail,E0080
    /// use tower_api_key::Scope;
    ///
    /// const READ: Scope = Scope::from_static("notes read");
    /// ```
    ///
    /// # Panics
    ///
    /// When `text` is empty or holds anything but `%x21 / %x23-5B / %x5D-7E`.
    pub const fn from_static(text: &'static str) -> Self {
        let (bytes, mut index) = (text.as_bytes(), 0);
        assert!(!bytes.is_empty(), "scope is invalid: must not be empty");
        while index < bytes.len() {
            assert!(
                is_token(bytes[index]),
                "scope is invalid: must be visible ASCII without quotes and backslashes"
            );
            index += 1;
        }
        Self(Text::Static(text))
    }

    /// Creates a scope.
    ///
    /// # Errors
    ///
    /// When `text` is empty or holds anything but `%x21 / %x23-5B / %x5D-7E`.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if !text.is_empty() && all(text.as_bytes(), is_token) {
            return Ok(Self(Text::Owned(text)));
        }
        let found = describe_first_invalid(text.as_bytes(), is_token);
        let message =
            format!("scope is invalid: must be visible ASCII without quotes and backslashes, got {found}");
        Err(InvalidValue::new(InvalidValueKind::Scope, message))
    }

    /// Returns the text of the scope.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a holder of this scope has the scope `wanted`.
    ///
    /// A scope covers itself; `*` covers everything; `memory.*` and `memory:*` cover every scope that starts with `memory.`
    /// or `memory:`.
    pub fn covers(&self, wanted: &Scope) -> bool {
        let (granted, wanted) = (&*self.0, &*wanted.0);
        match granted.strip_suffix('*') {
            Some("") => true,
            Some(stem) if stem.ends_with(['.', ':']) => wanted.len() > stem.len() && wanted.starts_with(stem),
            _ => granted == wanted,
        }
    }
}

/// Returns whether a scope may have this byte.
const fn is_token(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Scope> for Box<str> {
    fn from(scope: Scope) -> Self {
        match scope.0 {
            Text::Static(text) => text.into(),
            Text::Owned(text) => text,
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

parsed_from_text!(Scope, "a scope");
serialized_as_text!(Scope);

/// The scopes granted to a key, each once, in the order in which they were granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Box<[Scope]>);

impl Scopes {
    /// Creates scopes from their texts.
    ///
    /// # Errors
    ///
    /// When one of them is not a scope token.
    pub fn new<I>(scopes: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        scopes.into_iter().map(Scope::new).collect()
    }

    /// Parses a list that is separated by spaces, the form of RFC 6749 §3.3. The inverse of `to_string`.
    ///
    /// # Errors
    ///
    /// When one of them is not a scope token.
    pub fn parse(list: &str) -> Result<Self, InvalidValue> {
        Self::new(list.split(' ').filter(|scope| !scope.is_empty()))
    }

    /// Returns whether any of the scopes [covers](Scope::covers) `wanted`.
    pub fn covers(&self, wanted: &Scope) -> bool {
        self.0.iter().any(|granted| granted.covers(wanted))
    }

    /// Returns whether `scope` itself is among the scopes; wildcards are not applied.
    pub(crate) fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Returns the scopes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Returns whether the set has no scope.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    /// Keeps the first of equal scopes.
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let scopes: Vec<_> = scopes.into_iter().collect();
        let mut known = HashSet::with_capacity(scopes.len());
        let is_first: Vec<_> = scopes.iter().map(|scope| known.insert(scope)).collect();
        let each = scopes.into_iter().zip(is_first);
        Self(each.filter_map(|(scope, is_first)| is_first.then_some(scope)).collect())
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<const N: usize> From<[Scope; N]> for Scopes {
    /// Keeps the first of equal scopes.
    fn from(scopes: [Scope; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self([scope].into())
    }
}

impl FromStr for Scopes {
    type Err = InvalidValue;

    /// Parses a list that is separated by spaces, like [`Scopes::parse`].
    fn from_str(list: &str) -> Result<Self, InvalidValue> {
        Self::parse(list)
    }
}

try_from_text!(Scopes);

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&scope.0)?;
        }
        Ok(())
    }
}

/// The scopes that a route requires: all of them, or any one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    scopes: Scopes,
    quantity: Quantity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Quantity {
    All,
    Any,
}

impl Requirement {
    /// Creates a requirement of all `scopes`.
    ///
    /// # Errors
    ///
    /// When `scopes` is empty, or one of them is not a scope token.
    pub fn all_of<I>(scopes: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        Self::new(Scopes::new(scopes)?, Quantity::All)
    }

    /// Creates a requirement that is met by any one of `scopes`.
    ///
    /// # Errors
    ///
    /// When `scopes` is empty, or one of them is not a scope token.
    pub fn any_of<I>(scopes: I) -> Result<Self, InvalidValue>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        Self::new(Scopes::new(scopes)?, Quantity::Any)
    }

    /// Returns its scopes, and whether any of them suffices.
    #[cfg(feature = "console")]
    pub(crate) fn parts(&self) -> (&Scopes, bool) {
        (&self.scopes, self.quantity == Quantity::Any)
    }

    fn new(scopes: Scopes, quantity: Quantity) -> Result<Self, InvalidValue> {
        // An empty "all" would admit every caller, an empty "any" none: either is a mistake.
        if scopes.is_empty() {
            return Err(InvalidValue::new(
                InvalidValueKind::Scope,
                "requirement is invalid: must have at least one scope",
            ));
        }
        Ok(Self { scopes, quantity })
    }

    /// Returns the required scopes.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns the lists of scopes of which any one is enough.
    #[cfg(feature = "openapi")]
    pub(crate) fn alternatives(&self) -> Vec<Vec<String>> {
        let scopes = self.scopes.iter().map(ToString::to_string);
        match self.quantity {
            Quantity::All => vec![scopes.collect()],
            Quantity::Any => scopes.map(|scope| vec![scope]).collect(),
        }
    }

    /// Returns whether `granted` meets the requirement.
    pub fn is_met_by(&self, granted: &Scopes) -> bool {
        RequirementRef::from(self).is_met(|wanted| granted.covers(wanted))
    }
}

impl From<Scope> for Requirement {
    fn from(scope: Scope) -> Self {
        Self { scopes: scope.into(), quantity: Quantity::All }
    }
}

impl FromStr for Requirement {
    type Err = InvalidValue;

    /// Parses a requirement of all scopes of a list that is separated by spaces. No text stands for [`any_of`](Requirement::any_of).
    fn from_str(list: &str) -> Result<Self, InvalidValue> {
        Self::new(list.parse()?, Quantity::All)
    }
}

try_from_text!(Requirement);

/// A borrowed [`Requirement`], or a [`Scope`] as the requirement of this one.
///
/// Methods that require scopes of a caller take `impl Into<RequirementRef<'_>>`.
///
/// ```
/// use tower_api_key::scope::{Requirement, RequirementRef, Scope};
///
/// const READ: Scope = Scope::from_static("notes.read");
/// assert_eq!(RequirementRef::from(&READ).to_requirement(), Requirement::all_of(["notes.read"])?);
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RequirementRef<'r> {
    scopes: &'r [Scope],
    quantity: Quantity,
}

impl RequirementRef<'_> {
    /// Returns the requirement that is borrowed.
    pub fn to_requirement(self) -> Requirement {
        Requirement { scopes: self.scopes.iter().cloned().collect(), quantity: self.quantity }
    }

    /// Returns whether the requirement is met by a holder of the scopes that `holds` returns true for.
    pub(crate) fn is_met(self, holds: impl FnMut(&Scope) -> bool) -> bool {
        match self.quantity {
            Quantity::All => self.scopes.iter().all(holds),
            Quantity::Any => self.scopes.iter().any(holds),
        }
    }
}

impl<'r> From<&'r Requirement> for RequirementRef<'r> {
    fn from(Requirement { scopes, quantity }: &'r Requirement) -> Self {
        Self { scopes: &scopes.0, quantity: *quantity }
    }
}

impl<'r> From<&'r Scope> for RequirementRef<'r> {
    fn from(scope: &'r Scope) -> Self {
        Self { scopes: std::slice::from_ref(scope), quantity: Quantity::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_what_lies_below_its_separator_and_nothing_else() {
        let covers =
            |granted: &str, wanted: &str| Scope::new(granted).unwrap().covers(&Scope::new(wanted).unwrap());
        assert!(covers("memory.*", "memory.read"));
        assert!(covers("memory.*", "memory.item.read"));
        assert!(covers("memory:*", "memory:read"));
        assert!(covers("*", "anything"));
        assert!(covers("memory.*", "memory.*"));
        assert!(!covers("memory.*", "memory"));
        assert!(!covers("memory.*", "memory."));
        assert!(!covers("memory.*", "memoryx.read"));
        assert!(!covers("memory.*", "memory:read"));
        assert!(!covers("memory.read", "memory.*"));
        assert!(!covers("mem*", "memory"));
        assert!(covers("mem*", "mem*"));
    }

    #[test]
    fn scopes_are_read_one_by_one_and_named_exactly() {
        let scopes = Scopes::parse("a.* b").unwrap();
        let scope = |text: &str| Scope::new(text).unwrap();
        assert_eq!((&scopes).into_iter().map(Scope::as_str).collect::<Vec<_>>(), ["a.*", "b"]);
        assert_eq!(scope("a.*").to_string(), "a.*");
        assert!(scopes.contains(&scope("b")) && scopes.contains(&scope("a.*")));
        assert!(scopes.covers(&scope("a.b")) && !scopes.contains(&scope("a.b")));
    }

    #[test]
    fn the_first_of_equal_scopes_is_kept() {
        let scopes = Scopes::new(["b", "a", "b", "a.*", "a"]).unwrap();
        assert_eq!(scopes, Scopes::parse("b a a.*").unwrap());
        assert_eq!(Scopes::parse("a a").unwrap().to_string(), "a");
    }

    #[test]
    fn an_empty_requirement_is_an_error() {
        assert_eq!(Requirement::all_of([""; 0]).unwrap_err().kind(), InvalidValueKind::Scope);
        assert_eq!(Requirement::any_of([""; 0]).unwrap_err().kind(), InvalidValueKind::Scope);
    }

    #[test]
    fn scopes_survive_their_own_text() {
        let scopes = Scopes::parse("b a  c:*").unwrap();
        assert_eq!(scopes.to_string(), "b a c:*");
        assert_eq!(Scopes::parse(&scopes.to_string()).unwrap(), scopes);
        assert!(Scopes::parse("a\"b").is_err());
        assert!(Scopes::parse("a\\b").is_err());
        assert!(Scopes::parse("ä").is_err());
    }
}
