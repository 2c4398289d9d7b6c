//! How one authenticator answers: its challenges, its bodies, its `Retry-After`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::HeaderValue;

use super::challenge::Challenges;
use super::{AuditSink, Detail, Reason, Respond};
use crate::audit::Hook;
use crate::clock::Clock;
use crate::credential::Sources;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::Metrics;
use crate::principal::Principal;

/// How one authenticator answers. Principals carry it, so that whoever refuses them later answers alike.
pub(crate) struct ResponseConfig {
    pub(super) challenges: Challenges,
    pub(super) respond: Box<dyn Respond>,
    pub(super) retry_after: Option<HeaderValue>,
    /// Who hears of refusals.
    pub(super) audit: Option<AuditSink>,
    pub(crate) metrics: Metrics,
}

pub(crate) struct ResponseConfigBuilder {
    pub(crate) realm: Box<str>,
    pub(crate) respond: Box<dyn Respond>,
    pub(crate) retry_after: Duration,
    pub(crate) audit: Option<Hook>,
}

impl Default for ResponseConfigBuilder {
    fn default() -> Self {
        Self {
            realm: "api".into(),
            respond: Box::new(Detail),
            retry_after: Duration::from_secs(1),
            audit: None,
        }
    }
}

impl ResponseConfigBuilder {
    pub(crate) fn build(
        self,
        sources: &Sources,
        clock: &Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Result<ResponseConfig, ConfigError> {
        let Self { realm, respond, retry_after, audit } = self;
        if retry_after.subsec_nanos() != 0 {
            let message = format!("expected whole seconds to retry after, found {retry_after:?}");
            return Err(ConfigError::new(ConfigErrorKind::Limit, message));
        }
        Ok(ResponseConfig {
            challenges: Challenges::new(sources, &realm)?,
            respond,
            retry_after: (!retry_after.is_zero()).then(|| retry_after.as_secs().into()),
            audit: audit.map(|hook| AuditSink { hook, clock: Arc::clone(clock) }),
            metrics,
        })
    }
}

impl ResponseConfig {
    /// Returns the answers of whoever admitted `principal`.
    pub(crate) fn of(principal: &Principal) -> Arc<Self> {
        Arc::clone(&principal.issuer().responses).downcast().unwrap_or_else(|_| Self::default_ones())
    }

    /// Returns the answers of an authenticator that nobody has configured.
    pub(crate) fn default_ones() -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<ResponseConfig>> = LazyLock::new(|| {
            let challenges = Challenges::new(&Sources::default(), "api");
            Arc::new(ResponseConfig {
                // OK because the realm is fixed, and a test builds these answers.
                challenges: challenges.expect("the default realm is valid"),
                respond: Box::new(Detail),
                retry_after: Some(HeaderValue::from_static("1")),
                audit: None,
                metrics: Metrics::new("none", &Reason::LABELS),
            })
        });
        Arc::clone(&DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn the_default_answers_can_be_built() {
        assert!(ResponseConfig::default_ones().retry_after.is_some());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        assert!(
            ResponseConfigBuilder::default()
                .build(&Sources::default(), &clock, Metrics::new("test", &[]))
                .is_ok()
        );
    }
}
