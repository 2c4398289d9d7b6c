//! The additions to the response of an admitted request: headers for caches, and the principal for layers outside.

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

/// The additions to one response.
pub(super) enum ResponseAdditions {
    Nothing,
    CacheHeaders(CacheHeaders),
    /// Boxed: the usual response has no room for it.
    Principal(Box<(Principal, Option<CacheHeaders>)>),
}

impl Additions {
    /// Leaves the headers for caches to the application.
    pub(super) fn leave_cache_headers(&mut self) {
        *self = match self {
            Self::Nothing | Self::CacheHeaders(_) => Self::Nothing,
            Self::Principal(_) => Self::Principal(None),
        };
    }

    /// Adds the principal.
    pub(super) fn add_principal(&mut self) {
        *self = Self::Principal(self.vary_names().cloned());
    }

    fn vary_names(&self) -> Option<&VaryNames> {
        match self {
            Self::Nothing => None,
            Self::CacheHeaders(names) => Some(names),
            Self::Principal(names) => names.as_ref(),
        }
    }

    /// Returns the additions to a response to a caller.
    #[inline]
    pub(super) fn for_caller(&self, principal: &Principal) -> ResponseAdditions {
        match self {
            Self::CacheHeaders(names) => ResponseAdditions::CacheHeaders(names.for_caller()),
            Self::Nothing => ResponseAdditions::Nothing,
            Self::Principal(names) => {
                let headers = names.as_ref().map(VaryNames::for_caller);
                ResponseAdditions::Principal(Box::new((principal.clone(), headers)))
            }
        }
    }

    /// Returns the additions to a response that does not depend on a caller.
    pub(super) fn for_any_client(&self) -> ResponseAdditions {
        match self.vary_names() {
            Some(names) => ResponseAdditions::CacheHeaders(names.for_any_client()),
            None => ResponseAdditions::Nothing,
        }
    }

    /// Returns the principal of a request that the rules reject, if layers outside are to see it.
    pub(super) fn principal(&self, principal: Principal) -> Option<Principal> {
        matches!(self, Self::Principal(_)).then_some(principal)
    }
}

impl ResponseAdditions {
    #[inline]
    pub(super) fn add_to<B>(self, response: &mut Response<B>) {
        match self {
            Self::Nothing => {}
            Self::CacheHeaders(headers) => headers.add_to(response),
            Self::Principal(additions) => {
                let (principal, headers) = *additions;
                response.extensions_mut().insert(principal);
                if let Some(headers) = headers {
                    headers.add_to(response);
                }
            }
        }
    }
}
