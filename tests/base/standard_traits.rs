//! Standard traits: each value reads its own text, texts that break a rule are refused by naming it, and no secret has a text.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use tower_api_key::backend::{BackendError, KeyFilter, KeyUpdate, MemoryStore, UsageQuery};
use tower_api_key::clock::Day;
use tower_api_key::digest::Digester;
use tower_api_key::owner::{Organization, User};
use tower_api_key::record::{Disabling, KeyState, Revocation};
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, KeyFormat, KeyId, Owner, Record, Requirement, Scope,
    Scopes, Source, Timestamp,
};

const READ: Scope = Scope::from_static("notes.read");
const WRITE: Scope = Scope::from_static("notes.write");

/// A value that has one text.
trait Text:
    Debug
    + Display
    + PartialEq
    + FromStr<Err: Error>
    + for<'t> TryFrom<&'t str, Error: Error>
    + TryFrom<String, Error: Error>
{
}

impl<T> Text for T where
    T: Debug
        + Display
        + PartialEq
        + FromStr<Err: Error>
        + for<'t> TryFrom<&'t str, Error: Error>
        + TryFrom<String, Error: Error>
{
}

/// Asserts that a text is that of a value of type `T`, in both directions.
fn reads<T: Text>(text: &str) -> T {
    let value: T = text.parse().unwrap();
    assert_eq!(value.to_string(), text);
    assert_eq!(T::try_from(text).unwrap(), value);
    assert_eq!(T::try_from(text.to_owned()).unwrap(), value);
    value
}

/// Asserts that a text is refused with a message that names the rule and does not show the text.
fn refuses<T: Text>(text: &str, rule: &str) {
    let error = text.parse::<T>().unwrap_err().to_string();
    assert!(error.contains(rule), "{text:?}: {error}");
    assert!(error.contains(" is invalid: must "), "{text:?}: {error}");
    assert!(text.len() < 5 || !error.contains(text), "{text:?}: {error}");
    assert!(T::try_from(text).is_err() && T::try_from(text.to_owned()).is_err(), "{text:?}");
}

#[test]
fn every_value_reads_its_text() {
    assert_eq!(reads::<KeyId>("key_1"), KeyId::new("key_1").unwrap());
    assert_eq!(reads::<Scope>("notes.read"), READ);
    assert_eq!(reads::<Scopes>("notes.read notes.write"), Scopes::from([READ, WRITE]));
    assert_eq!(reads::<Scopes>(""), Scopes::default());
    assert_eq!(reads::<Environment>("live"), Environment::Live);
    assert_eq!(reads::<Environment>("test"), Environment::Test);
    assert_eq!(reads::<KeyState>("active"), KeyState::Active);
    assert_eq!(reads::<KeyState>("disabled"), KeyState::Disabled);
    assert_eq!(reads::<KeyState>("expired"), KeyState::Expired);
    assert_eq!(reads::<KeyState>("revoked"), KeyState::Revoked);
    assert_eq!(reads::<KeyFormat>("mem_pool"), KeyFormat::new("mem_pool").unwrap());
    assert_eq!(reads::<Day>("2027-01-15"), Day::from_unix_days(20_833));
    for (text, millis) in [
        ("2027-01-15T08:00:00Z", 1_800_000_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2000-02-29T23:59:59.05Z", 951_868_799_050),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59.9Z", 253_402_300_799_900),
    ] {
        assert_eq!(reads::<Timestamp>(text), Timestamp::from_unix_millis(millis), "{text}");
    }
}

#[test]
fn a_text_that_breaks_a_rule_is_refused_by_naming_it() {
    refuses::<KeyId>("", "1 to 64 letters");
    refuses::<KeyId>("key 1", "1 to 64 letters");
    refuses::<KeyId>("..", "not `.` or `..`");
    refuses::<Scope>("", "visible ASCII");
    refuses::<Scope>("two words", "visible ASCII");
    refuses::<Scopes>("notes.read b\"", "visible ASCII");
    refuses::<Environment>("Live", "`live` or `test`");
    refuses::<Environment>("", "`live` or `test`");
    refuses::<KeyState>("Active", "`active`, `disabled`, `expired` or `revoked`");
    refuses::<KeyFormat>("Mem", "1 to 32 characters");
    refuses::<Day>("2027-02-29", "`2030-01-31`");
    for text in [
        "",
        "2027-01-15",
        "2027-01-15T08:00:00",
        "2027-01-15 08:00:00Z",
        "2027-01-15T08:00Z",
        "2027-01-15T24:00:00Z",
        "2027-01-15T08:60:00Z",
        "2027-01-15T08:00:60Z",
        "2027-01-15T08:00:00.Z",
        "2027-01-15T08:00:00,5Z",
        "2027-01-15T08:00:00+0100",
        "2027-01-15T08:00:00+24:00",
        "2027-01-15T08:00:00+01:60",
        "2027-01-15T08:00:00Z ",
        "2027-02-29T08:00:00Z",
        "+027-01-15T08:00:00Z",
        "12027-01-15T08:00:00Z",
        "２０２７-01-15T08:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00+00:01",
        "1800000000",
    ] {
        refuses::<Timestamp>(text, "RFC 3339");
    }
}

