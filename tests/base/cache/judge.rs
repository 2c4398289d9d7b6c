//! What speaks against a key that exists, and what a principal can reach.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use support::{Body, Key, START, build, request};
use tower_api_key::credential::{Scheme, Source};
use tower_api_key::digest::Digester;
use tower_api_key::key::KeyFormat;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::principal::Resource;
use tower_api_key::record::{Disabling, Revocation};
use tower_api_key::reject::Forbidden;
use tower_api_key::{
    Authenticator, AuthenticatorBuilder, Environment, MemoryStore, Owner, Principal, Reason, Record,
    Requirement, Scopes,
};

fn all_sources(store: MemoryStore) -> AuthenticatorBuilder {
    let sources = [Source::bearer(), Source::basic(), Source::x_api_key(), Source::memfault_project_key()];
    Authenticator::builder(store).sources(sources)
}

async fn admit(builder: AuthenticatorBuilder, request: Request<Body>) -> Result<Principal, Reason> {
    let (authenticator, _clock) = build(builder);
    let outcome = authenticator.authenticate(request.headers()).await;
    outcome.map_err(|rejection| rejection.reason().clone())
}

fn basic(user: &str, secret: &str) -> Request<Body> {
    request("authorization", &format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))))
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_rejected() {
    let store = MemoryStore::new();
    let revoked = Key::mint()
        .with(|record| record.revoked = Some(Revocation::new(START, "")))
        .insert_into(&store)
        .await;
    let expired = Key::mint().with(|record| record.expires_at = Some(START)).insert_into(&store).await;
    assert_eq!(admit(all_sources(store.clone()), revoked.bearer()).await.unwrap_err(), Reason::Revoked);
    assert_eq!(admit(all_sources(store), expired.bearer()).await.unwrap_err(), Reason::Expired);
}

#[tokio::test]
async fn a_disabled_key_is_rejected_for_the_reason_that_lasts_longest() {
    let store = MemoryStore::new();
    let disabled = |fill: fn(&mut Record)| {
        Key::mint().with(|record| {
            record.disabled = Some(Disabling::new(START, ""));
            record.environment = Environment::Test;
            fill(record);
        })
    };
    for (key, reason) in [
        (disabled(|record| record.revoked = Some(Revocation::new(START, ""))), Reason::Revoked),
        (disabled(|record| record.expires_at = Some(START)), Reason::Expired),
        (disabled(|_| {}), Reason::Disabled),
    ] {
        let key = key.insert_into(&store).await;
        let live = all_sources(store.clone()).environment(Environment::Live);
        assert_eq!(admit(live, key.bearer()).await.unwrap_err(), reason);
    }
}

#[tokio::test]
async fn the_record_decides_the_environment_and_not_the_text() {
    let store = MemoryStore::new();
    let live_text =
        Key::mint().with(|record| record.environment = Environment::Test).insert_into(&store).await;
    assert!(live_text.text.starts_with("demo_live_"));
    let live = all_sources(store.clone()).environment(Environment::Live);
    assert_eq!(admit(live, live_text.bearer()).await.unwrap_err(), Reason::WrongEnvironment);
    let test = all_sources(store.clone()).environment(Environment::Test);
    assert_eq!(admit(test, live_text.bearer()).await.unwrap().environment(), Environment::Test);
    assert!(admit(all_sources(store), live_text.bearer()).await.is_ok());
}

#[tokio::test]
async fn a_key_of_one_source_is_rejected_from_another() {
    let store = MemoryStore::new();
    let header = Source::memfault_project_key().scheme().clone();
    let key =
        Key::foreign("project").with(|record| record.sources = [header].into()).insert_into(&store).await;
    let by_header = request("Memfault-Project-Key", &key.text);
    assert!(admit(all_sources(store.clone()), by_header).await.is_ok());
    assert_eq!(admit(all_sources(store.clone()), key.bearer()).await.unwrap_err(), Reason::WrongSource);
    assert_eq!(admit(all_sources(store), key.x_api_key()).await.unwrap_err(), Reason::WrongSource);
}

#[tokio::test]
async fn the_user_beside_a_key_must_be_its_owner() {
    let store = MemoryStore::new();
    let owner = Owner::user("User@Example.com", []);
    let key = Key::foreign("0123456789abcdef").with(|record| record.owner = owner).insert_into(&store).await;
    for user in ["user@example.com", "USER@EXAMPLE.COM"] {
        let principal = admit(all_sources(store.clone()), basic(user, &key.text)).await.unwrap();
        assert_eq!(principal.scheme(), &Scheme::Basic);
    }
    // The first two are of the right length; the differences of the second would cancel each other out.
    let others =
        ["uses@example.com", "uses@exampme.com", "other@example.com", "user@example.co", "user@example.com."];
    for user in others.into_iter().chain(["\u{212a}ser@example.com"]) {
        let outcome = admit(all_sources(store.clone()), basic(user, &key.text)).await;
        assert_eq!(outcome.unwrap_err(), Reason::WrongOwner, "{user}");
    }
}

