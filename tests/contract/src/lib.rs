//! The guarantees of stores of [`tower_api_key`], as tests of a store.
//!
//! A store has this crate as a dev-dependency, and runs the part of each trait that it implements by one macro:
//! [`key_store!`], [`owner_store!`], [`plan_store!`], [`usage_store!`], [`audit_log!`]. A store in which a pepper can be replaced
//! also runs [`further_digests!`]. Some parts need two traits: [`further_digests_of_owners!`],
//! [`plans_of_owners!`], [`usage_of_owners!`] and [`audit_log_of_owners!`]. Each guarantee is a test with its own name. Counters of
//! limits run [`counters!`] in the same way, and [`counters_of_each_request!`] if they count each request at once.
//!
//! ```
//! use tower_api_key::MemoryStore;
//!
//! /// Returns an empty store, and what has to live as long: a folder, a database, or nothing.
//! async fn open() -> (MemoryStore, ()) {
//!     (MemoryStore::new(), ())
//! }
//!
//! tower_api_key_contract::key_store!(open);
//! ```
//!
//! The function is called once for each test, on a Tokio runtime with two threads. Clones of the store share its keys. A test is
//! skipped without the environment that it needs, such as a server, where the macro has the name of a function that checks for it:
//! `key_store!(open, unless is_absent)`, with `fn is_absent() -> bool`.
//!
//! [`KeyStore`]: tower_api_key::backend::KeyStore

mod abandon;
#[doc(hidden)]
pub mod abandonment;
#[doc(hidden)]
pub mod actors;
#[doc(hidden)]
pub mod audit;
#[doc(hidden)]
pub mod authentication;
#[doc(hidden)]
pub mod caller;
#[doc(hidden)]
pub mod concurrency;
#[doc(hidden)]
pub mod counters;
mod counting;
#[doc(hidden)]
pub mod delegates;
#[doc(hidden)]
pub mod deleted;
#[doc(hidden)]
pub mod digests;
#[doc(hidden)]
pub mod disabling;
pub mod last_manager;
#[doc(hidden)]
pub mod owners;
#[doc(hidden)]
pub mod plans;
#[doc(hidden)]
pub mod records;
#[doc(hidden)]
pub mod revocation;
#[doc(hidden)]
pub mod rotation;
#[doc(hidden)]
pub mod samples;
#[doc(hidden)]
pub mod sessions;
#[doc(hidden)]
pub mod several;
#[doc(hidden)]
pub mod updates;
#[doc(hidden)]
pub mod usage;

/// Runs a test on an empty store.
#[doc(hidden)]
pub fn run<S, L>(open: impl AsyncFnOnce() -> (S, L), case: impl AsyncFnOnce(S)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _lives_as_long) = open().await;
        case(store).await;
    });
}

