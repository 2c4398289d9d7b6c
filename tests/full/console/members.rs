//! Members and projects on the pages of an operator.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tower_api_key::backend::{Actor, Backend, KeyFilter, OwnerChange, OwnerStore};
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::limit::Plan;
use tower_api_key::manage::{ExternalCaller, KeyManager, NewKey};
use tower_api_key::owner::{Membership, Organization, Owner};
use tower_api_key::principal::Resource;
use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Requirement, Source};

use crate::console::browser::Browser;
use crate::console::sessions::forms::passwords;
use crate::console::world::{permissions, serve};

const ANN: &str = "ann@example.com";

struct Staff {
    store: MemoryStore,
    manager: KeyManager<MemoryStore>,
    base: String,
}

async fn signed_in(headers: HeaderMap) -> Result<SignedIn, StatusCode> {
    let operator = || SignedIn::operator(Actor::named("staff:ops")).unwrap();
    match headers["x-user"].to_str().unwrap() {
        "ops" => Ok(operator()),
        "auditor" => Ok(operator().read_only()),
        _ => Ok(ExternalCaller::new("user:ann", Owner::organization("acme"))
            .unwrap()
            .across_environments()
            .into()),
    }
}

impl Staff {
    async fn new() -> Self {
        let store = MemoryStore::new();
        for organization in ["acme", "<b>globex</b>"] {
            store.change_owner(OwnerChange::put_organization(Organization::new(organization))).await.unwrap();
        }
        let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
        let manager = manager.with_permissions(permissions());
        let console = Console::new(manager.clone()).unwrap().members();
        let base = format!("{}/staff", serve(Router::new().nest("/staff", console.routes(signed_in))).await);
        Self { store, manager, base }
    }

    fn as_user(&self, user: &'static str) -> Browser {
        Browser { base: self.base.clone(), user }
    }

    async fn scopes_of(&self, email: &str) -> Option<String> {
        let user = self.store.find_user(email).await.unwrap()?;
        user.memberships.first().map(|own| format!("{} {}", own.role, own.scopes))
    }
}

