//! Inserted records read back, and nothing else does.

use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};
use tower_api_key::digest::Digest;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::{Owner, Record, Scopes, Timestamp};

use crate::samples;

pub async fn a_record_reads_back_with_every_field<S: KeyStore>(store: S) {
    reads_back(&store, samples::full("key_full")).await;
    reads_back(&store, samples::plain("key_plain")).await;
}

pub async fn a_record_of_empty_texts_reads_back<S: KeyStore>(store: S) {
    let mut record = samples::plain("key_empty");
    record.owner = Owner::organization("");
    record.created_by = Some("".into());
    record.revoked = Some(samples::revocation(0, ""));
    record.disabled = Some(samples::disabling(0, "").by(""));
    record.metadata = [(String::new(), String::new())].into();
    reads_back(&store, record).await;
}

pub async fn times_at_the_ends_of_their_range_read_back<S: KeyStore>(store: S) {
    for (index, millis) in [i64::MIN, -1, 0, 1, i64::MAX].into_iter().enumerate() {
        let time = Some(Timestamp::from_unix_millis(millis));
        let mut record = samples::plain(&format!("key_{index}"));
        (record.created_at, record.expires_at, record.last_used_at) = (time, time, time);
        record.revoked = Some(samples::revocation(millis, "end of time"));
        record.disabled = Some(samples::disabling(millis, "end of time"));
        reads_back(&store, record).await;
    }
}

pub async fn every_kind_of_owner_reads_back<S: KeyStore>(store: S) {
    let owners = [
        Owner::organization("Österreich's \"acme\""),
        Owner::user("Ada.O'Neil+tag@EXAMPLE.com", []),
        Owner::project(Organization::new("acme"), "proj/1"),
        Owner::project(Organization::new(""), ""),
        Owner::user("", []),
    ];
    for (index, owner) in owners.into_iter().enumerate() {
        let mut record = samples::plain(&format!("key_{index}"));
        record.owner = owner;
        reads_back(&store, record).await;
    }
}

/// A store may be unable to keep a value. It then returns an error, and does not keep the rest.
pub async fn what_cannot_be_kept_is_rejected_and_never_forgotten<S: KeyStore>(store: S) {
    let mut disabled = Organization::new("acme");
    disabled.disabled = true;
    let membership = Membership::new(Organization::new("acme"), "reader", Scopes::default());
    let odd: [fn(&mut Record, Organization, Membership); 4] = [
        |record, organization, _| record.owner = Owner::Organization(organization),
        |record, organization, _| record.owner = Owner::project(organization, "p"),
        |record, _, membership| record.owner = Owner::user("ada@example.com", [membership]),
        |record, _, _| record.name = "before\0after".into(),
    ];
    for (index, make_odd) in odd.iter().enumerate() {
        let mut record = samples::plain(&format!("key_{index}"));
        make_odd(&mut record, disabled.clone(), membership.clone());
        match store.change(KeyChange::insert(record.clone())).await {
            Ok(_) => is_kept(&store, &record).await,
            Err(error) => {
                assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
                assert_eq!(store.get(&record.id).await.unwrap(), None);
                assert_eq!(store.find(&record.digest).await.unwrap(), None);
            }
        }
    }
}

pub async fn unknown_digests_and_ids_have_no_record<S: KeyStore>(store: S) {
    for _ in 0..2 {
        assert_eq!(store.find(&samples::digest("key_unknown")).await.unwrap(), None);
        assert_eq!(store.get(&samples::id("key_unknown")).await.unwrap(), None);
        store.change(KeyChange::insert(samples::plain("key_known"))).await.ok();
    }
}

pub async fn a_key_that_is_there_is_a_conflict_and_stays_as_it_was<S: KeyStore>(store: S) {
    let first = samples::full("key_first");
    reads_back(&store, first.clone()).await;

    let mut same_id = samples::plain("key_second");
    same_id.id = first.id.clone();
    let mut same_digest = samples::plain("key_second");
    same_digest.digest = first.digest;
    for second in [same_id, same_digest, samples::plain("key_first"), first.clone()] {
        let error = store.change(KeyChange::insert(second)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
        is_kept(&store, &first).await;
        assert_eq!(store.get(&samples::id("key_second")).await.unwrap(), None);
        assert_eq!(store.find(&samples::digest("key_second")).await.unwrap(), None);
    }
}

pub async fn digests_one_bit_apart_are_different_keys<S: KeyStore>(store: S) {
    let record = samples::plain("key_original");
    reads_back(&store, record.clone()).await;
    for bit in 0..256 {
        let mut bytes = *record.digest.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let neighbour = Digest::from_bytes(bytes);
        assert_eq!(store.find(&neighbour).await.unwrap(), None, "bit {bit}");
        if bit % 64 == 0 {
            let mut record = samples::plain(&format!("key_bit_{bit}"));
            record.digest = neighbour;
            reads_back(&store, record).await;
        }
    }
    is_kept(&store, &record).await;
}

pub async fn ids_are_compared_byte_for_byte<S: KeyStore>(store: S) {
    let names = ["key_a", "KEY_A", "key_A", "keyXa", "key_a.", "0", "00", "0.0"];
    for name in names {
        reads_back(&store, samples::plain(name)).await;
    }
    for name in names {
        is_kept(&store, &samples::plain(name)).await;
    }
    assert_eq!(store.get(&samples::id("Key_a")).await.unwrap(), None);
}

pub async fn an_expired_key_is_still_found<S: KeyStore>(store: S) {
    let mut record = samples::plain("key_expired");
    record.expires_at = Some(Timestamp::from_unix_millis(1));
    reads_back(&store, record).await;
}

pub async fn the_first_candidate_that_a_key_has_finds_it<S: KeyStore>(store: S) {
    for name in ["a", "b"] {
        reads_back(&store, samples::plain(name)).await;
    }
    let [a, b, c, d] = ["a", "b", "c", "d"].map(samples::digest);
    for (candidates, expected) in [
        (&[a][..], Some("a")),
        (&[a, b], Some("a")),
        (&[c, b, a], Some("b")),
        (&[c, d, d, a], Some("a")),
        (&[c, d, c, d, b, a], Some("b")),
        (&[c, d], None),
        (&[], None),
    ] {
        let found = store.find_any(candidates).await.unwrap();
        assert_eq!(found, expected.map(samples::plain), "{candidates:?}");
    }
}

async fn reads_back<S: KeyStore>(store: &S, record: Record) {
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    is_kept(store, &record).await;
}

async fn is_kept<S: KeyStore>(store: &S, record: &Record) {
    assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(record));
    assert_eq!(store.get(&record.id).await.unwrap().as_ref(), Some(record));
}
