//! The configuration of responses: challenges, bodies, `Retry-After`, and the audit hook for rejections.

use std::sync::Arc;
use std::time::Duration;

use super::challenge::{Challenges, Parameter};
use super::head::RequestHead;
use super::rejection::{AuditSink, Detail, Payload, Rejection, Respond, ResponseConfig};
use crate::audit::Hook;
use crate::clock::Clock;
use crate::credential::Sources;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::Metrics;

/// Configures the responses of an authenticator.
pub(crate) struct ResponseConfigBuilder {
    pub(crate) realm: Box<str>,
    pub(crate) challenge_parameters: Vec<Parameter>,
    pub(crate) respond: Box<dyn Respond>,
    pub(crate) retry_after: Duration,
    pub(crate) audit: Option<Hook>,
}

impl Default for ResponseConfigBuilder {
    fn default() -> Self {
        Self {
            realm: "api".into(),
            challenge_parameters: Vec::new(),
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
        let Self { realm, challenge_parameters, respond, retry_after, audit } = self;
        if retry_after.subsec_nanos() != 0 {
            let message = format!("the time to retry after must be whole seconds, got {retry_after:?}");
            return Err(ConfigError::new(ConfigErrorKind::Limit, message));
        }
        Ok(ResponseConfig {
            challenges: Challenges::new(sources, &realm, &challenge_parameters)?,
            respond,
            retry_after: (!retry_after.is_zero()).then(|| retry_after.as_secs().into()),
            audit: audit.map(|hook| AuditSink { hook, clock: Arc::clone(clock) }),
            metrics,
        })
    }
}

impl ResponseConfig {
    /// Creates the responses to requests that concern several authenticators: those of the first, with the challenges of all. `None` without
    /// any.
    pub(crate) fn any_of<'a>(all: impl Iterator<Item = &'a Arc<Self>> + Clone) -> Option<Self> {
        let first = all.clone().next()?;
        Some(Self {
            challenges: Challenges::any_of(all.map(|responses| &responses.challenges)),
            respond: Box::new(Like(Arc::clone(first))),
            retry_after: first.retry_after.clone(),
            audit: first.audit.clone(),
            metrics: first.metrics.clone(),
        })
    }
}

/// Writes the bodies of another configuration.
struct Like(Arc<ResponseConfig>);

impl Respond for Like {
    fn respond(&self, rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
        self.0.respond.respond(rejection, request)
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
