//! One tenant attacks the keys of another by every route of the description, with a key and with a session: it sees nothing, changes nothing,
//! and gets the responses that it would get if the other tenant did not exist.

use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tower_api_key::backend::{Grace, UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::manage::{ExternalCaller, ManageSettings, NewKey, OPENAPI, RotateOptions, routes};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, Record, Requirement, Scopes};

use crate::manage::schema::Schema;
use crate::manage::world::{START, World};

/// In every text of the attacked tenant.
const MARK: &str = "bravo";
/// The requests of each key of the attacked tenant, and how each sum of them begins.
const REQUESTS: (u64, &str) = (7_654_300_000, "76543");

/// An operation of the description, with the names of its query parameters and fields.
struct Operation {
    method: String,
    path: String,
    parameters: Vec<(String, Value)>,
    fields: Vec<String>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let resolve = |value| Schema::resolve(&document, value);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolve);
            let parameters = parameters.filter(|parameter| parameter["in"] == "query");
            let parameters = parameters
                .map(|one| (one["name"].as_str().unwrap().to_owned(), resolve(&one["schema"]).clone()));
            let schema = &resolve(&operation["requestBody"])["content"]["application/json"]["schema"];
            let fields = resolve(schema)["properties"].as_object().into_iter().flatten();
            let one = |method: &str| Operation {
                method: method.to_uppercase(),
                path: format!("/admin{path}"),
                parameters: parameters.clone().collect(),
                fields: fields.clone().map(|(name, _)| name.clone()).collect(),
            };
            found.push(one(method));
            if method == "get" {
                found.push(one("head"));
            }
        }
    }
    assert!(found.len() > 10, "{}", found.len());
    found
}

/// A value of the attacked tenant, and one of the same form and order that no tenant has.
struct Foreign {
    real: String,
    made_up: String,
}

/// A request. `<0>` stands for the first foreign value.
#[derive(Debug)]
struct Template {
    method: String,
    path: String,
    body: String,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    headers: String,
    body: String,
}

