//! Passwords beside keys.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http_body_util::BodyExt;
use support::probe::{Call, Probe};
use support::{Key, revocation};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::backend::{
    Backend, BackendError, Invalidation, Invalidator, KeyChange, KeyStore, OwnerChange, OwnerStore,
    PlanStore, WriteBack,
};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digester;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::limit::Plan;
use tower_api_key::manage::{ExternalCaller, KeyManager};
use tower_api_key::owner::{Membership, Organization, PasswordHash};
use tower_api_key::password::{PasswordErrorKind, PasswordLimits, Passwords};
use tower_api_key::principal::Resource;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, KeyFormat, LimitLayer, MemoryStore, Owner, Principal,
    Reason, Requirement, Scopes, Source,
};

const ANN: &str = "ann@example.com";
const SECRET: &str = "correct horse: battery staple";

/// Little work, for tests that are not about how much it is.
fn light() -> PasswordLimits {
    let mut limits = PasswordLimits::default();
    (limits.memory, limits.passes) = (8, 1);
    limits
}

fn light_passwords() -> Passwords {
    Passwords::with_limits(light()).unwrap()
}

/// A store in which Ann has a password, and reads in one organization.
async fn store_with_ann(passwords: &Passwords) -> MemoryStore {
    let store = MemoryStore::new();
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    store.change_owner(OwnerChange::put_membership(ANN, reader())).await.unwrap();
    let change = OwnerChange::set_password(ANN, Some(passwords.hash(SECRET).await.unwrap()));
    store.change_owner(change).await.unwrap();
    store
}

fn reader() -> Membership {
    Membership::new(Organization::new("acme"), "reader", Scopes::parse("notes.read").unwrap())
}

fn over(backend: impl Backend, passwords: Passwords) -> Authenticator {
    let clock = ManualClock::new(support::START);
    let sources = [Source::basic(), Source::bearer()];
    let builder = Authenticator::builder(backend).sources(sources).passwords(passwords).with_clock(clock);
    builder.deadline(Duration::from_secs(60)).build().unwrap()
}

async fn present(by: &Authenticator, user: &str, secret: &str) -> Result<Principal, Reason> {
    let mut headers = HeaderMap::new();
    let pair = STANDARD.encode(format!("{user}:{secret}"));
    headers.insert("authorization", format!("Basic {pair}").parse().unwrap());
    by.authenticate(&headers).await.map_err(|rejection| rejection.reason().clone())
}

async fn reason(by: &Authenticator, user: &str, secret: &str) -> Reason {
    present(by, user, secret).await.unwrap_err()
}

#[tokio::test]
async fn a_person_is_known_by_the_right_password_and_reaches_what_the_role_may() {
    let passwords = light_passwords();
    let authenticator = over(store_with_ann(&passwords).await, passwords);
    // The first time it is verified, the second time it is remembered.
    for _ in 0..2 {
        let ann = present(&authenticator, "Ann@Example.com", SECRET).await.unwrap();
        assert_eq!(ann.owner().email(), Some(ANN));
        assert!(ann.key_id().as_str().starts_with("user_"), "{}", ann.key_id());
        assert!(!ann.key_id().as_str().contains("ann"));
        let read = Requirement::all_of(["notes.read"]).unwrap();
        let write = Requirement::all_of(["notes.write"]).unwrap();
        assert!(ann.authorize(&read, Resource::Organization("acme")).is_ok());
        assert!(ann.authorize(&write, Resource::Organization("acme")).is_err());
        assert!(ann.authorize(&read, Resource::Organization("other")).is_err());
        assert!(!format!("{ann:?}").contains("argon2"), "{ann:?}");
    }
}

