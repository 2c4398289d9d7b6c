//! Users who are signed in elsewhere, whom the application resolves for the routes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;
use tower_api_key::Owner;
use tower_api_key::manage::{ExternalCaller, ManageSettings};

use crate::authority::console::{Console, Held};
use crate::authority::stores::Store;
use crate::authority::world::{Key, World, scopes, settings};

const SESSION: &str = "session-of-ann";

/// The sessions of the application: organization and scopes of a user.
#[derive(Clone)]
struct Sessions {
    users: Arc<Mutex<HashMap<String, (&'static str, &'static str)>>>,
    /// One permit for each call of the function that resolves a caller.
    calls: Arc<Semaphore>,
}

impl Sessions {
    /// Ann is signed in for an organization, with these scopes.
    fn of_ann(organization: &'static str, granted: &'static str) -> Self {
        let users = HashMap::from([(SESSION.to_owned(), (organization, granted))]);
        Self { users: Arc::new(Mutex::new(users)), calls: Arc::new(Semaphore::new(0)) }
    }

    fn settings(&self) -> ManageSettings {
        let sessions = self.clone();
        settings().resolve_callers(move |headers: HeaderMap| {
            let caller = sessions.caller(&headers);
            async { caller }
        })
    }

    fn caller(&self, headers: &HeaderMap) -> Result<ExternalCaller, (StatusCode, &'static str)> {
        let session = headers["authorization"].to_str().unwrap();
        let user = self.users.lock().unwrap().get(session).copied();
        self.calls.add_permits(1);
        let (organization, granted) = user.ok_or((StatusCode::UNAUTHORIZED, "Sign in, please"))?;
        let caller = ExternalCaller::new("user:ann", Owner::organization(organization)).unwrap();
        Ok(caller.scopes(scopes(granted)))
    }

    fn set(&self, user: Option<(&'static str, &'static str)>) {
        let mut users = self.users.lock().unwrap();
        match user {
            Some(user) => users.insert(SESSION.to_owned(), user),
            None => users.remove(SESSION),
        };
    }
}

/// The routes, and requests of Ann for each change with a body, of which the first byte has arrived.
async fn hold_all<S: Store>(world: &World<S>, sessions: &Sessions, own: &Key) -> Vec<Held> {
    let console = Console::serve_resolved(world.manager.clone(), sessions.settings()).await;
    let name = json!({ "name": "renamed" }).to_string();
    let requests =
        [("POST", "/console/keys".to_owned()), ("PATCH", own.path()), ("POST", own.path_to_rotate())];
    let mut held = Vec::new();
    for (method, path) in requests {
        let body = if path.ends_with("rotate") { "{}" } else { &name };
        held.push(console.hold(SESSION, method, &path, body).await);
        sessions.calls.acquire().await.unwrap().forget();
    }
    held
}

pub(crate) async fn a_user_who_signs_out_while_the_body_arrives_changes_nothing<S: Store>(world: World<S>) {
    let sessions = Sessions::of_ann("acme", "keys console");
    let own = world.grant("acme", "console").await;
    let before = world.snapshot().await;
    let held = hold_all(&world, &sessions, &own).await;
    sessions.set(None);
    for held in held {
        let answer = held.finish().await;
        assert_eq!((answer.status, &*answer.text), (StatusCode::UNAUTHORIZED, "Sign in, please"));
    }
    assert_eq!(world.snapshot().await, before);
    assert_eq!(sessions.calls.available_permits(), 3, "once more for each request");

    // The same requests of a user who stays signed in.
    sessions.set(Some(("acme", "keys console")));
    for held in hold_all(&world, &sessions, &own).await {
        assert!(held.finish().await.status.is_success());
    }
    assert_eq!(world.keys().await.len(), 3);
}

pub(crate) async fn the_rights_of_a_user_at_the_time_of_the_change_count<S: Store>(world: World<S>) {
    let own = world.grant("acme", "console").await;
    let other = world.grant("other", "console").await;
    for (now, statuses) in [
        // May no longer manage keys.
        (("acme", "console"), [403, 403, 403]),
        // May manage keys, not those with this scope.
        (("acme", "keys"), [201, 403, 403]),
        // Is signed in for another organization, which owns what the user creates.
        (("other", "keys console"), [201, 404, 404]),
    ] {
        let sessions = Sessions::of_ann("acme", "keys console");
        let held = hold_all(&world, &sessions, &own).await;
        sessions.set(Some(now));
        for (held, status) in held.into_iter().zip(statuses) {
            assert_eq!(held.finish().await.status, status, "{now:?}");
        }
    }
    assert_eq!(world.stored(own.id()).await, own.record);
    assert_eq!(world.stored(other.id()).await, other.record);
    let owners: Vec<_> = world.keys().await.into_iter().map(|key| key.owner.to_string()).collect();
    assert_eq!(owners.iter().filter(|owner| *owner == "organization other").count(), 2, "{owners:?}");
}

pub(crate) async fn a_request_without_a_session_is_answered_before_its_body_is_read<S: Store>(
    world: World<S>,
) {
    let sessions = Sessions::of_ann("acme", "keys");
    let console = Console::serve_resolved(world.manager.clone(), sessions.settings()).await;
    let before = world.snapshot().await;
    let held = console.hold("no session", "POST", "/console/keys", "{ the rest does not arrive").await;
    assert_eq!(held.answer().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.snapshot().await, before);
}
