//! The configuration of responses: challenges, bodies, `Retry-After`, and the audit hook for rejections.

use std::sync::Arc;
use std::time::Duration;

use super::challenge::Challenges;
use super::rejection::{AuditSink, Detail, Respond, ResponseConfig};
use crate::audit::Hook;
use crate::clock::Clock;
use crate::credential::Sources;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::Metrics;

/// Configures the responses of an authenticator.
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
            let message = format!("the time to retry after must be whole seconds, got {retry_after:?}");
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
