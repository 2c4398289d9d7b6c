//! The examples with all logs of all crates.

use http::{Method, Version};
use http_body_util::Full;
use tempfile::tempdir;

use crate::client::{check, request, send};
use crate::server::Server;

#[tokio::test]
async fn no_piece_of_a_key_is_in_the_log_even_at_the_finest_level() {
    // A key that does not exist, and a malformed one.
    let invalid =
        ["demo_live_Wq3TzK8vLm2NbX7cRy5PdH9sJf4GaE6uQo1BiZ", "demo_live_short9sJf4GaE6u"].map(String::from);
    for example in ["notes", "hyper", "mixed", "grpc", "memory_api", "memory_scope", "memsolus"] {
        let folder = tempdir().unwrap();
        let server = Server::start_with(example, folder.path(), &[("RUST_LOG", "trace")]).await;
        let own: Vec<String> = server.credentials().values().cloned().collect();
        for key in own.iter().chain(&invalid) {
            if example == "grpc" {
                check(&server.url(""), Some(key)).await;
                continue;
            }
            for version in [Version::HTTP_11, Version::HTTP_2] {
                let url = server.url("/v1/whoami");
                let by_bearer = request(Method::GET, &url, Some(key)).version(version);
                let by_header = request(Method::GET, &url, None).version(version).header("x-api-key", key);
                send(by_bearer.body(Full::default()).unwrap()).await;
                send(by_header.body(Full::default()).unwrap()).await;
            }
        }
        let end = server.end().await;
        assert!(end.stderr.contains("TRACE"), "{example} was not traced: {}", end.stderr);
        assert!(end.stderr.contains("rejected reason="), "{example}: {}", end.stderr);
        end.assert_clean(own.iter().chain(&invalid));
    }
}
