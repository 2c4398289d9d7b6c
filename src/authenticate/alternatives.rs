//! Several authenticators in one layer, each for the credentials of its own sources.

// Layer 8 of 10: decision.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::authenticator::{Authenticator, Decision};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::principal::Principal;
use crate::reject::{Reason, Rejection, ResponseConfig};

/// Authenticators of which no two read the same credential.
///
/// The one whose source holds the credential of a request decides. A request without one, or with two, is rejected by none of them: it gets
/// the response of the first, with the challenges of all.
#[derive(Clone)]
pub(super) struct Alternatives {
    authenticators: Box<[Authenticator]>,
    responses: Arc<ResponseConfig>,
}

impl Alternatives {
    /// # Errors
    ///
    /// When there are none, or two of them read the same credentials.
    pub(super) fn new(authenticators: Box<[Authenticator]>) -> Result<Self, ConfigError> {
        for (index, authenticator) in authenticators.iter().enumerate() {
            for source in authenticator.sources().iter() {
                let mut earlier = authenticators[..index].iter().flat_map(|other| other.sources().iter());
                if earlier.any(|other| source.overlaps(other)) {
                    let message = format!(
                        "authenticators are invalid: two read {}, each needs a prefix of its own there",
                        source.scheme()
                    );
                    return Err(ConfigError::new(ConfigErrorKind::Sources, message));
                }
            }
        }
        let responses = authenticators.iter().map(Authenticator::responses);
        let responses = ResponseConfig::any_of(responses).ok_or_else(|| {
            let message = "authenticators are invalid: at least one is required";
            ConfigError::new(ConfigErrorKind::Sources, message)
        })?;
        Ok(Self { authenticators, responses: Arc::new(responses) })
    }

    pub(super) fn authenticators(&self) -> &[Authenticator] {
        &self.authenticators
    }

    pub(super) fn responses(&self) -> &Arc<ResponseConfig> {
        &self.responses
    }

    /// Decides without waiting, and marks the headers of all sources as sensitive.
    pub(super) fn decide_and_mark(&self, headers: &mut HeaderMap, before: Option<&Principal>) -> Decision {
        for authenticator in &self.authenticators {
            authenticator.sources().mark(headers);
        }
        let mut claimant = None;
        for authenticator in &self.authenticators {
            match authenticator.sources().holds_one(headers) {
                Ok(false) => {}
                Ok(true) if claimant.is_none() => claimant = Some(authenticator),
                Ok(true) | Err(_) => return self.reject(Reason::Ambiguous),
            }
        }
        match claimant {
            Some(claimant) => claimant.decide_claimed(headers, before),
            None => self.reject(Reason::Missing),
        }
    }

    fn reject(&self, reason: Reason) -> Decision {
        Decision::Made(Err(Rejection::by(Arc::clone(&self.responses), reason)))
    }
}

impl fmt::Debug for Alternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alternatives").field(&self.authenticators).finish()
    }
}