#[tokio::test]
async fn a_user_who_presents_a_password_is_held_to_the_plan() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let plan = |limits: &str| Plan::new("free", limits.parse().unwrap()).unwrap();
    store.put_plan(&plan("burst=2/60s all=5/day/owner")).await.unwrap();
    store.change_owner(OwnerChange::set_user_plan(ANN, Some(plan("")))).await.unwrap();
    let layer = AuthenticateLayer::new(over(store.clone(), passwords));
    let service = layer.layer(LimitLayer::new().layer(service_fn(support::ok)));
    let status = async |pair: &str| {
        let pair = format!("Basic {}", STANDARD.encode(pair));
        let response = service.clone().oneshot(support::request("authorization", &pair)).await.unwrap();
        response.status().as_u16()
    };
    let password = format!("{ANN}:{SECRET}");
    assert_eq!([status(&password).await, status(&password).await, status(&password).await], [200, 200, 429]);
    // A key that she creates is limited as she is, and shares what all of her keys share.
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let ann = ExternalCaller::new("user:17", Owner::user(ANN, [])).unwrap();
    let delegate = manager.on_behalf_of_external(ann);
    let key = delegate.create(delegate.new_key()).await.unwrap().reveal();
    let key = format!("{ANN}:{}", key.as_str());
    assert_eq!([status(&key).await, status(&key).await, status(&key).await], [200, 200, 429]);
    store.put_plan(&plan("all=5/day/owner")).await.unwrap();
    assert_eq!([status(&key).await, status(&password).await], [200, 429]);
}

#[tokio::test]
async fn a_password_grants_what_the_roles_do_and_what_is_declared_for_it_and_nothing_else() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let builder = |store: &MemoryStore| {
        let builder = Authenticator::builder(store.clone()).sources([Source::basic()]);
        builder.passwords(passwords.clone()).deadline(Duration::from_secs(60))
    };
    let meets = |ann: &Principal, scope: &str| ann.require(&Requirement::all_of([scope]).unwrap()).is_ok();
    let plain = builder(&store).build().unwrap();
    let ann = present(&plain, ANN, SECRET).await.unwrap();
    assert_eq!(
        ["notes.read", "notes.write", "account.password"].map(|scope| meets(&ann, scope)),
        [true, false, false]
    );

    let own = builder(&store).user_scopes(Scopes::parse("account.*").unwrap()).build().unwrap();
    let ann = present(&own, ANN, SECRET).await.unwrap();
    assert_eq!(
        ["notes.read", "notes.write", "account.password"].map(|scope| meets(&ann, scope)),
        [true, false, true]
    );
    let account = Requirement::all_of(["account.password"]).unwrap();
    assert!(
        ann.authorize(&account, Resource::Organization("acme")).is_err(),
        "it is not the organization's to grant"
    );

    let mut by_sso = Organization::new("acme");
    by_sso.requires_sso = true;
    store.change_owner(OwnerChange::put_organization(by_sso)).await.unwrap();
    let ann = present(&own, ANN, SECRET).await.unwrap();
    assert_eq!(["notes.read", "account.password"].map(|scope| meets(&ann, scope)), [false, true]);
}

#[tokio::test]
async fn every_wrong_password_is_answered_alike() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    store.change_owner(OwnerChange::put_user("bob@example.com")).await.unwrap();
    let authenticator = over(store, passwords);
    for _ in 0..2 {
        for (user, secret) in [
            (ANN, "wrong"),
            (ANN, "correct horse: battery stapl"),
            ("unknown@example.com", SECRET),
            ("bob@example.com", SECRET),
            ("bob@example.com", "x"),
            ("ann@example.co", SECRET),
        ] {
            assert_eq!(reason(&authenticator, user, secret).await, Reason::Unknown, "{user} {secret}");
        }
    }
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
}

#[tokio::test]
async fn a_password_is_taken_from_a_basic_credential_with_a_user_and_from_nothing_else() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let clock = ManualClock::new(support::START);
    let sources = [Source::basic().empty_user(), Source::bearer(), Source::x_api_key()];
    let authenticator = Authenticator::builder(store.clone()).sources(sources).passwords(passwords);
    let authenticator = authenticator.with_clock(clock).build().unwrap();
    assert_eq!(reason(&authenticator, "", SECRET).await, Reason::Unknown);
    for (name, value) in [("authorization", "Bearer swordfish"), ("x-api-key", "swordfish")] {
        let request = support::request(name, value);
        let rejection = authenticator.authenticate(request.headers()).await.unwrap_err();
        assert_eq!(rejection.reason(), &Reason::Unknown);
    }
    let without = Authenticator::builder(store).sources([Source::basic()]).build().unwrap();
    assert_eq!(reason(&without, ANN, SECRET).await, Reason::Unknown);
}

