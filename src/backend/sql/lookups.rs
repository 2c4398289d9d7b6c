//! The statements that look keys and users up, made of the columns of a key and the expressions of one database.

// Layer 3 of 10: storage.

/// Creates the [`Lookups`](super::dialect::Lookups) of a dialect from an aggregate of memberships as a JSON list, and a condition that
/// is an error on a standby.
macro_rules! lookups {
    ($memberships:literal, $primary_only:literal) => {
        $crate::backend::sql::dialect::Lookups {
            keys: lookups!(@select $memberships; "", "digest", "", []),
            by_digest: lookups!(@by_digest $memberships, $primary_only),
            by_digests: lookups!(@by_digests $memberships, "$1, $2, $3, $4", $primary_only, ""),
            #[cfg(feature = "postgres")]
            by_digest_on_replica: lookups!(@by_digest $memberships, ""),
            #[cfg(feature = "postgres")]
            by_digests_on_replica: lookups!(@by_digests $memberships, "$1, $2, $3, $4", "", ""),
            user: concat!(
                "SELECT password_hash, password_version, ",
                $crate::backend::sql::owner_state::user_plan_columns!(),
                ", ",
                lookups!(@memberships $memberships, "tower_api_key_user.email"),
                " AS memberships FROM tower_api_key_user WHERE email = $1",
                $primary_only
            ),
        }
    };
    // The limit keeps the database from searching for a further digest of a key that it has found.
    (@by_digest $memberships:literal, $primary_only:literal) => {
        lookups!(@by_digests $memberships, "$1", $primary_only, " LIMIT 1")
    };
    (@by_digests $memberships:literal, $digests:literal, $primary_only:literal, $limit:literal) => {
        lookups!(@select $memberships;
            "", "digest", "", [" WHERE digest IN (", $digests, ")", $primary_only];
            " UNION ALL ", "further_digest", "JOIN tower_api_key_digest ON key_id = id ",
            [" WHERE further_digest IN (", $digests, ")", $primary_only, $limit]
        )
    };
    (@select $memberships:literal; $($union:literal, $found_under:literal, $join:literal, [$($condition:literal),*]);+) => {
        concat!($(
            $union,
            "SELECT ",
            $crate::backend::sql::key_row::columns!(),
            ", ",
            $found_under,
            " AS found_under, (SELECT plan_limits FROM tower_api_key_plan WHERE plan_name = plan) AS plan_limits, ",
            $crate::backend::sql::owner_state::organization_columns!(),
            ", ",
            $crate::backend::sql::owner_state::user_plan_columns!(),
            ", CASE WHEN owner_email IS NOT NULL THEN ",
            lookups!(@memberships $memberships, "owner_email"),
            " END AS memberships FROM tower_api_key ",
            $join,
            "LEFT JOIN tower_api_key_organization ON organization = owner_organization \
            LEFT JOIN tower_api_key_user ON email = owner_email",
            $($condition),*
        ),+)
    };
    (@memberships $memberships:literal, $email:literal) => {
        concat!(
            "(SELECT ",
            $memberships,
            "
                FROM tower_api_key_membership m JOIN tower_api_key_organization o ON o.organization = m.organization
                WHERE m.email = ",
            $email,
            ")"
        )
    };
}
pub(super) use lookups;