#[tokio::test]
async fn an_empty_user_is_for_owners_without_an_e_mail_and_only_where_asked_for() {
    let store = MemoryStore::new();
    let organization = Key::foreign("oat_organization").insert_into(&store).await;
    let user = Key::foreign("key-of-a-user").with(|record| record.owner = Owner::user("a@example.com", []));
    let user = user.insert_into(&store).await;
    let lenient = || Authenticator::builder(store.clone()).sources([Source::basic().empty_user()]);
    let strict = || Authenticator::builder(store.clone()).sources([Source::basic()]);
    assert!(admit(lenient(), basic("", &organization.text)).await.is_ok());
    assert_eq!(admit(lenient(), basic("", &user.text)).await.unwrap_err(), Reason::WrongOwner);
    assert_eq!(
        admit(lenient(), basic("a@example.com", &organization.text)).await.unwrap_err(),
        Reason::WrongOwner
    );
    assert_eq!(admit(strict(), basic("", &organization.text)).await.unwrap_err(), Reason::Malformed);
}

#[tokio::test]
async fn a_source_with_a_format_looks_nothing_up_for_other_texts() {
    let store = MemoryStore::new();
    let minted = Key::mint().insert_into(&store).await;
    let foreign = Key::foreign("foreign").insert_into(&store).await;
    let demo = || KeyFormat::new("demo").unwrap();
    let strict = || Authenticator::builder(store.clone()).sources([Source::bearer().format(demo())]);
    let both = || Authenticator::builder(store.clone()).sources([Source::bearer().format(demo()).foreign()]);
    assert!(admit(strict(), minted.bearer()).await.is_ok());
    assert_eq!(admit(strict(), foreign.bearer()).await.unwrap_err(), Reason::Malformed);
    assert!(admit(both(), minted.bearer()).await.is_ok());
    assert!(admit(both(), foreign.bearer()).await.is_ok());
    let mistyped = Key::foreign(&minted.text.replace("live", "test"));
    assert_eq!(admit(both(), mistyped.bearer()).await.unwrap_err(), Reason::Malformed);
}

#[tokio::test]
async fn a_key_is_known_only_to_the_digester_that_it_was_stored_under() {
    let store = MemoryStore::new();
    let peppered = || Digester::hmac_sha256(&[7; 32]).unwrap();
    let key = Key::mint();
    let digest = peppered().digest(key.text.as_bytes());
    let key = key.with(|record| record.digest = digest).insert_into(&store).await;
    assert!(admit(all_sources(store.clone()).digester(peppered()), key.bearer()).await.is_ok());
    assert_eq!(admit(all_sources(store), key.bearer()).await.unwrap_err(), Reason::Unknown);
}

#[tokio::test]
async fn the_keys_of_a_disabled_organization_are_forbidden() {
    let store = MemoryStore::new();
    let mut organization = Organization::new("acme");
    organization.disabled = true;
    let owner = Owner::project(organization, "smart-sink");
    let key = Key::mint().with(|record| record.owner = owner).insert_into(&store).await;
    let reason = admit(all_sources(store), key.bearer()).await.unwrap_err();
    assert_eq!(reason, Reason::Forbidden(Forbidden::OrganizationDisabled));
}