#[tokio::test]
async fn the_key_of_a_person_goes_before_the_password() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let key =
        Key::foreign("0123456789abcdef0123456789abcdef").with(|record| record.owner = Owner::user(ANN, []));
    let key = key.insert_into(&store).await;
    let authenticator = over(store.clone(), passwords);
    assert_eq!(present(&authenticator, ANN, &key.text).await.unwrap().key_id(), key.id());
    assert_eq!(reason(&authenticator, "bob@example.com", &key.text).await, Reason::WrongOwner);
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(reason(&authenticator, ANN, &key.text).await, Reason::Revoked);
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
}

#[tokio::test]
async fn a_former_password_is_rejected_by_the_very_next_request() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let authenticator = over(store.clone(), passwords.clone());
    for round in 0..3 {
        let (old, new) = (format!("password {round}"), format!("password {}", round + 1));
        let change = OwnerChange::set_password(ANN, Some(passwords.hash(&old).await.unwrap()));
        store.change_owner(change).await.unwrap();
        assert!(present(&authenticator, ANN, &old).await.is_ok());
        let change = OwnerChange::set_password(ANN, Some(passwords.hash(&new).await.unwrap()));
        store.change_owner(change).await.unwrap();
        assert_eq!(reason(&authenticator, ANN, &old).await, Reason::Unknown);
        assert!(present(&authenticator, ANN, &new).await.is_ok());
    }
    store.change_owner(OwnerChange::set_password(ANN, None)).await.unwrap();
    assert_eq!(reason(&authenticator, ANN, "password 3").await, Reason::Unknown);
}

#[tokio::test]
async fn a_person_who_is_removed_reaches_nothing_from_the_next_request_on() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let authenticator = over(store.clone(), passwords);
    let reach = async || {
        let ann = present(&authenticator, ANN, SECRET).await?;
        Ok::<_, Reason>(ann.organizations().count())
    };
    assert_eq!(reach().await, Ok(1));
    store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await.unwrap();
    assert_eq!(reach().await, Ok(0));
    store.change_owner(OwnerChange::put_membership(ANN, reader())).await.unwrap();
    assert_eq!(reach().await, Ok(1));
    let mut by_sso = Organization::new("acme");
    by_sso.requires_sso = true;
    store.change_owner(OwnerChange::put_organization(by_sso)).await.unwrap();
    assert_eq!(reach().await, Ok(0));
    store.change_owner(OwnerChange::delete_user(ANN, revocation())).await.unwrap();
    assert_eq!(reach().await, Err(Reason::Unknown));
}

#[tokio::test]
async fn a_person_acts_in_the_environment_of_the_deployment() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    for environment in [Environment::Live, Environment::Test] {
        let authenticator = Authenticator::builder(store.clone()).sources([Source::basic()]);
        let authenticator = authenticator.passwords(passwords.clone()).environment(environment);
        let authenticator = authenticator.deadline(Duration::from_secs(60)).build().unwrap();
        assert_eq!(present(&authenticator, ANN, SECRET).await.unwrap().environment(), environment);
    }
}

#[tokio::test]
async fn an_outage_of_the_store_is_not_a_wrong_password() {
    let passwords = light_passwords();
    let backend = Misbehaving::new(store_with_ann(&passwords).await);
    let authenticator = over(backend.clone(), passwords);
    for behaviour in [Behaviour::Fail, Behaviour::Panic] {
        backend.set(behaviour);
        assert_eq!(reason(&authenticator, ANN, SECRET).await, Reason::Unavailable);
    }
    backend.set(Behaviour::Behave);
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
}

#[tokio::test]
async fn what_was_verified_asks_the_store_no_more() {
    let passwords = light_passwords();
    let backend = Misbehaving::new(store_with_ann(&passwords).await);
    let authenticator = over(backend.clone(), passwords.clone());
    for secret in [SECRET, "wrong"] {
        present(&authenticator, ANN, secret).await.ok();
    }
    let (reads, hashes) = (backend.reads(), passwords.hashes());
    for _ in 0..10 {
        assert!(present(&authenticator, ANN, SECRET).await.is_ok());
        assert_eq!(reason(&authenticator, ANN, "wrong").await, Reason::Unknown);
    }
    assert_eq!((backend.reads(), passwords.hashes()), (reads, hashes));
}

