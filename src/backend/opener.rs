//! The opener of a session as texts, which the record of the session holds: to find the sessions of an actor, and to authorize it again.

// Layer 3 of 10: storage.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Actor;
use super::actor::{ActorRequirement, AuthContext, KeyActor, UserActor};
use crate::clock::Clock;
use crate::credential::Scheme;
use crate::digest::{Digest, Digests, MAX_FORMER};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::rights::ScopePolicy;
use crate::scope::{Requirement, Scope, Scopes};

impl Actor {
    /// Returns the text by which the sessions of this actor are found. `None` for an application without a name, which opens none, and for
    /// a session.
    pub(crate) fn opener(&self) -> Option<String> {
        // The kind tells a name that the application chose from the id of a key.
        Some(match self {
            Self::System { name } => format!("application {}", name.as_deref()?),
            Self::External { id } => format!("external {id}"),
            Self::Key(own) => format!("key {}", own.id),
            Self::User(own) => format!("user {}", own.email),
            Self::Session(_) => return None,
        })
    }

    /// Returns whether the actor can be an operator: an application with a name, or a key or a user that is required to hold scopes for an
    /// organization or a project. Without that, keys of any owner would do.
    #[cfg(feature = "console")]
    pub(crate) fn is_operator(&self) -> bool {
        match self {
            Self::System { name } => name.is_some(),
            Self::External { .. } | Self::Session(_) => false,
            Self::Key(KeyActor { context, .. }) | Self::User(UserActor { context, .. }) => {
                context.requirements.iter().any(|need| need.resource.is_some())
            }
        }
    }

    /// Encodes all that is needed to authorize the actor again. `None` for an actor that opens no session.
    pub(crate) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::System { name } => json!({ "application": name.as_deref()? }),
            Self::External { id } => json!({ "external": id }),
            Self::Key(KeyActor { id, digests, context }) => json!({
                "key": id.as_str(),
                "digests": digests.as_slice().iter().map(to_hex).collect::<Vec<_>>(),
                "scheme": context.scheme.to_string(),
                "requires": requirements(context),
            }),
            Self::User(UserActor { id, email, password, environment, context }) => json!({
                "user": id.as_str(),
                "email": email,
                "password": to_hex(password),
                "environment": environment.label(),
                "scheme": context.scheme.to_string(),
                "requires": requirements(context),
            }),
            Self::Session(_) => return None,
        })
    }

    /// Decodes an actor, which is authorized under the policy and by the clock of this process.
    pub(crate) fn from_json(value: &Value, policy: &ScopePolicy, clock: &Arc<dyn Clock>) -> Option<Self> {
        let fields = value.as_object()?;
        let text = |name: &str| fields.get(name)?.as_str();
        if let Some(name) = text("application") {
            return Some(Self::named(name));
        }
        if let Some(id) = text("external") {
            return Some(Self::external(id));
        }
        let context = AuthContext {
            scheme: Scheme::from_label(text("scheme")?)?,
            policy: policy.clone(),
            clock: Arc::clone(clock),
            requirements: fields
                .get("requires")?
                .as_array()?
                .iter()
                .map(requirement)
                .collect::<Option<_>>()?,
        };
        if let Some(id) = text("key") {
            let digests =
                fields.get("digests")?.as_array()?.iter().map(|digest| digest.as_str()?.parse().ok());
            let digests: Vec<Digest> = digests.collect::<Option<_>>()?;
            let (current, former) = digests.split_first().filter(|(_, former)| former.len() <= MAX_FORMER)?;
            let digests = Digests::new(*current, former.iter().copied());
            return Some(Self::Key(KeyActor { id: KeyId::new(id).ok()?, digests, context }));
        }
        Some(Self::User(UserActor {
            id: KeyId::new(text("user")?).ok()?,
            email: text("email")?.into(),
            password: text("password")?.parse().ok()?,
            environment: Environment::from_label(text("environment")?)?,
            context,
        }))
    }
}