#[test]
fn a_time_may_have_an_offset_further_digits_and_a_leap_second() {
    for (text, same) in [
        ("2027-01-15t09:30:00.2599999999999999999z", "2027-01-15T09:30:00.259Z"),
        ("2027-01-15T09:30:00.5+01:30", "2027-01-15T08:00:00.5Z"),
        ("2027-01-15T08:00:00-00:00", "2027-01-15T08:00:00Z"),
        ("1970-01-01T00:00:00-23:59", "1970-01-01T23:59:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("2017-01-01T00:59:60.25+01:00", "2016-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), same, "{text}");
    }
}

#[test]
fn a_time_that_rfc_3339_cannot_express_has_a_text_that_is_not_read() {
    for millis in [i64::MIN, -62_167_219_200_001, 253_402_300_800_000, i64::MAX] {
        let text = Timestamp::from_unix_millis(millis).to_string();
        assert!(text.ends_with('Z') && text.parse::<Timestamp>().is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_time_is_written_as_another_library_writes_it(millis in -62_167_219_200_000_i64..253_402_300_800_000) {
        let time = Timestamp::from_unix_millis(millis);
        let other = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
        prop_assert_eq!(time.to_string(), other.format(&Rfc3339).unwrap());
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn a_time_is_read_as_another_library_reads_it(
        text in r"(19[67][0-9]|[0-9]{4})-(0[0-9]|1[0-3])-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9]:([0-5][0-9]|60)(\.[0-9]{0,12})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])",
        cut in 0..3_usize,
    ) {
        let text = &text[..text.len() - cut.saturating_sub(1)];
        let other = OffsetDateTime::parse(text, &Rfc3339).ok();
        let other = other.and_then(|time| time.checked_to_offset(UtcOffset::UTC));
        // The other library cuts times before 1970 off upwards, and keeps years before 0000.
        let millis = other.map(|time| time.unix_timestamp_nanos().div_euclid(1_000_000) as i64);
        let millis = millis.filter(|millis| *millis >= -62_167_219_200_000);
        prop_assert_eq!(text.parse().ok().map(Timestamp::unix_millis), millis, "{}", text);
    }
}

#[test]
fn a_requirement_is_read_from_a_list_or_made_of_a_scope() {
    let both: Requirement = "notes.read notes.write".parse().unwrap();
    assert_eq!(both, Requirement::all_of([READ, WRITE]).unwrap());
    assert_eq!(Requirement::from(READ), Requirement::try_from("notes.read").unwrap());
    let error = "".parse::<Requirement>().unwrap_err();
    assert_eq!(error.to_string(), "requirement is invalid: must have at least one scope");
}

#[test]
fn a_constant_scope_equals_the_one_that_is_read() {
    let read: Scope = "notes.read".parse().unwrap();
    assert_eq!((READ, HashMap::from([(READ, 1)]).get(&read)), (read.clone(), Some(&1)));
    assert!(READ < WRITE && Scope::from_static("notes.*").covers(&read));
    assert_eq!(Scopes::from([WRITE, READ, WRITE]).to_string(), "notes.write notes.read");
    let error = std::panic::catch_unwind(|| Scope::from_static("")).unwrap_err();
    assert!(error.downcast_ref::<&str>().unwrap().contains("must not be empty"));
}

#[test]
fn values_lend_their_text_and_respect_a_width() {
    let id = KeyId::new("key_1").unwrap();
    let format = KeyFormat::new("mem").unwrap();
    let texts: [&dyn AsRef<str>; 5] = [&id, &READ, &Environment::Test, &KeyState::Active, &format];
    assert_eq!(texts.map(AsRef::as_ref), ["key_1", "notes.read", "test", "active", "mem"]);
    assert_eq!(
        format!("{id:8}|{READ:12}|{:6}|{:>8}|{format:4}|", Environment::Test, KeyState::Active),
        "key_1   |notes.read  |test  |  active|mem |"
    );
}

#[test]
fn records_are_built_from_setters() {
    let (id, at) = (KeyId::new("key_1").unwrap(), Timestamp::from_unix_millis(1));
    let digest = Digester::sha256().digest(b"text");
    let mut record = Record::imported(id.clone(), digest, Owner::organization("acme"));
    let built = record
        .clone()
        .hint("demo...")
        .name("CI")
        .environment(Environment::Test)
        .scopes([READ, WRITE].into())
        .sources([Source::bearer(), Source::basic()])
        .created_at(at)
        .created_by("ann")
        .expires_at(at)
        .revoked(Revocation::new(at, "lost").by("ann"))
        .disabled(Disabling::new(at, "seen").by("ben").unlocked())
        .rotated_from(id.clone())
        .rotated_to(id.clone())
        .last_used_at(at)
        .first_use_grace(std::time::Duration::from_secs(1))
        .retrievable(tower_api_key::key::RetrievableKey::new("text"))
        .metadata([("plan", "pro")])
        .labels([("team", "infra")]);
    record.hint = "demo...".into();
    record.name = "CI".into();
    record.environment = Environment::Test;
    record.scopes = Scopes::parse("notes.read notes.write").unwrap();
    record.sources = [Source::bearer().into(), Source::basic().into()].into();
    (record.created_at, record.expires_at, record.last_used_at) = (Some(at), Some(at), Some(at));
    record.created_by = Some("ann".into());
    record.revoked = Some(Revocation::new(at, "lost").by("ann"));
    let mut disabling = Disabling::new(at, "seen");
    (disabling.by, disabling.locked) = (Some("ben".into()), false);
    record.disabled = Some(disabling);
    (record.rotated_from, record.rotated_to) = (Some(id.clone()), Some(id));
    record.first_use_grace = Some(std::time::Duration::from_secs(1));
    record.retrievable = Some(tower_api_key::key::RetrievableKey::new("text"));
    record.metadata = [("plan".to_owned(), "pro".to_owned())].into();
    record.labels = [("team".to_owned(), "infra".to_owned())].into();
    assert_eq!(built, record);
}

#[test]
fn updates_filters_and_queries_are_built_from_setters() {
    let at = Timestamp::from_unix_millis(1);
    let update = KeyUpdate::new().scopes(READ.into()).expires_at(at).metadata([("plan", "pro")]).by("ann");
    assert_eq!((update.scopes, update.expires_at), (Some(Scopes::from(READ)), Some(Some(at))));
    assert_eq!(
        (update.metadata.map(|map| map["plan"].clone()), update.by),
        (Some("pro".into()), Some("ann".into()))
    );

    let filter =
        KeyFilter::of_organization("acme").outside_projects().created_before(at).starts_with("demo_");
    assert!(filter.outside_projects);
    assert_eq!((filter.created_before, filter.starts_with.as_deref()), (Some(at), Some("demo_")));

    let query = UsageQuery::new(at.into(), at.into()).of_user("Ann@Example.com").of_project("acme", "sink");
    assert_eq!(
        (query.user.as_deref(), query.organization.as_deref()),
        (Some("ann@example.com"), Some("acme"))
    );
    assert_eq!(query.project.as_deref(), Some("sink"));

    let organization = Organization::new("acme").disabled(true).requires_sso(true);
    assert!(organization.disabled && organization.requires_sso);
}

#[test]
fn new_keys_are_built_from_setters() {
    use tower_api_key::backend::Grace;
    use tower_api_key::manage::{NewKey, RotateOptions};

    let at = Timestamp::from_unix_millis(1);
    let new =
        NewKey::for_organization("acme").created_by("ann").metadata([("plan", "pro")]).labels([("a", "b")]);
    assert_eq!((&new.owner, new.created_by.as_deref()), (&Owner::organization("acme"), Some("ann")));
    assert_eq!((new.metadata["plan"].as_str(), new.labels["a"].as_str()), ("pro", "b"));
    assert_eq!(NewKey::for_project("acme", "sink").owner.to_string(), "project acme/sink");
    assert_eq!(NewKey::for_user("Ann@Example.com").owner, Owner::user("ann@example.com", []));

    let options = RotateOptions::new(Grace::None).expires_at(at).by("ann");
    assert_eq!((options.expires_at, options.by.as_deref()), (Some(at), Some("ann")));
}

#[test]
fn an_authenticator_is_made_of_any_backend() {
    let store = MemoryStore::new();
    let authenticator = Authenticator::new(store.clone());
    assert!(authenticator.health().is_ready());
    let layers = [
        AuthenticateLayer::new(authenticator),
        AuthenticateLayer::new(store.clone()),
        AuthenticateLayer::new(std::sync::Arc::new(store)),
    ];
    assert_eq!(layers.len(), 3);
}

#[test]
fn errors_have_their_cause_as_source() {
    let error = BackendError::unavailable(std::io::Error::other("no route"));
    assert!(error.source().unwrap().is::<std::io::Error>());
    assert!(BackendError::not_found().source().is_none());
    let error = tower_api_key::manage::ManageError::from(error);
    assert!(error.source().unwrap().is::<std::io::Error>());
}

/// Fails to compile if a type implements a trait: then two implementations of `Unless` apply, and `_` is ambiguous.
macro_rules! assert_not_implemented {
    ($trait:path: $($type:ty),+ $(,)?) => {
        const _: fn() = || {
            trait Unless<A> {
                fn check() {}
            }
            struct Implemented;
            impl<T: ?Sized> Unless<()> for T {}
            impl<T: ?Sized + $trait> Unless<Implemented> for T {}
            $(<$type as Unless<_>>::check();)+
        };
    };
}

assert_not_implemented!(Display:
    tower_api_key::key::ApiKey,
    tower_api_key::key::RevealedKey,
    tower_api_key::key::RetrievableKey,
    tower_api_key::digest::Digest,
    Digester,
    tower_api_key::owner::PasswordHash,
    tower_api_key::credential::Credential<'static>,
    Record,
    User,
);

assert_not_implemented!(Display: tower_api_key::manage::CreatedKey, tower_api_key::manage::NewKey);

#[cfg(feature = "serde")]
mod by_serde {
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    assert_not_implemented!(Serialize:
        tower_api_key::key::ApiKey,
        tower_api_key::key::RevealedKey,
        tower_api_key::key::RetrievableKey,
        tower_api_key::digest::Digest,
        Digester,
        tower_api_key::owner::PasswordHash,
        tower_api_key::credential::Credential<'static>,
        Record,
        Owner,
        User,
        tower_api_key::owner::Membership,
        tower_api_key::Principal,
        tower_api_key::backend::Rotation,
    );

    assert_not_implemented!(Serialize: tower_api_key::manage::CreatedKey);

    /// Asserts that a value and its JSON stand for each other.
    fn stands_for<T: Debug + PartialEq + Serialize + DeserializeOwned>(value: &T, json: Value) {
        assert_eq!(to_value(value).unwrap(), json);
        assert_eq!(&from_value::<T>(json).unwrap(), value);
    }

    #[test]
    fn every_value_is_its_text_in_json() {
        stands_for(&KeyId::new("key_1").unwrap(), json!("key_1"));
        stands_for(&READ, json!("notes.read"));
        stands_for(&Scopes::from([READ, WRITE]), json!(["notes.read", "notes.write"]));
        stands_for(&Scopes::default(), json!([]));
        stands_for(&Environment::Test, json!("test"));
        stands_for(&KeyState::Revoked, json!("revoked"));
        stands_for(&KeyFormat::new("mem").unwrap(), json!("mem"));
        stands_for(&Timestamp::from_unix_millis(1_800_000_000_500), json!("2027-01-15T08:00:00.5Z"));
        stands_for(&Day::from_unix_days(20_833), json!("2027-01-15"));
        stands_for(&HashMap::from([(KeyId::new("key_1").unwrap(), 1)]), json!({ "key_1": 1 }));
        assert_eq!(
            from_value::<Scopes>(json!("notes.read notes.write")).unwrap(),
            Scopes::from([READ, WRITE])
        );
    }

    /// Asserts that JSON is refused with this message.
    fn refuses<T: Debug + DeserializeOwned>(json: Value, message: &str) {
        let by_text = serde_json::from_str::<T>(&json.to_string()).unwrap_err();
        for error in [from_value::<T>(json).unwrap_err(), by_text] {
            let error = error.to_string();
            assert!(error.contains(message) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn json_that_breaks_a_rule_is_refused_without_showing_it() {
        refuses::<KeyId>(json!("a secret"), "key id is invalid: must be");
        refuses::<KeyId>(json!(1), "expected a key id");
        refuses::<Scope>(json!("a secret"), "scope is invalid: must be");
        refuses::<Scopes>(json!(["a", "a secret"]), "scope is invalid: must be");
        refuses::<Scopes>(json!("secret\\"), "scope is invalid: must be");
        refuses::<Scopes>(json!({ "secret": 1 }), "expected a list of scopes");
        refuses::<Environment>(json!("secret"), "environment is invalid: must be `live` or `test`");
        refuses::<KeyState>(json!(null), "expected `active`, `disabled`, `expired` or `revoked`");
        refuses::<KeyFormat>(json!("a secret"), "key prefix is invalid: must be");
        refuses::<Timestamp>(json!("secret"), "time is invalid: must be a time of RFC 3339");
        refuses::<Timestamp>(json!(1_800_000_000), "expected a time of RFC 3339");
        refuses::<Day>(json!("secret"), "day is invalid: must be a day");
    }

    #[test]
    fn a_time_that_rfc_3339_cannot_express_is_not_serialized() {
        let last = Timestamp::from_unix_millis(i64::MAX);
        assert!(to_value(last).unwrap_err().to_string().contains("years 0000 to 9999"));
        assert!(to_value(Day::from(last)).unwrap_err().to_string().contains("years 0000 to 9999"));
    }
}
