//! HTTP responses to rejections.

// Layer 5 of 10: outcomes.

use http::{Response, header};

use super::body::RejectionBody;
use super::head::RequestHead;
use super::rejection::Rejection;
use crate::reason::Reason;

/// Returns the prepared response for the reason. A body of the application replaces the prepared one, the challenge names missing scopes, and
/// `Retry-After` says when a limit leaves room again.
// Part of each rejection, like its caller.
#[inline(always)]
pub(super) fn response<B: RejectionBody>(
    rejection: &Rejection,
    request: Option<RequestHead<'_>>,
) -> Response<B> {
    let responses = &rejection.responses;
    let index = responses.challenges.index(rejection.scheme.as_ref());
    let (head, body) = responses.prepared.of(&rejection.reason, index);
    let mut head = head.clone();
    // A header that is replaced keeps its place.
    let body = match &responses.respond {
        None => body.clone(),
        Some(respond) => {
            let request = request.map(|request| request.hiding(&responses.challenges));
            let payload = respond.respond(rejection, request);
            head.headers.insert(header::CONTENT_TYPE, payload.content_type);
            payload.bytes
        }
    };
    match &rejection.reason {
        Reason::MissingScope(requirement) => {
            let challenge = responses.challenges.with_scopes(index, requirement.scopes());
            head.headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Reason::Limited(limited) => {
            head.headers.insert(header::RETRY_AFTER, limited.retry_after_seconds().into());
        }
        _ => {}
    }
    Response::from_parts(head, B::from_bytes(body))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Request, StatusCode};

    use super::*;
    use crate::credential::{Scheme, Source, Sources};
    use crate::metrics::Metrics;
    use crate::reason::{Challenge, Forbidden, tests};
    use crate::reject::challenge::Challenges;
    use crate::reject::{Payload, Respond, ResponseConfig};
    use crate::scope::Requirement;

    fn reasons() -> Vec<Reason> {
        let any_of = Requirement::any_of(["notes.read", "notes.write"]).unwrap();
        let further = [Reason::MissingScope(any_of), Reason::Forbidden(Forbidden::Undeclared)];
        tests::reasons().into_iter().chain(further).collect()
    }

    /// Bodies that depend on the rejection and on the request.
    fn naming(rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
        let accept = request.and_then(|request| request.header("accept")).cloned();
        let text = format!("{}: {accept:?}", rejection.reason().code());
        Payload::new(HeaderValue::from_static("text/plain"), text)
    }

    struct Naming;

    impl Respond for Naming {
        fn respond(&self, rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
            naming(rejection, request)
        }
    }

    /// Builds the response to a rejection anew, line by line.
    fn built(rejection: &Rejection, payload: Payload) -> (StatusCode, Vec<(String, HeaderValue)>, Bytes) {
        let schemes: &[(Option<Scheme>, &str)] = &[
            (Some(Scheme::Bearer), r#"Bearer realm="api""#),
            (Some(Source::x_api_key().into()), r#"ApiKey realm="api", header="x-api-key""#),
            (Some(Scheme::Basic), r#"Basic realm="api", charset="UTF-8""#),
        ];
        let presented =
            schemes.iter().find(|(scheme, _)| *scheme == rejection.scheme).unwrap_or(&schemes[0]).1;
        let reason = rejection.reason();
        let challenges: Vec<String> = match reason.row().challenge {
            Challenge::No => vec![],
            Challenge::Offer => schemes.iter().map(|(_, text)| text.to_string()).collect(),
            Challenge::InvalidRequest => {
                schemes.iter().map(|(_, text)| format!(r#"{text}, error="invalid_request""#)).collect()
            }
            Challenge::InvalidToken => vec![format!(r#"{presented}, error="invalid_token""#)],
            Challenge::InsufficientScope => {
                let scopes = match reason {
                    Reason::MissingScope(requirement) => format!(r#", scope="{}""#, requirement.scopes()),
                    _ => String::new(),
                };
                vec![format!(r#"{presented}, error="insufficient_scope"{scopes}"#)]
            }
        };
        let mut headers = vec![("content-type", payload.content_type)];
        headers.push(("cache-control", HeaderValue::from_static("no-store")));
        headers.extend(challenges.iter().map(|line| ("www-authenticate", line.parse().unwrap())));
        if *reason == Reason::Unavailable {
            headers.push(("retry-after", HeaderValue::from_static("7")));
        }
        if let Reason::Limited(_) = reason {
            headers.push(("retry-after", HeaderValue::from_static("9")));
        }
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (reason.status(), headers, payload.bytes)
    }

    fn lines(headers: &HeaderMap) -> Vec<(String, HeaderValue)> {
        headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    }

    #[test]
    fn a_prepared_response_is_the_one_that_would_be_built() {
        let sources = Sources::new([Source::bearer(), Source::basic(), Source::x_api_key()]).unwrap();
        let config = || {
            let challenges = Challenges::new(&sources, "api", &[]).unwrap();
            ResponseConfig::new(challenges, Some(HeaderValue::from_static("7")), Metrics::new("test", &[]))
        };
        let prepared = Arc::new(config());
        let general = Arc::new(ResponseConfig { respond: Some(Arc::new(Naming)), ..config() });
        let accepting = |accept: &'static str| Request::get("/").header("accept", accept).body(()).unwrap();
        let requests = [None, Some(accepting("application/json")), Some(accepting("text/html"))];
        let unread = Source::header("device-key").unwrap().into();
        let schemes =
            [None, Some(Scheme::Bearer), Some(Scheme::Basic), Some(Source::x_api_key().into()), Some(unread)];
        for (reason, scheme) in reasons()
            .into_iter()
            .flat_map(|reason| schemes.iter().map(move |scheme| (reason.clone(), scheme)))
        {
            for request in requests.iter().map(|request| request.as_ref().map(RequestHead::from)) {
                let by = |responses: &Arc<ResponseConfig>| Rejection {
                    scheme: scheme.clone(),
                    ..Rejection::by(Arc::clone(responses), reason.clone())
                };
                let body = format!(r#"{{"detail":"{}"}}"#, reason.detail());
                for (rejection, payload) in
                    [(by(&prepared), Payload::json(body)), (by(&general), naming(&by(&general), request))]
                {
                    let (parts, body) = response::<Bytes>(&rejection, request).into_parts();
                    let expected = built(&rejection, payload);
                    assert_eq!(
                        (parts.status, lines(&parts.headers), body),
                        expected,
                        "{reason:?} {scheme:?}"
                    );
                }
            }
        }
    }
}
