//! The configuration of responses: challenges, bodies, `Retry-After`, and the audit hook for rejections.

// Layer 5 of 10: outcomes.

use std::sync::Arc;
use std::time::Duration;

use super::challenge::{Challenges, Parameter};
use super::rejection::{AuditSink, Respond, ResponseConfig};
use crate::audit::Hook;
use crate::clock::Clock;
use crate::credential::Sources;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::Metrics;

/// Configures the responses of an authenticator.
pub(crate) struct ResponseConfigBuilder {
    pub(crate) realm: Box<str>,
    pub(crate) challenge_parameters: Vec<Parameter>,
    /// Without any, the bodies are those of [`Detail`](super::Detail).
    pub(crate) respond: Option<Arc<dyn Respond>>,
    pub(crate) retry_after: Duration,
    pub(crate) audit: Option<Hook>,
}

impl Default for ResponseConfigBuilder {
    fn default() -> Self {
        Self {
            realm: "api".into(),
            challenge_parameters: Vec::new(),
            respond: None,
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
        let Self { realm, challenge_parameters, respond, retry_after, audit } = self;
        if retry_after.subsec_nanos() != 0 {
            let message = format!("the time to retry after must be whole seconds, got {retry_after:?}");
            return Err(ConfigError::new(ConfigErrorKind::Limit, message));
        }
        let challenges = Challenges::new(sources, &realm, &challenge_parameters)?;
        let retry_after = (!retry_after.is_zero()).then(|| retry_after.as_secs().into());
        let audit = audit.map(|hook| AuditSink { hook, clock: Arc::clone(clock) });
        Ok(ResponseConfig { respond, audit, ..ResponseConfig::new(challenges, retry_after, metrics) })
    }
}

impl ResponseConfig {
    /// Creates the responses to requests that concern several authenticators: those of the first, with the challenges of all. `None` without
    /// any.
    pub(crate) fn any_of<'a>(all: impl Iterator<Item = &'a Arc<Self>> + Clone) -> Option<Self> {
        let first = all.clone().next()?;
        let challenges = Challenges::any_of(all.map(|responses| &responses.challenges));
        Some(Self {
            respond: first.respond.clone(),
            audit: first.audit.clone(),
            ..Self::new(challenges, first.retry_after.clone(), first.metrics.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn the_default_responses_can_be_built() {
        assert!(ResponseConfig::unconfigured().retry_after.is_some());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        assert!(
            ResponseConfigBuilder::default()
                .build(&Sources::default(), &clock, Metrics::new("test", &[]))
                .is_ok()
        );
    }
}