/// Has no password.
const BOB: &str = "bob@example.com";
/// Has a hash that cannot be read.
const EVE: &str = "eve@example.com";
const UNKNOWN: &str = "unknown@example.com";

/// For whom a wrong password is presented.
const TARGETS: [&str; 4] = [ANN, BOB, EVE, UNKNOWN];

/// Presents passwords for one of the [`TARGETS`], in a world of its own, and sees what that takes.
struct Observer {
    target: &'static str,
    passwords: Passwords,
    backend: Misbehaving<Probe<MemoryStore>>,
    /// Whether the store answers for keys and fails for people, as one under load may.
    is_torn: Arc<AtomicBool>,
    clock: Arc<ManualClock>,
    authenticator: Authenticator,
}

/// All that a client can see of an answer, and what it cost.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    status: u16,
    answer: String,
    reads: u64,
    hashes: u64,
}

impl Observer {
    async fn of(target: &'static str) -> Self {
        let passwords = light_passwords();
        let store = store_with_ann(&passwords).await;
        store.change_owner(OwnerChange::put_user(BOB)).await.unwrap();
        store.change_owner(OwnerChange::put_user(EVE)).await.unwrap();
        let change = OwnerChange::set_password(EVE, Some(PasswordHash::new("$argon2id$v=19$m=8").unwrap()));
        store.change_owner(change).await.unwrap();
        let is_torn = Arc::new(AtomicBool::new(false));
        let torn = Arc::clone(&is_torn);
        let backend = Misbehaving::new(Probe::over(store).before(move |call| {
            let fails = call == Call::FindUser && torn.load(Ordering::SeqCst);
            ready(if fails { Err(BackendError::unavailable("told to fail")) } else { Ok(()) })
        }));
        let builder = Authenticator::builder(backend.clone()).sources([Source::basic()]);
        let builder = builder.passwords(passwords.clone()).stale_grace(Duration::from_secs(3_600));
        // The circuit never opens, so that each attempt shows what it asks.
        let builder = builder.circuit_breaker(5, Duration::ZERO).deadline(Duration::from_secs(60));
        let (authenticator, clock) = support::build(builder);
        // Ann is remembered, as she would be in a process that runs for long.
        assert!(present(&authenticator, ANN, SECRET).await.is_ok());
        Self { target, passwords, backend, is_torn, clock, authenticator }
    }

    async fn present(&self, secret: &str) -> Seen {
        let (reads, hashes) = (self.backend.reads(), self.passwords.hashes());
        let pair = STANDARD.encode(format!("{}:{secret}", self.target));
        let request = support::request("authorization", &format!("Basic {pair}"));
        let service = AuthenticateLayer::new(self.authenticator.clone()).layer(service_fn(support::ok));
        let response = service.oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Seen {
            status: head.status.as_u16(),
            answer: format!("{:?} {body:?}", head.headers),
            reads: self.backend.reads() - reads,
            hashes: self.passwords.hashes() - hashes,
        }
    }

    async fn present_in_an_outage(&self, secret: &str) -> Seen {
        self.backend.set(Behaviour::Fail);
        let seen = self.present(secret).await;
        self.backend.set(Behaviour::Behave);
        seen
    }