/// Generates a test of each guarantee of a store of keys: of a `KeyStore + Clone`.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! key_store {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            records::a_record_reads_back_with_every_field,
            records::a_record_of_empty_texts_reads_back,
            records::times_at_the_ends_of_their_range_read_back,
            records::every_kind_of_owner_reads_back,
            records::what_cannot_be_kept_is_rejected_and_never_forgotten,
            records::unknown_digests_and_ids_have_no_record,
            records::a_key_that_is_there_is_a_conflict_and_stays_as_it_was,
            records::digests_one_bit_apart_are_different_keys,
            records::ids_are_compared_byte_for_byte,
            records::an_expired_key_is_still_found,
            records::the_first_candidate_that_a_key_has_finds_it,
            revocation::a_revocation_shows_by_digest_and_by_id,
            revocation::the_first_revocation_stays,
            revocation::the_revocation_that_a_record_came_with_stays,
            revocation::an_unknown_key_cannot_be_revoked,
            audit::a_revocation_reads_back_with_whose_doing_it_was,
            revocation::a_revocation_changes_one_key_and_nothing_else_of_it,
            disabling::a_disabled_key_is_rejected_until_it_is_enabled,
            disabling::disabling_and_enabling_change_nothing_else,
            disabling::the_first_disabling_stays_unless_the_application_takes_over,
            disabling::an_unknown_key_can_be_neither_disabled_nor_enabled,
            disabling::a_delegate_enables_only_what_a_delegate_disabled,
            disabling::a_key_whose_successor_is_disabled_is_not_rotated_again,
            disabling::the_grace_from_the_first_use_waits_until_a_successor_is_enabled,
            disabling::a_key_that_replaces_all_others_ends_disabled_ones,
            disabling::each_event_leads_to_the_state_that_the_guide_says,
            updates::an_update_changes_what_it_names_and_nothing_else,
            updates::what_is_not_there_cannot_be_updated,
            updates::a_revoked_key_cannot_be_updated,
            updates::the_end_of_a_rotated_key_is_not_put_off,
            updates::an_update_is_in_effect_for_the_very_next_request,
            authentication::a_key_that_was_updated_is_looked_up_once,
            rotation::a_successor_inherits_what_its_predecessor_may_do,
            rotation::a_successor_ends_when_it_is_told_to,
            rotation::a_grace_ends_with_the_key_at_the_latest,
            rotation::a_grace_from_the_first_use_begins_once,
            rotation::a_key_is_rotated_once,
            rotation::what_is_not_in_force_is_not_rotated,
            rotation::a_successor_that_is_there_already_changes_nothing,
            rotation::of_two_rotations_at_once_one_wins,
            rotation::a_rotation_is_in_effect_for_the_very_next_request,
            rotation::the_first_request_with_a_successor_begins_the_grace,
            rotation::a_key_whose_successor_has_ended_is_rotated_again,
            rotation::the_first_use_of_a_successor_that_was_replaced_ends_nothing,
            several::a_list_holds_what_its_filter_means_in_order,
            several::pages_join_into_the_whole_list,
            several::a_search_finds_the_keys_whose_texts_start_so_in_their_order,
            several::a_list_goes_on_behind_a_key_that_is_gone,
            several::all_keys_of_a_filter_are_revoked_at_once,
            several::the_keys_of_a_filter_are_revoked_in_batches,
            several::a_batch_leaves_out_keys_before_its_start_and_later_ones,
            several::more_keys_than_a_statement_has_parameters_are_revoked,
            several::any_number_of_ended_keys_is_deleted,
            several::keys_in_force_that_are_deleted_are_unknown_to_all_at_once,
            several::keys_that_ended_before_a_time_are_deleted,
            several::a_key_replaces_all_that_a_filter_means_at_once,
            concurrency::many_tasks_insert_and_revoke_keys_at_once,
            concurrency::of_many_revocations_at_once_one_stays,
            concurrency::of_many_insertions_of_one_key_one_succeeds,
            authentication::a_revoked_key_is_rejected_by_the_very_next_request,
            authentication::every_authenticator_hears_of_a_change_through_any_clone_of_the_store,
            authentication::a_new_key_is_admitted_by_the_very_next_request,
            actors::a_key_that_may_not_make_a_change_changes_no_key,
            delegates::a_delegate_changes_no_key_beyond_its_bounds,
            delegates::a_key_of_a_delegate_ends_with_its_creator,
            delegates::a_rotation_ends_no_predecessor_beyond_the_bounds_of_its_actor,
            delegates::a_caller_without_a_key_changes_no_key_beyond_its_bounds,
            last_manager::the_last_manager_of_an_owner_is_kept,
            last_manager::a_manager_is_found_among_many_keys,
            last_manager::a_key_that_is_no_last_manager_ends,
            last_manager::of_managers_that_end_themselves_at_once_one_is_kept,
            sessions::a_session_reads_back_and_admits_no_caller,
            sessions::lists_of_keys_have_no_session,
            sessions::changes_of_keys_find_no_session,
            sessions::the_sessions_of_one_opener_end,
            sessions::the_newest_sessions_of_an_opener_are_kept,
            sessions::keys_stay_cached_when_any_number_of_sessions_ends,
            sessions::ended_sessions_are_deleted_apart_from_keys,
            sessions::a_session_is_no_last_manager,
            abandonment::an_abandoned_insertion_is_made_in_full_or_not_at_all,
            abandonment::an_abandoned_update_is_made_in_full_or_not_at_all,
            abandonment::an_abandoned_rotation_is_made_in_full_or_not_at_all,
            abandonment::an_abandoned_revocation_is_made_in_full_or_not_at_all,
            abandonment::an_abandoned_revocation_of_several_is_made_of_all_or_none,
            abandonment::an_abandoned_deletion_is_made_of_all_or_none,
            abandonment::an_abandoned_manager_rotates_in_full_or_not_at_all,
        }
    };
}