fn requirements(context: &AuthContext) -> Vec<Value> {
    let encode = |ActorRequirement { requirement, resource }: &ActorRequirement| {
        let (scopes, is_any) = requirement.parts();
        let mut fields = Map::from_iter([("scopes".to_owned(), scopes.to_string().into())]);
        fields.insert("any".to_owned(), is_any.into());
        if let Some((organization, project)) = resource {
            fields.insert("organization".to_owned(), (**organization).into());
            fields.extend(project.as_deref().map(|project| ("project".to_owned(), project.into())));
        }
        Value::Object(fields)
    };
    context.requirements.iter().map(encode).collect()
}

fn requirement(value: &Value) -> Option<ActorRequirement> {
    let fields = value.as_object()?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let scopes = Scopes::parse(text("scopes")?).ok()?;
    let scopes = scopes.iter().map(Scope::as_str);
    let requirement = match fields.get("any")?.as_bool()? {
        true => Requirement::any_of(scopes),
        false => Requirement::all_of(scopes),
    };
    let resource =
        text("organization").map(|organization| (organization.into(), text("project").map(Into::into)));
    Some(ActorRequirement { requirement: requirement.ok()?, resource })
}

fn to_hex(digest: &Digest) -> String {
    digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::digest::Digester;
    use crate::owner::{Owner, User};
    use crate::record::Record;
    use crate::rights::Resource;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock::default())
    }

    fn of(record: &Record) -> Actor {
        let digests = Digests::new(record.digest, [Digest::from_bytes([8; 32])]);
        let actor = Actor::of(record, digests, &Scheme::Bearer, &ScopePolicy::default(), &clock());
        let any = Requirement::any_of(["a", "b.*"]).unwrap();
        let project = Resource::Project { organization: "acme", project: "web" };
        actor.requires("console".parse().unwrap()).requires_for(any, project)
    }

    #[test]
    fn an_opener_survives_its_text() {
        let digest = Digester::sha256().digest(b"text");
        let key = Record::imported(KeyId::new("key_1").unwrap(), digest, Owner::organization("acme"));
        let user = Record::of_user(User::new("ann@example.com", []), Environment::Test, &Scopes::default());
        for actor in [Actor::named("staff:3"), Actor::external("key_1"), of(&key), of(&user)] {
            let text = actor.to_json().unwrap();
            let decoded = Actor::from_json(&text, &ScopePolicy::default(), &clock()).unwrap();
            assert_eq!(decoded.to_json().unwrap(), text);
            assert_eq!(format!("{decoded:?}"), format!("{actor:?}"));
            assert_eq!(decoded.opener(), actor.opener());
        }
        assert_eq!((Actor::system().opener(), Actor::system().to_json()), (None, None));
    }

    #[test]
    fn a_name_is_not_the_id_of_a_key() {
        let digest = Digester::sha256().digest(b"text");
        let key = of(&Record::imported(KeyId::new("key_1").unwrap(), digest, Owner::organization("acme")));
        let names = [key, Actor::external("key_1"), Actor::named("key_1")].map(|actor| actor.opener());
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn a_text_that_was_tampered_with_is_no_opener() {
        for text in [
            json!(null),
            json!({}),
            json!({ "key": "key_1" }),
            json!({ "key": "key_1", "digests": [], "scheme": "Bearer", "requires": [] }),
            json!({ "key": "key_1", "digests": vec!["0".repeat(64); 5], "scheme": "Bearer", "requires": [] }),
            json!({ "key": "key_1", "digests": ["00"], "scheme": "Bearer", "requires": [] }),
            json!({ "key": "key_1", "digests": ["0".repeat(64)], "scheme": "X Y", "requires": [] }),
            json!({ "key": "key_1", "digests": ["0".repeat(64)], "scheme": "Bearer", "requires": [{ "scopes": "" }] }),
            json!({ "key": "key_1", "digests": ["0".repeat(64)], "scheme": "Bearer" }),
        ] {
            assert!(Actor::from_json(&text, &ScopePolicy::default(), &clock()).is_none(), "{text}");
        }
    }
}
