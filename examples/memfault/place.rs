//! The project of a request, from its path or from its key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use tower_api_key::backend::OwnerStore;
use tower_api_key::principal::Resource;
use tower_api_key::{Owner, Principal};

use crate::api_error::{ApiError, At};
use crate::app::App;

/// A project of an organization.
#[derive(Deserialize, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) organization: String,
    pub(crate) project: String,
}

impl Place {
    pub(crate) fn resource(&self) -> Resource<'_> {
        Resource::Project { organization: &self.organization, project: &self.project }
    }
}

/// The project in the path, which exists. A layer has checked the rights of the caller for it.
pub(crate) struct OfPath(pub(crate) Place);

impl FromRequestParts<App> for OfPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let At(place) = At::<Place>::from_request_parts(parts, app).await?;
        match app.store.project(&place.organization, &place.project).await? {
            Some(_) => Ok(Self(place)),
            None => Err(ApiError::not_found()),
        }
    }
}

/// The project of the presented key.
pub(crate) struct OfKey(pub(crate) Place);

impl FromRequestParts<App> for OfKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        match parts.extensions.get::<Principal>().map(Principal::owner) {
            Some(Owner::Project(own)) => {
                Ok(Self(Place { organization: (&*own.organization.id).into(), project: (&*own.id).into() }))
            }
            _ => Err(ApiError::not_found()),
        }
    }
}

impl From<OfPath> for Place {
    fn from(OfPath(place): OfPath) -> Self {
        place
    }
}

impl From<OfKey> for Place {
    fn from(OfKey(place): OfKey) -> Self {
        place
    }
}