/// Generates a test of each guarantee of a store whose keys can get further digests, so that a pepper can be replaced: of a
/// `KeyStore + Clone` with [`fingerprints`](tower_api_key::backend::Backend::fingerprints). They come in addition to those of [`key_store!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! further_digests {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            digests::a_further_digest_finds_the_key,
            digests::of_several_candidates_the_first_one_finds_its_key,
            digests::a_key_that_is_not_active_gets_no_digest,
            digests::no_two_keys_have_one_digest,
            digests::fingerprints_are_a_set_of_those_of_all_keys_that_were_made,
            digests::each_change_invalidates_all_digests_of_the_key,
            digests::a_first_use_invalidates_all_digests_of_the_successor,
            digests::a_retirement_drops_the_digests_of_other_digesters,
            digests::a_key_without_a_digest_of_the_digester_keeps_all,
            digests::the_digests_of_any_number_of_keys_are_retired,
            sessions::a_session_needs_no_further_digest,
        }
    };
}

/// Generates a test of each guarantee of a store of owners whose keys can get further digests: of a `KeyStore + OwnerStore + Clone`. They
/// come in addition to those of [`owner_store!`] and [`further_digests!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! further_digests_of_owners {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            digests::each_change_of_an_owner_invalidates_all_digests_of_its_keys,
        }
    };
}

/// Generates a test of each guarantee of a store of owners and their keys: of a `KeyStore + OwnerStore + Clone`.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! owner_store {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            owners::owners_read_back,
            owners::what_is_put_twice_is_there_once_and_as_it_was_put_last,
            owners::what_is_not_there_can_be_neither_changed_nor_referred_to,
            owners::a_password_hash_is_replaced_only_while_it_is_the_one_that_was_seen,
            owners::members_and_projects_are_listed_in_pages,
            owners::a_key_shows_its_owner_as_it_is_now,
            owners::a_key_whose_owner_is_known_can_be_changed,
            owners::a_removed_member_is_out_of_reach_from_the_next_request_on,
            owners::a_changed_organization_is_in_effect_for_the_very_next_request,
            owners::keys_of_an_owner_who_is_gone_are_revoked,
            deleted::an_owner_who_was_deleted_is_not_put_again,
            deleted::an_owner_who_was_deleted_has_no_new_keys,
            sessions::the_sessions_of_an_owner_who_is_gone_are_revoked,
            actors::each_change_is_made_by_an_actor_who_is_in_force,
            actors::an_actor_who_is_not_in_force_changes_nothing,
            actors::what_a_change_does_to_its_own_actor_does_not_count,
            actors::a_batch_leaves_out_the_key_of_its_actor,
            actors::what_an_actor_may_do_elsewhere_does_not_count,
        }
    };
}

/// Generates a test of each guarantee of a store of keys and their plans: of a `KeyStore + PlanStore + Clone`.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! plan_store {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            plans::plans_read_back_in_pages,
            plans::a_key_has_the_current_limits_of_its_plan,
            plans::a_plan_that_is_not_there_is_not_referred_to,
            plans::a_plan_that_a_key_has_is_not_deleted,
            plans::a_key_gets_no_plan_that_is_deleted_meanwhile,
            plans::a_changed_plan_is_in_force_for_the_very_next_request,
            plans::a_delegate_sets_no_limits_and_passes_on_its_own,
        }
    };
}

/// Generates a test of each guarantee of a store of owners, keys and plans: of a `KeyStore + OwnerStore + PlanStore + Clone`. They come in
/// addition to those of [`owner_store!`] and [`plan_store!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! plans_of_owners {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            plans::the_plan_of_an_organization_is_that_of_its_keys_and_projects,
            plans::an_organization_refers_to_plans_that_are_there,
            plans::an_organization_that_is_put_again_keeps_its_plan,
            plans::the_plan_of_a_user_is_that_of_the_users_keys,
            plans::the_plan_of_an_owner_is_not_kept_with_a_key,
        }
    };
}

