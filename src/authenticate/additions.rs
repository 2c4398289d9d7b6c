//! The additions to a response: headers for caches, and the principal for layers outside.

// Layer 8 of 10: decision.

use http::Response;

use super::caching::{CacheHeaders, VaryNames};
use crate::principal::Principal;

/// The additions of a layer.
#[derive(Debug, Clone)]
pub(super) enum Additions {
    Nothing,
    CacheHeaders(VaryNames),
    /// The principal, and the headers for caches unless the application sets them itself.
    Principal(Option<VaryNames>),
}

/// The additions to a response whose extensions have its caller.
pub(super) struct NamedCaller {
    principal: Principal,
    cache_headers: Option<CacheHeaders>,
}

impl Additions {
    /// Leaves the headers for caches to the application.
    pub(super) fn leave_cache_headers(&mut self) {
        *self = if self.includes_principal() { Self::Principal(None) } else { Self::Nothing };
    }

    /// Adds the principal.
    pub(super) fn add_principal(&mut self) {
        *self = Self::Principal(self.vary_names());
    }

    /// Returns whether the extensions of a response have its principal.
    pub(super) fn includes_principal(&self) -> bool {
        matches!(self, Self::Principal(_))
    }

    /// Returns the additions to a response that names its caller, in a box: the future of other responses has no room for them.
    pub(super) fn named(&self, principal: &Principal) -> Option<Box<NamedCaller>> {
        let named = || NamedCaller { principal: principal.clone(), cache_headers: self.for_caller() };
        self.includes_principal().then(|| Box::new(named()))
    }

    /// Returns the headers of a response that does not depend on a caller.
    pub(super) fn for_any_client(&self) -> Option<CacheHeaders> {
        self.vary_names().map(VaryNames::for_any_client)
    }

    /// Returns the headers of a response to a caller.
    pub(super) fn for_caller(&self) -> Option<CacheHeaders> {
        self.vary_names().map(VaryNames::for_caller)
    }

    fn vary_names(&self) -> Option<VaryNames> {
        match *self {
            Self::Nothing => None,
            Self::CacheHeaders(names) => Some(names),
            Self::Principal(names) => names,
        }
    }
}

impl NamedCaller {
    pub(super) fn add_to<B>(self, response: &mut Response<B>) {
        response.extensions_mut().insert(self.principal);
        if let Some(cache_headers) = self.cache_headers {
            cache_headers.add_to(response);
        }
    }
}