#[tokio::test]
async fn an_operator_adds_changes_and_removes_members() {
    let staff = Staff::new().await;
    let ops = staff.as_user("ops");
    assert!(ops.get("/keys").await.has(r#"href="./members""#));
    assert!(ops.get("/members?organization=acme").await.has("No members to show."));
    let long = "%F0%9F%94%91".repeat(255);
    let organization = Organization::new("\u{1f511}".repeat(255));
    staff.store.change_owner(OwnerChange::put_organization(organization.clone())).await.unwrap();
    for number in 0..30 {
        let id = format!("{number:02}-{}@example.com", "\u{1f511}".repeat(240));
        staff.manager.put_member(&organization.id, &id, "", "".parse().unwrap()).await.unwrap();
        staff.manager.put_project(&organization.id, &id).await.unwrap();
    }
    let page = ops.get(&format!("/members?organization={long}")).await;
    assert!(page.has("More members") && page.html.len() <= 50_000, "{} bytes", page.html.len());
    let put_as = async |change: &str, email: &str, role: &str, scopes: &str| {
        let fields = [
            ("organization", "acme"),
            ("change", change),
            ("email", email),
            ("role", role),
            ("scopes", scopes),
        ];
        ops.post("/members/put", &fields).await
    };
    let put = async |email: &str, role: &str, scopes: &str| put_as("", email, role, scopes).await;
    assert_eq!(
        put("Ann@example.com", "reader", "notes.read").await.location(),
        "../members?organization=acme"
    );
    assert_eq!(staff.scopes_of(ANN).await.unwrap(), "reader notes.read");
    put_as("yes", ANN, "writer", "notes.read notes.write").await.location();
    let (again, gone) =
        (put(ANN, "reader", "notes.read").await, put_as("yes", "bob@example.com", "", "").await);
    assert!(
        again.has("This user is a member already") && gone.has("This user is no member"),
        "{}",
        again.html
    );
    assert_eq!(
        (again.status, gone.status),
        (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY)
    );
    assert_eq!(staff.scopes_of("bob@example.com").await, None);
    assert_eq!(staff.scopes_of(ANN).await.unwrap(), "writer notes.read notes.write");
    let list = ops.get("/members?organization=acme").await;
    assert!(list.has(ANN) && list.has("<bdi>writer</bdi>"), "{}", list.html);
    let form = ops.get(&format!("/members?organization=acme&email={ANN}")).await;
    assert_eq!(
        (form.field("role").as_str(), form.field("scopes").as_str()),
        ("writer", "notes.read notes.write")
    );
    for (email, role, scopes) in [
        ("", "r", ""),
        ("bob@example.com", "r", "a\u{7f}b"),
        ("bob@example.com", &*"x".repeat(300), ""),
        ("a\u{202e}b@example.com", "", ""),
        ("bob", "", ""),
        ("bob@", "", ""),
        ("bob@example.com", "reader", "notes.raed"),
    ] {
        let answer = put(email, role, scopes).await;
        let kept = format!(r#"type="email" maxlength="255" value="{email}""#);
        assert!(answer.has(&kept), "{}", answer.html);
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{email} {role} {scopes}: {}",
            answer.html
        );
    }
    assert_eq!(staff.scopes_of(ANN).await.unwrap(), "writer notes.read notes.write");
    let typo = put("bob@example.com", "reader", "notes.raed").await;
    assert!(typo.has("no scope `notes.raed`; did you mean `notes.read`?"), "{}", typo.html);
    assert_eq!((&*typo.field("role"), &*typo.field("scopes")), ("reader", "notes.raed"));
    let unconfirmed = ops.post("/members/remove", &[("organization", "acme"), ("email", ANN)]).await;
    assert_eq!(unconfirmed.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unconfirmed.html);
    assert_eq!(staff.scopes_of(ANN).await.unwrap(), "writer notes.read notes.write");
    let member = [("organization", "acme"), ("email", ANN), ("confirmation", ANN)];
    ops.post("/members/remove", &member).await.location();
    assert_eq!(staff.scopes_of(ANN).await, None);
    assert_eq!(ops.post("/members/remove", &member).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ops.get("/members?organization=unknown").await.status, StatusCode::NOT_FOUND);
    let unknown = [("organization", "unknown"), ("email", "new@example.com"), ("role", ""), ("scopes", "")];
    assert_eq!(ops.post("/members/put", &unknown).await.status, StatusCode::NOT_FOUND);
    assert_eq!(staff.store.find_user("new@example.com").await.unwrap(), None);
    let odd = ops.get("/members?organization=%3Cb%3Eglobex%3C/b%3E").await;
    assert!(odd.status == StatusCode::OK && !odd.has("<b>"), "{}", odd.html);
}

#[tokio::test]
async fn members_and_projects_are_listed_in_small_pages() {
    let staff = Staff::new().await;
    let ops = staff.as_user("ops");
    let wide = "\u{1f511}".repeat(240);
    for number in 0..45 {
        let (email, project) = (format!("{number:02}-{wide}@example.com"), format!("{number:02}-{wide}"));
        staff.manager.put_member("acme", &email, &wide, "notes.read".parse().unwrap()).await.unwrap();
        staff.manager.put_project("acme", &project).await.unwrap();
    }
    let next = regex::Regex::new(r#"href="\./(members\?[^"]*)" rel="next">More (members|projects)"#).unwrap();
    for kind in ["members", "projects"] {
        let (mut path, mut found) = ("/members?organization=acme".to_owned(), Vec::new());
        loop {
            let page = ops.get(&path).await;
            assert!(page.html.len() <= 50_000, "{} bytes", page.html.len());
            let item =
                if kind == "members" { r#"<th scope="row"><bdi>(\d\d)-"# } else { r"<li><bdi>(\d\d)-" };
            let item = regex::Regex::new(item).unwrap();
            found.extend(item.captures_iter(&page.html).map(|item| item[1].to_owned()));
            let Some(following) = next.captures_iter(&page.html).find(|next| &next[2] == kind) else { break };
            path = format!("/{}", following[1].replace("&#38;", "&"));
        }
        assert_eq!(found, (0..45).map(|number| format!("{number:02}")).collect::<Vec<_>>(), "{kind}");
    }
}

#[tokio::test]
async fn a_deleted_project_revokes_its_keys_once_its_id_was_typed() {
    let staff = Staff::new().await;
    let ops = staff.as_user("ops");
    ops.post("/members/project", &[("organization", "acme"), ("project", "sink")]).await.location();
    let of_project = Owner::project(Organization::new("acme"), "sink");
    staff.manager.create(NewKey::new(of_project)).await.unwrap();
    let delete = async |confirmation: &str| {
        let fields = [
            ("organization", "acme"),
            ("project", "sink"),
            ("confirmation", confirmation),
            ("reason", "sold"),
        ];
        ops.post("/members/delete-project", &fields).await
    };
    let left = async || staff.manager.count_unrevoked(&KeyFilter::all(), 9).await.unwrap();
    let mistyped = delete("sin").await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(mistyped.field("reason"), "sold");
    assert_eq!(left().await, 1);
    delete("sink").await.location();
    assert_eq!(left().await, 0);
    let revoked = staff.manager.list(&KeyFilter::all(), None, 9).await.unwrap().remove(0).revoked.unwrap();
    assert_eq!((&*revoked.reason, revoked.by.as_deref()), ("sold", Some("staff:ops")));
    let again = [("organization", "acme"), ("project", "sink")];
    assert_eq!(ops.post("/members/project", &again).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_operator_sets_the_plan_of_an_organization() {
    let staff = Staff::new().await;
    let ops = staff.as_user("ops");
    staff.manager.put_plan(&Plan::new("paid", "burst=9/60s".parse().unwrap()).unwrap()).await.unwrap();
    let set_over = async |before: &str, plan: &str| {
        ops.post("/members/plan", &[("organization", "acme"), ("plan_before", before), ("plan", plan)]).await
    };
    let set = async |plan: &str| {
        let before = ops.get("/members?organization=acme").await.field("plan_before");
        set_over(&before, plan).await
    };
    let plan = async || staff.manager.organization("acme").await.unwrap().unwrap().plan;
    assert!(ops.get("/members?organization=acme").await.has("The organization has no plan."));
    assert_eq!(set("paid").await.location(), "../members?organization=acme");
    assert_eq!(plan().await.unwrap().name(), "paid");
    let page = ops.get("/members?organization=acme").await;
    assert!(page.has("the plan <code>paid</code>, <code>burst=9/60s</code>"), "{}", page.html);
    assert_eq!(page.field("plan"), "paid");
    for (name, says) in
        [("gold", "Plan: no plan with this name"), ("Paid", "Plan: the name of a plan must be")]
    {
        let wrong = set(name).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.has(says) && wrong.field("plan") == name, "{}", wrong.html);
    }
    // By forms that were opened before.
    for before in ["", "free"] {
        let late = set_over(before, "").await;
        assert_eq!(late.status, StatusCode::CONFLICT);
        assert!(late.has("The plan of the organization was changed"), "{}", late.html);
        assert_eq!((&*late.field("plan_before"), &*late.field("plan")), ("paid", ""));
        set_over(before, "paid").await.location();
        assert_eq!(plan().await.unwrap().name(), "paid");
    }
    set("").await.location();
    assert_eq!(plan().await, None);
    let unknown = ops.post("/members/plan", &[("organization", "unknown"), ("plan", "paid")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_operators_have_the_page_and_only_some_may_change_it() {
    let staff = Staff::new().await;
    staff.manager.put_member("acme", ANN, "reader", "notes.read".parse().unwrap()).await.unwrap();
    let put = [("organization", "acme"), ("email", "eve@example.com"), ("role", "admin"), ("scopes", "*")];
    for (user, seen, status) in [
        ("ann", StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
        ("auditor", StatusCode::OK, StatusCode::FORBIDDEN),
    ] {
        let browser = staff.as_user(user);
        assert_eq!(browser.get("/members?organization=acme").await.status, seen, "{user}");
        for path in ["put", "remove", "project", "delete-project", "plan"] {
            assert_eq!(browser.post(&format!("/members/{path}"), &put).await.status, status, "{user} {path}");
        }
    }
    assert!(!staff.as_user("ann").get("/keys").await.has("members"));
    assert!(!staff.as_user("auditor").get("/members?organization=acme").await.has("<form class=\"stack\""));
    let ops = staff.as_user("ops");
    assert_eq!(ops.post_from("cross-site", "/members/put", &put).await.status, StatusCode::FORBIDDEN);
    assert_eq!(staff.scopes_of("eve@example.com").await, None);
    assert_eq!(staff.scopes_of(ANN).await.unwrap(), "reader notes.read");
}

#[tokio::test]
async fn an_operator_neither_removes_nor_changes_its_own_membership() {
    let (store, passwords) = (MemoryStore::new(), passwords());
    let member = || Membership::new(Organization::new("staff"), "operator", "staff".parse().unwrap());
    let hash = passwords.hash("correct horse").await.unwrap();
    for change in [
        OwnerChange::put_organization(Organization::new("staff")),
        OwnerChange::put_user(ANN),
        OwnerChange::set_password(ANN, Some(hash)),
        OwnerChange::put_user("bob@example.com"),
    ] {
        store.change_owner(change).await.unwrap();
    }
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let key = manager.create(NewKey::for_user(ANN).scopes("*".parse().unwrap())).await.unwrap();
    let authenticator = Authenticator::builder(store.clone())
        .sources([Source::x_api_key(), Source::basic()])
        .passwords(passwords)
        .build()
        .unwrap();
    let basic = format!("Basic {}", STANDARD.encode(format!("{ANN}:correct horse")));
    for (name, value) in [("x-api-key", key.into_parts().0.as_str().to_owned()), ("authorization", basic)] {
        for email in [ANN, "bob@example.com"] {
            store.change_owner(OwnerChange::put_membership(email, member())).await.unwrap();
        }
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
        let actor = authenticator.authenticate(&headers).await.unwrap().actor();
        let needed = Requirement::all_of(["staff"]).unwrap();
        let actor = actor.requires_for(needed, Resource::Organization("staff"));
        let operator = SignedIn::operator(actor).unwrap();
        let console = Console::new(manager.clone().with_permissions(permissions())).unwrap().members();
        let routes = console.routes(move |_: ()| {
            let operator = operator.clone();
            async move { Ok::<_, ()>(operator) }
        });
        let ops = Browser { base: serve(routes).await, user: "" };
        let fields = |email| [("organization", "staff"), ("email", email), ("confirmation", email)];
        let change = [&fields(ANN)[..2], &[("change", "yes"), ("role", ""), ("scopes", "")]].concat();
        for page in [
            ops.post("/members/remove", &fields(ANN)).await,
            ops.post("/members/remove", &fields("Ann@Example.com")).await,
            ops.post("/members/put", &change).await,
        ] {
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(page.has("another operator has to make this change"), "{}", page.html);
        }
        ops.post("/members/remove", &fields("bob@example.com")).await.location();
        let left = manager.members("staff", None, 10).await.unwrap();
        let left: Vec<_> = left.iter().map(|user| (&*user.email, &*user.memberships[0].role)).collect();
        assert_eq!(left, [(ANN, "operator")], "{name}");
    }
}
