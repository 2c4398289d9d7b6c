//! The rights of a caller are checked when a change takes effect, not when its request begins: with each store, and for requests over real
//! sockets, with a body that stops after its first byte until the caller has lost its rights.

mod bodies;
mod console;
mod create_exclusive;
mod disabling;
mod elsewhere;
mod ends;
mod first_use;
mod gone;
mod graces;
mod held;
mod last_manager;
mod own;
mod owners;
mod people;
mod recheck;
mod rotation;
mod signed_in;
mod stores;
mod strength;
mod texts;
mod world;

/// Creates a test of each function for each store.
macro_rules! on_every_store {
    ($($part:ident::$test:ident,)*) => {
        on_every_store! { memory, crate::authority::stores::memory, crate::authority::stores::never => $($part::$test,)* }
        on_every_store! { sqlite, crate::authority::stores::sqlite, crate::authority::stores::never => $($part::$test,)* }
        on_every_store! { postgres, crate::authority::stores::postgres, support::postgres::is_absent => $($part::$test,)* }
    };
    ($module:ident, $open:path, $is_absent:path => $($part:ident::$test:ident,)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if $is_absent() {
                        return;
                    }
                    let (store, _lives_as_long) = $open().await;
                    crate::authority::$part::$test(crate::authority::world::World::of(store).await).await;
                }
            )*
        }
    };
}

on_every_store! {
    bodies::a_body_that_takes_too_long_is_answered_408_and_changes_nothing,
    bodies::a_body_that_is_too_large_is_answered_413_and_changes_nothing,
    disabling::what_the_application_disabled_meanwhile_is_not_enabled,
    disabling::the_application_locks_what_customers_disable_and_enable_at_once,
    elsewhere::a_caller_whose_key_another_backend_keeps_acts_only_where_it_is_said_so,
    elsewhere::routes_admit_external_callers_only_if_set,
    elsewhere::such_a_caller_is_judged_again_when_its_body_has_arrived,
    ends::a_child_has_the_end_and_the_sources_of_its_maker,
    ends::no_end_is_put_off_beyond_that_of_the_caller,
    ends::a_rotation_renews_the_life_that_was_meant,
    ends::a_rotation_that_does_not_renew_keeps_the_end,
    first_use::a_thousand_first_uses_at_once_are_one_write,
    first_use::a_first_use_that_could_not_be_noted_is_noted_by_a_later_request,
    gone::a_caller_that_is_not_in_force_makes_no_change_by_code,
    gone::the_former_holder_of_an_address_makes_no_key_of_the_next_one,
    graces::a_key_in_its_grace_hands_nothing_out_that_outlives_it,
    graces::a_rotated_key_has_one_successor_in_force,
    graces::a_successor_that_was_narrowed_rotates_itself,
    graces::a_weak_caller_ends_no_stronger_key_by_way_of_its_successor,
    graces::lives_do_not_grow_by_rotations,
    graces::no_key_is_shown_that_is_presented_in_more_ways,
    graces::delegates_inherit_the_requirement_of_their_manager,
    graces::a_purged_organization_leaves_the_marks_of_people,
    held::an_update_by_a_caller_no_longer_in_force_changes_nothing,
    held::a_caller_no_longer_in_force_creates_no_key,
    held::a_key_is_not_made_with_scopes_that_the_caller_has_lost,
    held::a_caller_no_longer_in_force_rotates_no_key,
    last_manager::the_last_manager_is_judged_when_the_body_has_arrived,
    last_manager::a_caller_that_the_store_cannot_check_ends_every_manager,
    own::a_key_that_is_no_longer_in_force_does_not_rotate_itself,
    own::a_key_rotates_and_ends_itself_whatever_its_scopes,
    own::a_person_by_password_has_no_key_to_rotate_or_end,
    owners::an_id_of_a_deleted_owner_is_not_used_again,
    owners::no_key_is_created_for_a_deleted_owner,
    owners::only_deleted_owners_are_purged,
    owners::the_next_owner_of_an_id_sees_nothing_of_the_former_one,
    owners::deleted_keys_leave_their_usage,
    people::a_person_without_the_required_scope_changes_nothing,
    people::a_person_whose_rights_are_as_they_were_changes_owners_and_keys,
    people::a_hash_of_the_same_password_is_no_other_password,
    people::a_key_is_not_made_by_a_person_whose_password_was_changed_meanwhile,
    recheck::a_caller_that_lost_its_key_is_rejected,
    recheck::the_caller_is_returned_as_it_is_now,
    recheck::a_person_with_another_password_is_rejected,
    recheck::a_store_that_fails_is_no_rejection_of_the_key,
    recheck::a_cached_key_is_rechecked_without_the_store,
    create_exclusive::of_many_concurrent_exclusive_keys_one_stays,
    create_exclusive::a_key_replaces_itself,
    create_exclusive::an_actor_that_is_not_in_force_replaces_no_key,
    rotation::a_key_rotates_itself,
    rotation::nothing_is_read_after_a_rotation_whose_answer_was_lost,
    rotation::a_key_is_rotated_again_once_its_unseen_successor_has_ended,
    rotation::a_key_does_not_replace_the_one_that_it_was_replaced_by,
    rotation::a_key_that_became_stronger_meanwhile_is_not_shown_to_a_weaker_caller,
    signed_in::a_user_who_signs_out_while_the_body_arrives_changes_nothing,
    signed_in::the_rights_of_a_user_at_the_time_of_the_change_count,
    signed_in::a_request_without_a_session_is_answered_before_its_body_is_read,
    strength::a_weaker_caller_does_not_change_a_stronger_key,
    strength::a_key_changes_and_revokes_itself,
    strength::where_it_is_allowed_a_weaker_caller_restricts_a_stronger_key,
    texts::customers_neither_see_nor_change_metadata,
    texts::metadata_and_labels_are_distinct_and_survive_a_rotation,
}
