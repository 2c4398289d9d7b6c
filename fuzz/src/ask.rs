//! Requests to a router in this process, as a caller with all rights.

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tower_api_key::manage::ManageSettings;
use tower_api_key::scope::{Requirement, Scopes};
use tower_api_key::{Principal, test_util};

use crate::json::Json;

/// The time of all requests, in milliseconds since 1970.
pub const NOW: i64 = 1_800_000_000_000;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    static CALLER: Principal =
        test_util::principal(|record| record.scopes = Scopes::parse("*").expect("a scope"));
}

/// Returns settings that require a scope that the caller has.
pub fn scopes() -> ManageSettings {
    let any = Requirement::all_of(["any"]).expect("a scope");
    // The caller's key is in no store.
    ManageSettings::new(any.clone(), any).external_callers()
}

/// Runs a future that waits for nothing external.
pub fn run_now<T>(answer: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(answer))
}

/// Returns the status and the body of an answer.
pub fn ask(router: Router, method: Method, uri: &str, body: &[u8]) -> (u16, Json) {
    let mut request =
        Request::builder().method(method).uri(uri).body(Body::from(body.to_vec())).expect("a request");
    request.extensions_mut().insert(CALLER.with(Principal::clone));
    run_now(async {
        let Ok(response) = router.oneshot(request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let text = std::str::from_utf8(&bytes).expect("text");
        (status, Json::read(text).expect("an answer that is JSON"))
    })
}

/// Percent-encodes every byte.
pub fn percent(text: &[u8]) -> String {
    text.iter().map(|byte| format!("%{byte:02X}")).collect()
}