/// A service with two tenants, and the callers of one.
struct Tenants {
    world: World,
    /// The routes with sessions, beside those of `world`, with keys.
    by_session: Router,
    /// The header of each caller.
    callers: Vec<(&'static str, String)>,
    /// A key of the attacker.
    own: String,
    foreign: Vec<Foreign>,
    /// The number of foreign values that are ids of keys, which come first.
    ids: usize,
    attacked: Vec<Record>,
    usage: Vec<UsageLine>,
    /// The requests of the attacker that changed something.
    sent: Mutex<String>,
}

fn all() -> Scopes {
    Scopes::parse("*").unwrap()
}

fn owners(tenant: &str) -> [Owner; 3] {
    let project = Owner::project(Organization::new(tenant), "web");
    [Owner::organization(tenant), project, Owner::user(format!("ann@{tenant}.example"), [])]
}

fn seal(text: &str) -> String {
    URL_SAFE_NO_PAD.encode([text.as_bytes(), &crc32fast::hash(text.as_bytes()).to_be_bytes()].concat())
}

/// Returns an id that no key has, at the place of this one among all ids.
fn made_up(id: &str) -> String {
    let (rest, last) = id.split_at(id.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

impl Tenants {
    async fn new() -> Self {
        let world = World::new();
        let attacked = attacked(&world).await;
        let count = |key: &Record| {
            let count =
                UsageCount::new(key.id.clone(), key.environment, key.owner.clone(), REQUESTS.0, START);
            count.routes([(format!("/{MARK}"), REQUESTS.0)])
        };
        let batch = UsageBatch::new("meter", 1, attacked.iter().map(count));
        world.backend.get_ref().add_usage(&batch).await.unwrap();

        let (mut callers, mut sessions) = (Vec::new(), Vec::new());
        for owner in owners("alpha") {
            for environment in [Environment::Live, Environment::Test] {
                let key = world.key(NewKey::new(owner.clone()).environment(environment).scopes(all())).await;
                callers.push(("authorization", format!("Bearer {}", key.text)));
                let session = ExternalCaller::new("user:ann", owner.clone()).unwrap().scopes(all());
                sessions.extend([session.clone().environment(environment), session.across_environments()]);
            }
        }
        callers.extend((0..sessions.len()).map(|session| ("x-session", session.to_string())));
        let own = world.key(NewKey::new(Owner::organization("alpha")).scopes(all())).await;

        let ids = attacked.iter().map(|key| key.id.to_string());
        let mut foreign: Vec<_> = ids.map(|real| Foreign { made_up: made_up(&real), real }).collect();
        let ids = foreign.len();
        for (index, key) in attacked.iter().enumerate() {
            let Foreign { real, made_up } = &foreign[index];
            let line = |id: &str| seal(&format!("{} {} {id}", Day::from(START), key.environment));
            let cursors = [(seal(real), seal(made_up)), (line(real), line(made_up))];
            foreign.extend(cursors.map(|(real, made_up)| Foreign { real, made_up }));
        }
        for real in [MARK.to_owned(), format!("ann@{MARK}.example")] {
            foreign.push(Foreign { made_up: real.replace(MARK, "delta"), real });
        }
        let mut tenants = Self {
            by_session: by_session(&world, sessions),
            callers,
            own: own.record.id.to_string(),
            foreign,
            ids,
            attacked: Vec::new(),
            usage: Vec::new(),
            sent: Mutex::default(),
            world,
        };
        (tenants.attacked, tenants.usage) = tenants.state().await;
        assert_eq!(tenants.attacked.len(), attacked.len());
        tenants
    }

    /// Returns the keys and the usage of the attacked tenant.
    async fn state(&self) -> (Vec<Record>, Vec<UsageLine>) {
        let mut keys = self.world.all().await;
        keys.retain(|key| owners(MARK).contains(&key.owner));
        let query = UsageQuery::new(Day::from(START), Day::from(START)).by(UsageBy::Key);
        let mut usage = self.world.manager.query_usage(&query).await.unwrap();
        usage.retain(|line| keys.iter().any(|key| Some(&key.id) == line.key.as_ref()));
        (keys, usage)
    }

    fn render(&self, text: &str, value: impl Fn(&Foreign) -> &str) -> String {
        let values = self.foreign.iter().enumerate();
        values.fold(text.to_owned(), |text, (index, one)| text.replace(&format!("<{index}>"), value(one)))
    }

    /// Sends a request with foreign values, or with made-up ones in their place.
    async fn send(
        &self,
        (name, value): &(&'static str, String),
        template: &Template,
        pick: impl Fn(&Foreign) -> &str,
    ) -> Answer {
        let request = Request::builder()
            .method(&*template.method)
            .uri(self.render(&template.path, &pick))
            .header(*name, value)
            .body(Body::from(self.render(&template.body, &pick)))
            .unwrap();
        let app = if *name == "x-session" { &self.by_session } else { &self.world.app };
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: format!("{:?}", parts.headers), body }
    }

    /// Sends a request, and compares the response with that to a request that names nothing of the attacked tenant.
    async fn attack(&self, caller: &(&'static str, String), template: &Template) {
        let context = format!("{caller:?} {template:?}");
        let real = self.send(caller, template, |one| &one.real).await;
        assert_ne!(real.status, StatusCode::UNAUTHORIZED, "{context}");
        assert_ne!(real.status, StatusCode::INTERNAL_SERVER_ERROR, "{context}");

        // What the attacker has sent may be in the response, or in keys of its own.
        let mut sent = self.sent.lock().unwrap().clone();
        sent += &self.render(&format!("{}{}", template.path, template.body), |one| &one.real);
        if real.status.is_success() && template.method != "GET" {
            self.sent.lock().unwrap().clone_from(&sent);
        }
        let texts = self.attacked.iter().flat_map(|key| [key.id.as_str(), &key.hint]);
        for secret in texts.chain([MARK, REQUESTS.1]).filter(|secret| !sent.contains(secret)) {
            assert!(
                !real.body.contains(secret) && !real.headers.contains(secret),
                "{secret}: {context} {real:?}"
            );
        }
        // A new key differs from every other, and the second change of a key from the first.
        let is_repeatable = real.status != StatusCode::CREATED && !template.path.contains(&self.own);
        if is_repeatable {
            let mut other = self.send(caller, template, |one| &one.made_up).await;
            for Foreign { real, made_up } in &self.foreign {
                other.body = other.body.replace(made_up, real);
            }
            assert_eq!(real, other, "{context}");
        }
    }

    async fn assert_unchanged(&self) {
        let (keys, usage) = self.state().await;
        assert_eq!(keys, self.attacked);
        assert_eq!(usage, self.usage);
    }
}

/// Creates the keys of the attacked tenant: of each owner, in each environment and state.
async fn attacked(world: &World) -> Vec<Record> {
    let mut keys = Vec::new();
    for owner in owners(MARK) {
        for environment in [Environment::Live, Environment::Test] {
            let new = NewKey::new(owner.clone()).environment(environment).scopes(all());
            let new = || new.clone().name(MARK).created_by(MARK).labels([("team", MARK)]);
            let [active, revoked, rotated] =
                [world.key(new()).await, world.key(new()).await, world.key(new()).await];
            let expired = world.key(new().expires_at(START.saturating_add(Duration::from_millis(1)))).await;
            world.manager.revoke(&revoked.record.id, MARK).await.unwrap();
            let options = RotateOptions::new(Grace::FromFirstUse(Duration::from_secs(3_600)));
            let successor = world.manager.rotate(&rotated.record.id, options).await.unwrap();
            keys.extend([active, revoked, rotated, expired].map(|key| key.record));
            keys.push(successor.record().clone());
        }
    }
    world.passes(Duration::from_millis(1));
    keys
}

/// Returns the routes for callers with a session: its number among these.
fn by_session(world: &World, sessions: Vec<ExternalCaller>) -> Router {
    let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
    let settings = ManageSettings::new(needs("keys.read"), needs("keys.write"));
    let settings = settings.resolve_callers(move |headers: HeaderMap| {
        let session = headers.get("x-session").and_then(|session| session.to_str().ok()?.parse().ok());
        let caller = session.and_then(|session: usize| sessions.get(session).cloned());
        async { caller.ok_or(StatusCode::UNAUTHORIZED) }
    });
    Router::new().nest("/admin", routes(world.manager.clone(), settings))
}

#[test]
fn a_key_of_another_tenant_gets_the_response_to_an_id_that_no_key_has() {
    Runtime::new().unwrap().block_on(async {
        let tenants = Tenants::new().await;
        for Operation { method, path, .. } in operations() {
            // An operation without an id is about the caller's own keys.
            let ids = if path.contains("{id}") { tenants.ids } else { 1 };
            for caller in &tenants.callers {
                for id in 0..ids {
                    for body in ["", r#"{"name":"renamed"}"#, r#"{"grace_seconds":60}"#] {
                        let path = path.replace("{id}", &format!("<{id}>"));
                        let template = Template { method: method.clone(), path, body: body.to_owned() };
                        tenants.attack(caller, &template).await;
                    }
                }
            }
        }
        tenants.assert_unchanged().await;
    });
}

/// What is drawn for a request.
type Draw = (Index, Index, Index, bool, Vec<(Index, Index)>, Vec<(Index, Index)>);

fn draw() -> impl Strategy<Value = Draw> {
    let pairs = || prop::collection::vec(any::<(Index, Index)>(), 0..4);
    (any::<Index>(), any::<Index>(), any::<Index>(), any::<bool>(), pairs(), pairs())
}

/// Returns a request by what was drawn.
fn template(tenants: &Tenants, operations: &[Operation], draw: &Draw) -> Template {
    let (_, operation, target, is_own, parameters, fields) = draw;
    let operation = operation.get(operations);
    let foreign = |index: Index| format!("<{}>", index.index(tenants.foreign.len()));
    let id = if *is_own { tenants.own.clone() } else { format!("<{}>", target.index(tenants.ids)) };

    let mut query = Vec::new();
    for (name, value) in parameters {
        let others = ["owner", "organization", "project", "user", "environment", "key", "id"];
        let known = operation.parameters.iter().map(|(name, schema)| (&**name, schema));
        let names: Vec<_> = known.chain(others.map(|name| (name, &Value::Null))).collect();
        let (name, schema) = name.get(&names);
        let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut values: Vec<String> = listed.map(str::to_owned).collect();
        values.extend(["1", "100", "2027-01-15"].map(str::to_owned));
        values.extend([foreign(*value), foreign(*value)]);
        query.push(format!("{name}={}", value.get(&values)));
    }
    let mut body = serde_json::Map::new();
    for (name, value) in fields {
        let others =
            ["owner", "id", "organization", "project", "user", "created_by", "environment", "sources"];
        let names: Vec<_> = operation.fields.iter().map(String::as_str).chain(others).collect();
        let foreign = foreign(*value);
        let values = [
            json!("a text"),
            json!(["notes.read"]),
            json!([]),
            json!(true),
            json!(3_600),
            json!(null),
            json!("2099-01-01T00:00:00Z"),
            json!({ "team": foreign }),
            json!({ "organization": foreign }),
            json!([foreign]),
            json!(foreign),
        ];
        body.insert((*name.get(&names)).to_owned(), value.get(&values).clone());
    }
    let path = format!("{}?{}", operation.path.replace("{id}", &id), query.join("&"));
    Template { method: operation.method.clone(), path, body: Value::from(body).to_string() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_requests_shows_or_changes_a_key_of_another_tenant(
        draws in prop::collection::vec(draw(), 1..40),
    ) {
        Runtime::new().unwrap().block_on(async {
            let (tenants, operations) = (Tenants::new().await, operations());
            for draw in &draws {
                let template = template(&tenants, &operations, draw);
                tenants.attack(draw.0.get(&tenants.callers), &template).await;
            }
            tenants.assert_unchanged().await;
        });
    }
}