    async fn present_while_people_cannot_be_asked_for(&self, secret: &str) -> Seen {
        self.is_torn.store(true, Ordering::SeqCst);
        let seen = self.present(secret).await;
        self.is_torn.store(false, Ordering::SeqCst);
        seen
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// Has each of the targets observed in the same way, and returns what was seen of all of them.
async fn of_all<T: PartialEq + std::fmt::Debug>(observe: impl AsyncFn(&Observer) -> T) -> T {
    let mut seen = Vec::new();
    for target in TARGETS {
        seen.push(observe(&Observer::of(target).await).await);
    }
    for (target, of_target) in TARGETS.iter().zip(&seen) {
        assert_eq!(of_target, &seen[0], "{target} and {}", TARGETS[0]);
    }
    seen.remove(0)
}

#[tokio::test]
async fn a_rejected_password_is_not_hashed_again_once_the_absence_of_a_key_with_it_is_forgotten() {
    let passwords = light_passwords();
    let changes = Invalidator::new();
    let backend = Probe::over(store_with_ann(&passwords).await).invalidated_by(&changes);
    let authenticator = over(backend.clone(), passwords.clone());
    for user in [ANN, UNKNOWN] {
        assert_eq!(reason(&authenticator, user, "wrong").await, Reason::Unknown);
        changes.invalidate(Invalidation::Changed(Digester::sha256().digest(b"wrong")));
        let (reads, hashes) = (backend.reads(), passwords.hashes());
        assert_eq!(reason(&authenticator, user, "wrong").await, Reason::Unknown);
        assert_eq!((backend.reads() - reads, passwords.hashes() - hashes), (1, 0));
    }
}

/// An absence that is kept evicts another one, by which a client could tell that no user has the e-mail.
#[tokio::test]
async fn the_absence_of_a_user_is_not_kept() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let backend = Misbehaving::new(Probe::over(store.clone()));
    let authenticator = over(backend.clone(), passwords);
    let ann = present(&authenticator, ANN, SECRET).await.unwrap();
    store.change_owner(OwnerChange::delete_user(ANN, revocation())).await.unwrap();
    for _ in 0..2 {
        let reads = backend.reads();
        assert_eq!(ann.recheck().await.unwrap_err().reason(), &Reason::Unknown);
        assert_eq!(backend.reads() - reads, 1);
    }
}

#[tokio::test]
async fn a_wrong_password_asks_and_hashes_the_same_for_an_e_mail_that_no_person_has() {
    let seen = of_all(async |by| {
        let mut seen = vec![by.present("wrong").await];
        for seconds in [0, 1, 5, 60, 600] {
            by.wait(seconds);
            seen.push(by.present("wrong").await);
            seen.push(by.present(&format!("wrong {seconds}")).await);
        }
        seen
    });
    let costs: Vec<_> = seen.await.iter().map(|seen| (seen.status, seen.reads, seen.hashes)).collect();
    // The first is read and hashed. The same is remembered for as long as a key that does not exist, and read and hashed then.
    assert_eq!(costs[..5], [(401, 2, 1), (401, 0, 0), (401, 2, 1), (401, 0, 0), (401, 2, 1)]);
    assert_eq!(costs[5], (401, 2, 1));
}

#[tokio::test]
async fn a_password_that_was_changed_does_not_tell_that_a_person_has_the_e_mail() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let clock = Arc::new(ManualClock::new(support::START));
    let builder =
        Authenticator::builder(store.clone()).sources([Source::basic()]).passwords(passwords.clone());
    let authenticator = builder.with_clock(Arc::clone(&clock)).build().unwrap();
    let mut hashes = Vec::new();
    for round in 0..2 {
        for user in [ANN, "unknown@example.com"] {
            let before = passwords.hashes();
            assert_eq!(reason(&authenticator, user, "wrong").await, Reason::Unknown);
            hashes.push(passwords.hashes() - before);
        }
        let change =
            OwnerChange::set_password(ANN, Some(passwords.hash(&format!("{SECRET} {round}")).await.unwrap()));
        store.change_owner(change).await.unwrap();
        clock.advance(Duration::from_secs(6));
    }
    assert_eq!(hashes, [1, 1, 1, 1]);
}

#[tokio::test]
async fn an_outage_does_not_tell_which_e_mails_a_person_has() {
    let seen = of_all(async |by| {
        by.present("wrong").await;
        let mut seen = Vec::new();
        for seconds in [0, 4, 2, 60, 600] {
            by.wait(seconds);
            seen.push(by.present_in_an_outage("wrong").await);
            seen.push(by.present_in_an_outage("another").await);
        }
        seen
    });
    let statuses: Vec<_> = seen.await.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 503, 401, 503, 503, 503, 503, 503, 503, 503]);
}

#[tokio::test]
async fn a_store_that_answers_for_keys_alone_does_not_tell_which_e_mails_a_person_has() {
    let seen = of_all(async |by| {
        by.present("wrong").await;
        let mut seen = Vec::new();
        for seconds in [0, 6, 60] {
            by.wait(seconds);
            seen.push(by.present_while_people_cannot_be_asked_for("wrong").await);
            seen.push(by.present_while_people_cannot_be_asked_for("another").await);
        }
        seen
    });
    let statuses: Vec<_> = seen.await.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 503, 503, 503, 503, 503]);
}

