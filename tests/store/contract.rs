//! What every store promises.

pub(crate) mod abandonment;
pub(crate) mod authentication;
pub(crate) mod concurrency;
pub(crate) mod records;
pub(crate) mod revocation;

/// Makes a test of each promise for one store. `$open` is an async function without arguments that returns an empty
/// store, and whatever has to live as long as the store does.
macro_rules! keeps_the_contract {
    ($open:path) => {
        keeps_the_contract! { $open =>
            records::a_record_reads_back_with_every_field,
            records::a_record_of_empty_texts_reads_back,
            records::times_at_the_ends_of_their_range_read_back,
            records::every_kind_of_owner_reads_back,
            records::what_cannot_be_kept_is_refused_and_never_forgotten,
            records::unknown_digests_and_ids_have_no_record,
            records::a_key_that_is_there_is_a_conflict_and_stays_as_it_was,
            records::digests_one_bit_apart_are_different_keys,
            records::ids_are_compared_byte_for_byte,
            records::an_expired_key_is_still_found,
            revocation::a_revocation_shows_by_digest_and_by_id,
            revocation::the_first_revocation_stays,
            revocation::the_revocation_that_a_record_came_with_stays,
            revocation::an_unknown_key_cannot_be_revoked,
            revocation::a_revocation_changes_one_key_and_nothing_else_of_it,
            concurrency::many_tasks_insert_and_revoke_keys_at_once,
            concurrency::of_many_revocations_at_once_one_stays,
            concurrency::of_many_insertions_of_one_key_one_succeeds,
            authentication::a_revoked_key_is_refused_by_the_very_next_request,
            authentication::every_authenticator_hears_of_a_change_through_any_clone_of_the_store,
            authentication::a_new_key_is_admitted_by_the_very_next_request,
            abandonment::an_abandoned_revocation_is_made_in_full_or_not_at_all,
            abandonment::an_abandoned_insertion_is_made_in_full_or_not_at_all,
        }
    };
    ($open:path => $($part:ident::$promise:ident,)*) => {
        mod contract {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let (store, _lives_as_long) = $open().await;
                    crate::contract::$part::$promise(store).await;
                }
            )*
        }
    };
}
