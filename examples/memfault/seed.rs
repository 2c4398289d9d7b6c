//! The data of the first start: two organizations, a project of each, and a person who is a member of both.

use serde_json::json;
use tower_api_key::backend::{KeyFilter, OwnerChange, OwnerStore};
use tower_api_key::key::OpaqueFormat;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::{Environment, Scopes};

use crate::access::{self, ROLES};
use crate::app::App;
use crate::support::{Failure, print_line};

const ORGANIZATION: &str = "acme-inc";
const OTHER_ORGANIZATION: &str = "globex";
const PROJECT: &str = "smart-sink";
const EMAIL: &str = "ann@example.com";

/// Credentials as in the example commands: a text, or a variable to set if the text was shown at an earlier start.
pub(crate) struct Credentials {
    pub(crate) organization_token: String,
    pub(crate) user_key: String,
    pub(crate) password: String,
    pub(crate) project_key: String,
}

/// Creates missing data, and prints the address and the new credentials as one line of JSON.
pub(crate) async fn seed(app: &App) -> Result<Credentials, Failure> {
    let names = json!({ "organization": ORGANIZATION, "project": PROJECT, "email": EMAIL });
    // This is stored last. A process that died before repeats the steps.
    if app.store.project(OTHER_ORGANIZATION, PROJECT).await?.is_some() {
        print_line(&json!({ "address": app.address, "credentials": names }))?;
        eprintln!(
            "The credentials of the first start still work. Set the variables below to them, or delete the database."
        );
        let variable = |name: &str| format!("${name}");
        return Ok(Credentials {
            organization_token: variable("ORGANIZATION_AUTH_TOKEN"),
            user_key: variable("USER_API_KEY"),
            password: variable("PASSWORD"),
            project_key: variable("PROJECT_KEY"),
        });
    }
    app.store.change_owner(OwnerChange::put_organization(Organization::new(ORGANIZATION))).await?;
    app.store.change_owner(OwnerChange::put_user(EMAIL)).await?;
    join(app, ORGANIZATION, ROLES[0]).await?;
    let password = OpaqueFormat::base62(22)?.mint(Environment::Live)?.reveal().as_str().to_owned();
    let change = OwnerChange::set_password(EMAIL, Some(app.passwords.hash(&password).await?));
    app.store.change_owner(change).await?;

    app.managers.user_keys.revoke_all(&KeyFilter::of_user(EMAIL), "made anew").await?;
    let user_key = app.managers.user_keys.create(access::new_user_key(EMAIL)?).await?.into_parts().0;
    let project_key = project(app, ORGANIZATION).await?;
    let token = app.managers.tokens.create(access::new_token(ORGANIZATION)?.name("CI")).await?.into_parts().0;
    let other =
        app.managers.tokens.create(access::new_token(OTHER_ORGANIZATION)?.name("CI")).await?.into_parts().0;
    print_line(&json!({ "address": app.address, "credentials": {
        "organization": ORGANIZATION,
        "project": PROJECT,
        "organization_token": token.as_str(),
        "email": EMAIL,
        "user_key": user_key.as_str(),
        "password": password,
        "project_key": project_key,
        "other_organization_token": other.as_str(),
    } }))?;

    app.store.change_owner(OwnerChange::put_organization(Organization::new(OTHER_ORGANIZATION))).await?;
    join(app, OTHER_ORGANIZATION, ROLES[2]).await?;
    project(app, OTHER_ORGANIZATION).await?;
    let (organization_token, user_key) = (token.as_str().to_owned(), user_key.as_str().to_owned());
    Ok(Credentials { organization_token, user_key, password, project_key })
}

async fn join(app: &App, organization: &str, (role, scopes): (&str, &str)) -> Result<(), Failure> {
    let membership = Membership::new(Organization::new(organization), role, Scopes::parse(scopes)?);
    Ok(app.store.change_owner(OwnerChange::put_membership(EMAIL, membership)).await?)
}

/// Creates a project with a key, and returns the key.
async fn project(app: &App, organization: &str) -> Result<String, Failure> {
    let manager = &app.managers.project_keys;
    manager.revoke_all(&KeyFilter::of_project(organization, PROJECT), "made anew").await?;
    let created = manager.create(access::new_project_key(organization, PROJECT)).await?;
    app.store.change_owner(OwnerChange::put_project(organization, PROJECT)).await?;
    Ok(created.into_parts().0.as_str().to_owned())
}