#[tokio::test]
async fn a_password_that_was_rejected_is_right_from_the_moment_it_is_set() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    store.change_owner(OwnerChange::put_user(BOB)).await.unwrap();
    let authenticator = over(store.clone(), passwords.clone());
    for user in [ANN, BOB, UNKNOWN] {
        for _ in 0..2 {
            assert_eq!(reason(&authenticator, user, "new secret").await, Reason::Unknown, "{user}");
        }
        store.change_owner(OwnerChange::put_user(user)).await.unwrap();
        let change = OwnerChange::set_password(user, Some(passwords.hash("new secret").await.unwrap()));
        store.change_owner(change).await.unwrap();
        assert!(present(&authenticator, user, "new secret").await.is_ok(), "{user}");
    }
}

#[tokio::test]
async fn a_key_with_a_text_that_was_rejected_as_a_password_is_admitted_once_it_is_stored() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let authenticator = over(store.clone(), passwords);
    let text = "0123456789abcdef0123456789abcdef";
    for _ in 0..2 {
        assert_eq!(reason(&authenticator, ANN, text).await, Reason::Unknown);
    }
    let key = Key::foreign(text).with(|record| record.owner = Owner::user(ANN, []));
    let key = key.insert_into(&store).await;
    assert_eq!(present(&authenticator, ANN, text).await.unwrap().key_id(), key.id());
}

