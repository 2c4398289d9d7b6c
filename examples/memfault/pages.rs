//! The pages of User API Key, and of the tokens of an organization. A browser that opens them asks for e-mail and password, and is
//! handed over.

use axum::extract::State;
use tower_api_key::console::{Console, Handover, Sessions, SignInUrl};
use tower_api_key::manage::{KeyManager, Permissions};
use tower_api_key::{
    Authenticator, ConfigError, InvalidValue, Owner, Principal, Scopes, Source, SqliteStore,
};

use crate::access::{Managers, OF_PROJECT_MANAGERS, OF_USER_KEYS};
use crate::again::{OWN_KEY, of_organization, of_own};
use crate::api_error::{ApiError, At};
use crate::app::App;
use crate::console;

/// The scopes that keys of these pages can have.
const PERMISSIONS: [(&str, &str); 3] = [
    ("project.*", "Projects: read, upload, deploy"),
    ("organization.*", "Organizations: members, tokens and projects"),
    ("account.key", "Your own key: cycle and delete it"),
];

#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) user_keys: Sessions<SqliteStore>,
    pub(crate) tokens: Sessions<SqliteStore>,
}

impl Pages {
    pub(crate) fn new(
        managers: &Managers,
        authenticator: &Authenticator,
        address: &str,
    ) -> Result<Self, ConfigError> {
        let open = |manager: &KeyManager<SqliteStore>, permissions: &[(&str, &str)], path| {
            let permissions = Permissions::new().group("Memfault", permissions.iter().copied())?;
            let pages = Console::new(manager.clone().with_permissions(permissions))?.name("Memfault")?;
            let pages = pages
                .example(format!("{address}/api/v0/organizations/acme-inc/projects"), Source::bearer())?;
            console::at(pages, authenticator, &format!("{address}{path}"))
        };
        Ok(Self {
            user_keys: open(&managers.user_keys, &PERMISSIONS, "/account/api-keys")?,
            tokens: open(&managers.tokens, &PERMISSIONS[..1], "/organization/auth-tokens")?,
        })
    }
}

/// Opens the keys of the caller. They are presented with its e-mail, by Basic alone.
pub(crate) async fn open_user_keys(State(app): State<App>, caller: Principal) -> Result<SignInUrl, ApiError> {
    let email = caller.owner().email().ok_or_else(ApiError::not_found)?;
    let handover = Handover::customer(of_own(&caller, &OWN_KEY), Owner::user(email, []));
    let handover = handover.map_err(ConfigError::from)?.sources([Source::basic()]);
    let handover = handover.scopes(scopes(OF_USER_KEYS)?);
    Ok(app.pages.user_keys.session_for(handover).await?)
}

/// Opens the tokens of an organization to its admins.
pub(crate) async fn open_tokens(
    State(app): State<App>,
    caller: Principal,
    At(organization): At<String>,
) -> Result<SignInUrl, ApiError> {
    let actor = of_organization(&caller, &organization);
    let handover = Handover::customer(actor, Owner::organization(organization));
    let handover = handover.map_err(ConfigError::from)?.sources([Source::bearer(), Source::basic()]);
    let handover = handover.scopes(scopes(OF_PROJECT_MANAGERS)?);
    Ok(app.pages.tokens.session_for(handover).await?)
}

fn scopes(text: &str) -> Result<Scopes, ConfigError> {
    Scopes::parse(text).map_err(|error: InvalidValue| error.into())
}