#[tokio::test]
async fn what_a_principal_can_reach_follows_from_its_owner() {
    let organization = |id: &str| Organization::new(id);
    let mut sso = organization("sso");
    sso.requires_sso = true;
    let mut closed = organization("closed");
    closed.disabled = true;
    let scopes = |list: &str| Scopes::parse(list).unwrap();
    let memberships = [
        Membership::new(organization("acme"), "reader", scopes("notes.read")),
        Membership::new(organization("beta"), "manager", scopes("*")),
        Membership::new(sso, "manager", scopes("*")),
        Membership::new(closed, "manager", scopes("*")),
    ];
    let principal = async |owner: Owner, granted: &str| {
        let store = MemoryStore::new();
        let key = Key::mint().scopes(granted).with(|record| record.owner = owner).insert_into(&store).await;
        admit(all_sources(store), key.bearer()).await.unwrap()
    };
    let read = Requirement::all_of(["notes.read"]).unwrap();
    let write = Requirement::all_of(["notes.write"]).unwrap();
    let in_organization = Resource::Organization;
    let project = |organization, project| Resource::Project { organization, project };

    let authorize = |caller: &Principal, needed, resource| {
        caller.authorize(needed, resource).map_err(|rejection| rejection.reason().clone())
    };

    let user = principal(Owner::user("a@example.com", memberships), "notes.*").await;
    assert_eq!(authorize(&user, &read, in_organization("acme")), Ok(()));
    assert_eq!(authorize(&user, &write, in_organization("acme")), Err(Reason::MissingScope(write.clone())));
    assert_eq!(authorize(&user, &write, project("beta", "any")), Ok(()));
    assert_eq!(
        authorize(&user, &read, in_organization("sso")),
        Err(Reason::Forbidden(Forbidden::SsoRequired))
    );
    assert_eq!(
        authorize(&user, &read, in_organization("closed")),
        Err(Reason::Forbidden(Forbidden::OrganizationDisabled))
    );
    assert_eq!(
        authorize(&user, &read, in_organization("other")),
        Err(Reason::Forbidden(Forbidden::Organization))
    );
    let reached: Vec<_> = user.organizations().map(|organization| &*organization.id).collect();
    assert_eq!(reached, ["acme", "beta"]);
    let other = Requirement::all_of(["export.read"]).unwrap();
    let denied = Err(Reason::MissingScope(other.clone()));
    assert_eq!(
        authorize(&user, &other, in_organization("beta")),
        denied,
        "the key limits what the role grants"
    );

    let token = principal(Owner::organization("acme"), "notes.read").await;
    assert_eq!(authorize(&token, &read, project("acme", "any")), Ok(()));
    assert_eq!(
        authorize(&token, &read, in_organization("beta")),
        Err(Reason::Forbidden(Forbidden::Organization))
    );
    assert_eq!(authorize(&token, &write, in_organization("acme")), Err(Reason::MissingScope(write.clone())));

    let device = principal(Owner::project(organization("acme"), "smart-sink"), "notes.read").await;
    assert_eq!(authorize(&device, &read, project("acme", "smart-sink")), Ok(()));
    assert_eq!(
        authorize(&device, &read, project("acme", "other")),
        Err(Reason::Forbidden(Forbidden::Project))
    );
    assert_eq!(
        authorize(&device, &read, in_organization("acme")),
        Err(Reason::Forbidden(Forbidden::Project))
    );
    assert_eq!(
        authorize(&device, &read, project("beta", "smart-sink")),
        Err(Reason::Forbidden(Forbidden::Organization))
    );
}

#[tokio::test]
async fn a_rejection_tells_what_its_client_is_told() {
    let (authenticator, _clock) = support::authenticator(MemoryStore::new());
    let rejection = authenticator.authenticate(Key::mint().bearer().headers()).await.unwrap_err();
    assert_eq!(rejection.to_string(), "Invalid API key");
}

#[tokio::test]
async fn there_may_be_255_sources_and_the_last_one_is_one_of_them() {
    let sources = |count: usize| (0..count).map(|number| Source::header(&format!("x-{number}")).unwrap());
    let builder = |count| Authenticator::builder(MemoryStore::new()).sources(sources(count));
    assert!(builder(256).build().unwrap_err().to_string().contains("got 256"));
    assert!(builder(257).build().is_err());

    let store = MemoryStore::new();
    let key = Key::foreign("0123456789abcdef").insert_into(&store).await;
    let authenticator = Authenticator::builder(store).sources(sources(255));
    let principal = admit(authenticator, request("x-254", &key.text)).await.unwrap();
    assert_eq!(principal.scheme().to_string(), "x-254");
}

#[test]
fn an_invalid_configuration_is_an_error_when_it_is_built() {
    use std::time::Duration;
    use tower_api_key::error::ConfigErrorKind::{Limit, Realm, Sources, Value};

    let builder = || Authenticator::builder(MemoryStore::new());
    let kind = |builder: AuthenticatorBuilder| builder.build().map(drop).unwrap_err().kind();
    assert_eq!(kind(builder().sources([])), Sources);
    assert_eq!(kind(builder().sources([Source::bearer(), Source::bearer()])), Sources);
    assert_eq!(kind(builder().sources([Source::x_api_key(), Source::header("X-Api-Key").unwrap()])), Sources);
    assert_eq!(kind(builder().realm("caf\u{e9}")), Realm);
    assert_eq!(kind(builder().admin_scope("two words")), Value);
    assert_eq!(kind(builder().deadline(Duration::ZERO)), Limit);
    assert_eq!(kind(builder().max_concurrent_lookups(0)), Limit);
    assert_eq!(kind(builder().max_concurrent_lookups(usize::MAX)), Limit);
    assert_eq!(kind(builder().negative_ttl(Duration::from_secs(61))), Limit);
    assert_eq!(kind(builder().positive_ttl(Duration::MAX)), Limit);
    assert_eq!(kind(builder().deadline(Duration::MAX)), Limit);
    assert_eq!(kind(builder().retry_after(Duration::from_millis(1500))), Limit);
    for name in ["", "a b", "Authorization", "cookie", "caf\u{e9}"] {
        assert_eq!(Source::header(name).unwrap_err().kind(), Sources, "{name}");
    }
}
