//! Asking a router in this process, as a caller who may do all.

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

/// Milliseconds since 1970 at which everything happens.
pub const NOW: i64 = 1_800_000_000_000;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    static CALLER: Principal =
        test_util::principal(|record| record.scopes = Scopes::parse("*").expect("a scope"));
}

/// Asks for a scope that the caller has.
pub fn scopes() -> ManageSettings {
    let any = Requirement::all_of(["any"]).expect("a scope");
    // The caller's key is in no store.
    ManageSettings::new(any.clone(), any).external_callers()
}

/// Waits for an answer that nothing has to be waited for.
pub fn now<T>(answer: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(answer))
}

/// Returns the status and the body of an answer.
pub fn ask(router: Router, method: Method, uri: &str, body: &[u8]) -> (u16, Json) {
    let mut request =
        Request::builder().method(method).uri(uri).body(Body::from(body.to_vec())).expect("a request");
    request.extensions_mut().insert(CALLER.with(Principal::clone));
    now(async {
        let Ok(response) = router.oneshot(request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let text = std::str::from_utf8(&bytes).expect("text");
        (status, Json::read(text).expect("an answer that is JSON"))
    })
}

/// Spells every byte of a query by its number.
pub fn percent(text: &[u8]) -> String {
    text.iter().map(|byte| format!("%{byte:02X}")).collect()
}