/// Generates a test of each guarantee of a store of keys and their usage: of a `KeyStore + UsageStore + Clone`.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! usage_store {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            usage::usage_adds_up_by_key_and_in_total,
            usage::rejections_add_up_beside_their_requests,
            usage::a_batch_that_is_sent_twice_counts_once,
            usage::a_batch_of_more_rows_than_a_statement_has_parameters_is_added,
            usage::totals_are_the_sums_of_their_keys,
            usage::usage_before_a_day_is_deleted_with_its_totals,
            usage::the_last_use_of_a_key_never_goes_back,
            usage::usage_brings_no_key_back,
            usage::the_usage_of_a_key_outlives_it,
            usage::usage_is_no_change_of_a_key,
            usage::live_and_test_tenants_and_days_are_told_apart,
            usage::a_batch_that_cannot_be_kept_leaves_no_trace,
            usage::many_writers_at_once_lose_nothing,
            usage::an_abandoned_batch_that_is_sent_again_counts_once,
        }
    };
}

/// Generates a test of each guarantee of a store of keys with an audit log: of a `KeyStore + AuditLog + Clone`.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! audit_log {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            audit::every_change_of_a_key_has_its_entry,
            audit::each_key_that_a_filter_means_has_an_entry,
            audit::a_change_that_fails_has_no_entry,
            audit::a_change_that_is_abandoned_has_its_entries_or_was_not_made,
            audit::entries_are_read_by_page_in_both_orders,
            audit::a_page_follows_an_entry_that_was_deleted_or_overtaken,
            audit::entries_are_selected_by_each_field,
            audit::a_change_within_bounds_is_marked,
            audit::old_entries_are_forgotten_and_keys_are_not,
            sessions::changes_of_sessions_have_no_entry,
            sessions::a_batch_logs_the_keys_that_it_revokes_beside_sessions,
        }
    };
}

/// Generates a test of each guarantee of a store of owners, keys and their usage: of a `KeyStore + OwnerStore + UsageStore + Clone`.
/// They come in addition to those of [`owner_store!`] and [`usage_store!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! usage_of_owners {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            usage::requests_by_route_are_kept_beside_those_of_their_keys,
            deleted::a_purge_deletes_what_is_left_of_an_owner_and_nothing_else,
            deleted::totals_stay_right_beside_flushes_retries_and_purges,
            deleted::a_purged_owner_leaves_no_usage_beside_a_purge_of_days,
        }
    };
}

/// Generates a test of each guarantee of a store of owners and keys with an audit log: of a `KeyStore + OwnerStore + AuditLog + Clone`.
/// They come in addition to those of [`owner_store!`] and [`audit_log!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! audit_log_of_owners {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            actors::a_change_that_is_rejected_has_no_entry,
            audit::a_purged_owner_is_forgotten_and_its_entries_stay,
        }
    };
}

/// Generates a test of each guarantee of counters: of a `Counters`. The time is that of the system.
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! counters {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            counters::as_many_requests_are_admitted_as_a_limit_has,
            counters::a_request_takes_from_all_limits_or_from_none,
            counters::a_request_takes_its_cost,
            counters::a_free_request_takes_nothing_and_is_never_refused,
            counters::a_request_that_costs_more_than_a_limit_has_is_always_refused,
            counters::keys_that_share_a_limit_are_counted_together,
            counters::what_shares_no_limit_is_counted_apart,
            counters::a_changed_limit_keeps_what_was_used,
            counters::many_tasks_are_admitted_exactly_as_often,
            counters::a_rate_comes_back_evenly,
        }
    };
}

/// Generates a test of each guarantee of counters that count each request at once. They come in addition to those of [`counters!`].
///
/// The argument is an async function as in the [example](crate).
#[macro_export]
macro_rules! counters_of_each_request {
    ($open:path $(, unless $is_absent:path)?) => {
        $crate::cases! { $open $(, $is_absent)? =>
            counters::what_is_left_is_known_after_each_request,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! cases {
    ($open:path => $($cases:tt)*) => {
        $crate::cases! { $open, $crate::never => $($cases)* }
    };
    ($open:path, $is_absent:path => $($part:ident::$case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                if !$is_absent() {
                    $crate::run($open, $crate::$part::$case);
                }
            }
        )*
    };
}

/// A store that needs no server can always be tested.
#[doc(hidden)]
pub fn never() -> bool {
    false
}