#[tokio::test]
async fn a_flood_of_made_up_e_mails_pushes_out_nothing_that_is_good() {
    let passwords = light_passwords();
    let backend = Misbehaving::new(store_with_ann(&passwords).await);
    let key = Key::mint().insert_into(backend.get_ref()).await;
    let builder = Authenticator::builder(backend.clone()).sources([Source::basic(), Source::bearer()]);
    let builder = builder.passwords(passwords.clone()).positive_capacity(4).negative_capacity(16);
    let (authenticator, _clock) = support::build(builder.deadline(Duration::from_secs(60)));
    let sign_in = async || {
        assert!(present(&authenticator, ANN, SECRET).await.is_ok());
        assert!(authenticator.authenticate(key.bearer().headers()).await.is_ok());
    };
    sign_in().await;
    for number in 0..500 {
        let email = format!("made-up-{number}@example.com");
        assert_eq!(reason(&authenticator, &email, &format!("guess {number}")).await, Reason::Unknown);
    }
    let (reads, hashes) = (backend.reads(), passwords.hashes());
    sign_in().await;
    assert_eq!((backend.reads(), passwords.hashes()), (reads, hashes));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_at_once_are_told_to_come_back() {
    let mut limits = PasswordLimits::default();
    (limits.concurrent, limits.waiting, limits.patience) = (1, 2, Duration::from_secs(60));
    let passwords = Passwords::with_limits(limits).unwrap();
    let authenticator = over(store_with_ann(&passwords).await, passwords);
    let mut requests = JoinSet::new();
    for number in 0..20 {
        let authenticator = authenticator.clone();
        requests.spawn(async move { reason(&authenticator, ANN, &format!("guess {number}")).await });
    }
    let answers = requests.join_all().await;
    let count = |wanted| answers.iter().filter(|&answer| *answer == wanted).count();
    assert!(count(Reason::Unavailable) > 0, "{answers:?}");
    assert!(count(Reason::Unknown) >= 3, "{answers:?}");
    assert_eq!(count(Reason::Unavailable) + count(Reason::Unknown), 20, "{answers:?}");
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
}

#[tokio::test]
async fn keys_are_admitted_while_passwords_queue() {
    let mut limits = PasswordLimits::default();
    (limits.memory, limits.concurrent, limits.waiting) = (256 * 1024, 1, 0);
    let passwords = Passwords::with_limits(limits).unwrap();
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    let authenticator = over(store, passwords);
    let slow = tokio::spawn({
        let authenticator = authenticator.clone();
        async move { reason(&authenticator, ANN, "guess").await }
    });
    let mut admitted = 0;
    while !slow.is_finished() {
        assert!(authenticator.authenticate(key.bearer().headers()).await.is_ok());
        admitted += 1;
        tokio::task::yield_now().await;
    }
    assert!(admitted > 10, "{admitted} while one password was hashed");
    assert_eq!(slow.await.unwrap(), Reason::Unknown);
}

#[tokio::test]
async fn a_hash_of_less_work_is_replaced_when_its_password_is_verified() {
    let weak = light_passwords();
    let store = store_with_ann(&weak).await;
    let mut more = light();
    more.passes = 3;
    let strong = Passwords::with_limits(more).unwrap();
    let authenticator = over(store.clone(), strong);
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
    let renewed = async || {
        let record = format!("{:?}", store.find_user(ANN).await.unwrap().unwrap());
        assert!(!record.contains("argon2"), "{record}");
        hash_of(&store).await.contains("t=3")
    };
    let patience = tokio::time::timeout(Duration::from_secs(30), async {
        while !renewed().await {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("the hash is renewed");
    assert!(present(&authenticator, ANN, SECRET).await.is_ok());
    assert_eq!(reason(&authenticator, ANN, "wrong").await, Reason::Unknown);
}

/// The hash that a store keeps, as no public way leads to it: the one among some that it takes for its own.
async fn hash_of(store: &MemoryStore) -> String {
    let ann = store.find_user(ANN).await.unwrap().unwrap();
    ann.password_hash().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_hash_is_replaced_only_by_one_of_the_same_password() {
    let passwords = light_passwords();
    let store = store_with_ann(&passwords).await;
    let first = hash_of(&store).await;
    let (first, other) = (PasswordHash::new(&first).unwrap(), passwords.hash("other").await.unwrap());
    store.change_owner(OwnerChange::set_password(ANN, Some(other.clone()))).await.unwrap();
    let write = WriteBack::PasswordHash {
        email: ANN.into(),
        from: first.clone(),
        to: passwords.hash(SECRET).await.unwrap(),
    };
    store.write_back(write).await.unwrap();
    assert_eq!(hash_of(&store).await, other.as_str());
}

#[tokio::test]
async fn mistakes_are_told_when_the_verifier_is_made() {
    type MakeWrong = fn(&mut PasswordLimits);
    let wrong: [(MakeWrong, &str); 5] = [
        (|limits| limits.memory = 7, "memory of a hash in KiB must be 8 to 1048576, got 7"),
        (|limits| limits.passes = 0, "passes of a hash must be 1 to 100, got 0"),
        (|limits| limits.concurrent = 0, "hashes at a time must be 1 to 1000, got 0"),
        (|limits| limits.patience = Duration::ZERO, "patience in milliseconds must be 1 to 60000, got 0"),
        (|limits| limits.patience = Duration::from_secs(61), "got 61000"),
    ];
    for (make_wrong, message) in wrong {
        let mut limits = PasswordLimits::default();
        make_wrong(&mut limits);
        let error = Passwords::with_limits(limits).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Limit);
        assert!(error.to_string().contains(message), "{error}");
    }
    let empty = light_passwords().hash("").await.unwrap_err();
    assert_eq!(empty.kind(), PasswordErrorKind::Empty);
    let not_a_hash = PasswordHash::new(SECRET).unwrap_err().to_string();
    assert!(!not_a_hash.contains(SECRET), "{not_a_hash}");
}

/// Wall time, so the margin is wide: a person who does not exist would take a thousandth of the time without the work.
#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the time that an answer takes is what is tested")]
async fn people_who_do_not_exist_take_as_long_as_those_who_do() {
    let passwords = Passwords::new().unwrap();
    let authenticator = over(store_with_ann(&passwords).await, passwords);
    let mut shortest = [Duration::MAX; 2];
    for round in 0..8 {
        for (user, shortest) in [ANN, "unknown@example.com"].into_iter().zip(&mut shortest) {
            let began = Instant::now();
            assert_eq!(reason(&authenticator, user, &format!("guess {round}")).await, Reason::Unknown);
            *shortest = began.elapsed().min(*shortest);
        }
    }
    let [known, unknown] = shortest.map(|time| time.as_secs_f64());
    assert!((0.5..2.0).contains(&(unknown / known)), "{unknown} s against {known} s");
    // Neither do further attempts with the same guess.
    for user in [ANN, "unknown@example.com"] {
        let began = Instant::now();
        assert_eq!(reason(&authenticator, user, "guess 0").await, Reason::Unknown);
        assert!(began.elapsed().as_secs_f64() < known / 2.0, "{user}");
    }
}
