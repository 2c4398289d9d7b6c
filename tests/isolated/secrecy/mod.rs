//! No secret shows in anything that the crate writes: debug output, errors, log lines, answers and panics.
//!
//! The tests use known secrets and note all output in one [`Transcript`], which is then searched for any eight consecutive
//! characters of any secret.

mod backends;
mod configuration;
mod database;
mod debug_output;
mod keys;
#[cfg(target_os = "linux")]
mod memory;
mod passing;
mod requests;
mod secrets;
mod service;
mod transcript;

use keys::Keys;
use secrets::Secrets;
use transcript::{PLANNED, Transcript};

#[tokio::test]
async fn no_secret_shows_in_any_output() {
    let transcript = Transcript::of_logs_and_panics();
    let keys = Keys::mint(&transcript);

    debug_output::show(&transcript, &keys);
    requests::send(&transcript, &keys).await;
    backends::misbehave(&transcript, &keys).await;
    database::misbehave(&transcript, &keys).await;

    // A search of missing output proves nothing: each of these must be present.
    for (place, expected) in [
        ("log", "request admitted"),
        ("log", "request rejected"),
        ("log", "tower_api_key::audit"),
        ("log", "key lookup panicked"),
        ("log", "key lookup failed"),
        ("log", "timed out"),
        ("log", "sqlx::query"),
        ("panic", "told to panic"),
        ("panic", "told to panic over Request"),
        ("panic", "told to panic over Record"),
        ("handler", "Sensitive"),
        ("response", "Invalid API key"),
        ("response", "grpc-status"),
        ("response", "insufficient_scope"),
        ("response", "503"),
    ] {
        assert!(transcript.has(place, expected), "`{expected}` in a {place}");
    }
    assert_eq!(transcript.leaks(&keys.secrets), Vec::<String>::new());

    // The same search finds a planted secret in each place.
    let secret = keys.good.text.as_str();
    tracing::trace!("planted: {}", &secret[secret.len() - 8..]);
    std::panic::catch_unwind(|| panic!("{PLANNED}, and planted: {secret}")).unwrap_err();
    transcript.note("response", format!("planted: {secret}"));
    let mut places = transcript.leaks(&keys.secrets);
    places.retain(|leak| leak.contains("planted"));
    assert_eq!(places.len(), 3, "{places:?}");
}

#[test]
fn the_search_finds_a_secret_in_any_spelling() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    let text = "kZ8vT3mQ9xWb2LpR7cYd5Nf0";
    let mut secrets = Secrets::default();
    secrets.keep("the secret", text);
    let bytes = text.as_bytes();
    let part = &text[9..17];
    for shown in [
        text.to_owned(),
        format!("a {part} b"),
        part.to_uppercase(),
        format!("{:?}", part.as_bytes()),
        format!("{:?}", &bytes[3..]),
        bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        STANDARD.encode(text),
        URL_SAFE_NO_PAD.encode(format!("ada@example.com:{text}")),
        STANDARD.encode(format!("a:{text}")),
    ] {
        assert_eq!(secrets.found_in(&shown), Some("the secret"), "{shown}");
    }
    for hidden in ["", "Sensitive", "kZ8vT3m", &text[17..], "kZ8v-T3mQ-9xWb-2LpR"] {
        assert_eq!(secrets.found_in(hidden), None, "{hidden}");
    }
}
