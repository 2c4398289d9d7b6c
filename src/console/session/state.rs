//! What the record of a session holds beside what each record does.

// Layer 10 of 10: rim.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::backend::{Actor, Grant};
use crate::clock::{Clock, Timestamp};
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::limit::{Limits, Plan};
use crate::owner::Owner;
use crate::record::{Record, Session};
use crate::rights::ScopePolicy;
use crate::scope::{Requirement, Scopes};

/// The state of a session, or of the code of one. It does not change from the hand-over, or the sign-in, to the end.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) opener: Actor,
    pub(super) door: Door,
    /// What a hand-over lets the opener do; otherwise, that is what the opener may do itself. The record has the owner and the scopes.
    pub(super) bounds: Option<Bounds>,
    /// The environments whose keys a customer manages; that of new keys by default is the first.
    pub(super) environments: Environments,
    pub(super) read_only: bool,
    /// What a key of the owner has to meet so that its last one is not ended by accident.
    pub(super) keeps: Option<Requirement>,
    pub(super) return_url: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Customer,
    Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Environments {
    One(Environment),
    All,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) sources: Box<[Scheme]>,
    pub(super) keys_end_by: Option<Timestamp>,
    pub(super) limits: Limits,
    pub(super) plan: Option<Plan>,
}

impl State {
    /// Encodes the state. `None` for an opener that opens no session.
    pub(super) fn encode(&self) -> Option<Session> {
        let bounds = self.bounds.as_ref().map(|Bounds { sources, keys_end_by, limits, plan }| {
            let sources: Vec<_> = sources.iter().map(Scheme::to_string).collect();
            json!({
                "sources": sources,
                "keys_end_by": keys_end_by.map(Timestamp::unix_millis),
                "limits": limits.to_string(),
                "plan": plan.as_ref().map(Plan::name),
            })
        });
        let keeps = self.keeps.as_ref().map(|keeps| {
            let (scopes, is_any) = keeps.parts();
            json!({ "scopes": scopes.to_string(), "any": is_any })
        });
        let state = json!({
            "opener": self.opener.to_json()?,
            "operator": self.door == Door::Operator,
            "bounds": bounds,
            "environment": match self.environments {
                Environments::One(environment) => Some(environment.label()),
                Environments::All => None,
            },
            "read_only": self.read_only,
            "keeps": keeps,
            "return_url": self.return_url,
        });
        Some(Session::new(self.opener.opener()?, state.to_string()))
    }

    /// Decodes the state of a record. `None` if it was written by another version, or is no session.
    pub(super) fn decode(record: &Record, policy: &ScopePolicy, clock: &Arc<dyn Clock>) -> Option<Self> {
        let state: Value = serde_json::from_str(&record.session.as_ref()?.state).ok()?;
        let flag = |name: &str| state.get(name)?.as_bool();
        Some(Self {
            opener: Actor::from_json(state.get("opener")?, policy, clock)?,
            door: if flag("operator")? { Door::Operator } else { Door::Customer },
            bounds: optional(&state, "bounds", bounds)?,
            environments: optional(&state, "environment", |label| Environment::from_label(label.as_str()?))?
                .map_or(Environments::All, Environments::One),
            read_only: flag("read_only")?,
            keeps: optional(&state, "keeps", requirement)?,
            return_url: optional(&state, "return_url", |url| url.as_str().map(Into::into))?,
        })
    }

    /// Returns the actor of the changes that are made by the session with this record.
    pub(super) fn actor(&self, record: &Record, policy: &ScopePolicy, clock: &Arc<dyn Clock>) -> Actor {
        let grant = self.grant(&record.owner.identity(), &record.scopes);
        Actor::session(record, self.opener.clone(), grant, policy, clock)
    }

    /// Returns what a hand-over lets the opener do with the keys of an owner. `None` if the opener has presented its own key or password.
    pub(super) fn grant(&self, owner: &Owner, scopes: &Scopes) -> Option<Grant> {
        self.bounds.as_ref().map(|bounds| Grant {
            owner: owner.clone(),
            scopes: scopes.clone(),
            environment: match self.environments {
                Environments::One(environment) => Some(environment),
                Environments::All => None,
            },
            sources: bounds.sources.clone(),
            keys_end_by: bounds.keys_end_by,
            limits: bounds.limits.clone(),
            plan: bounds.plan.clone(),
        })
    }
}

/// Returns a field that may be null; `None` if it is missing, or cannot be read.
fn optional<T>(state: &Value, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    match state.get(name)? {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}

fn bounds(value: &Value) -> Option<Bounds> {
    let sources = value.get("sources")?.as_array()?.iter();
    Some(Bounds {
        sources: sources.map(|source| Scheme::from_label(source.as_str()?)).collect::<Option<_>>()?,
        keys_end_by: optional(value, "keys_end_by", |end| end.as_i64().map(Timestamp::from_unix_millis))?,
        limits: value.get("limits")?.as_str()?.parse().ok()?,
        plan: optional(value, "plan", |name| Plan::named(name.as_str()?).ok())?,
    })
}

fn requirement(value: &Value) -> Option<Requirement> {
    let scopes = value.get("scopes")?.as_str()?.split(' ');
    let requirement = match value.get("any")?.as_bool()? {
        true => Requirement::any_of(scopes),
        false => Requirement::all_of(scopes),
    };
    requirement.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::digest::Digest;
    use crate::key::KeyId;

    #[test]
    fn a_state_survives_its_text() {
        let (policy, clock): (_, Arc<dyn Clock>) = (ScopePolicy::default(), Arc::new(SystemClock::default()));
        let plain = State {
            opener: Actor::external("user:17"),
            door: Door::Customer,
            bounds: None,
            environments: Environments::All,
            read_only: false,
            keeps: None,
            return_url: None,
        };
        let full = State {
            door: Door::Operator,
            bounds: Some(Bounds {
                sources: [Scheme::Bearer, Scheme::from_label("x-api-key").unwrap()].into(),
                keys_end_by: Some(Timestamp::from_unix_millis(7)),
                limits: "burst=1/60s daily=2/day/owner".parse().unwrap(),
                plan: Some(Plan::named("free").unwrap()),
            }),
            environments: Environments::One(Environment::Test),
            read_only: true,
            keeps: Some(Requirement::any_of(["a", "b"]).unwrap()),
            return_url: Some("/settings?a=\"b\"".into()),
            ..plain.clone()
        };
        for state in [plain, full] {
            let id = KeyId::new("session_1").unwrap();
            let mut record = Record::imported(id, Digest::from_bytes([7; 32]), Owner::organization("acme"));
            assert!(State::decode(&record, &policy, &clock).is_none());
            record.session = state.encode();
            let decoded = State::decode(&record, &policy, &clock).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{state:?}"));
            record.session = Some(Session::new("external user:17", "{}"));
            assert!(State::decode(&record, &policy, &clock).is_none());
        }
    }
}
