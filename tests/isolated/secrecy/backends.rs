//! Backends that fail, hang and panic during a lookup.

use std::time::Duration;

use support::probe::Probe;
use tower_api_key::backend::{Backend, BackendError, Invalidation, Invalidator};
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};

use crate::secrecy::keys::Keys;
use crate::secrecy::requests;
use crate::secrecy::service;
use crate::secrecy::transcript::{PLANNED, Transcript};

pub(crate) async fn misbehave(transcript: &Transcript, keys: &Keys) {
    let store = keys.store_in(MemoryStore::new()).await;
    let backend = Misbehaving::new(store);
    for behaviour in [Behaviour::Fail, Behaviour::Panic, Behaviour::Hang] {
        backend.set(behaviour);
        // Skips the wait for the deadline.
        tokio::time::pause();
        ask(transcript, keys, backend.clone()).await;
        tokio::time::resume();
    }
    transcript.debug("backend", &backend);
    // Writes its arguments into its errors.
    let chatty = |digest| async move { Err(BackendError::corrupt(format!("cannot read {digest:?}"))) };
    ask(transcript, keys, Probe::answering(chatty)).await;
    commit(transcript, keys).await;
}

async fn ask(transcript: &Transcript, keys: &Keys, backend: impl Backend) {
    let authenticator = Authenticator::builder(backend)
        .digester(keys.digester.clone())
        .deadline(Duration::from_millis(1))
        .build()
        .unwrap();
    let service = service::protect(transcript, &AuthenticateLayer::new(authenticator).grpc());
    for content_type in ["application/json", "application/grpc"] {
        for presented in requests::presentations(keys) {
            service::send(transcript, &service, content_type, "/notes", &[presented]).await;
        }
    }
}

/// A store that fails and panics with a record in its message.
async fn commit(transcript: &Transcript, keys: &Keys) {
    let changes = Invalidator::new();
    for panics in [false, true] {
        let record = keys.good.record.clone();
        let noted = transcript.clone();
        let outcome: Result<(), _> = changes
            .commit(move |mut pending| async move {
                pending.set(Invalidation::Changed(record.digest));
                noted.debug("pending invalidation", &pending);
                assert!(!panics, "{PLANNED} over {record:?}");
                Err(BackendError::invalid(format!("cannot write {record:?}")))
            })
            .await;
        transcript.error("error of a store", &outcome.unwrap_err());
    }
}
