//! The statements that look keys and users up, made of the columns of a key and the expressions of one database.

/// Creates the [`Lookups`](super::dialect::Lookups) of a dialect from an aggregate of memberships as a JSON list, and a condition that
/// is an error on a standby.
macro_rules! lookups {
    ($memberships:literal, $primary_only:literal) => {
        $crate::backend::sql::dialect::Lookups {
            keys: lookups!(@keys $memberships, ""),
            by_digest: lookups!(@keys $memberships, " WHERE digest = $1", $primary_only),
            #[cfg(feature = "postgres")]
            by_digest_on_replica: lookups!(@keys $memberships, " WHERE digest = $1"),
            user: concat!(
                "SELECT password_hash, password_version, ",
                lookups!(@memberships $memberships, "tower_api_key_user.email"),
                " AS memberships FROM tower_api_key_user WHERE email = $1",
                $primary_only
            ),
        }
    };
    (@keys $memberships:literal, $($condition:literal),*) => {
        concat!(
            "SELECT ",
            $crate::backend::sql::key_row::columns!(),
            ", disabled, requires_sso, CASE WHEN owner_email IS NOT NULL THEN ",
            lookups!(@memberships $memberships, "owner_email"),
            " END AS memberships FROM tower_api_key LEFT JOIN tower_api_key_organization ON organization = owner_organization",
            $($condition),*
        )
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
