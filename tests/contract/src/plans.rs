//! Limits of keys by plans, which keys and organizations refer to.

use tower_api_key::backend::{
    BackendError, BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate, OwnerChange,
    OwnerStore, PlanStore,
};
use tower_api_key::limit::Plan;
use tower_api_key::manage::{ExternalCaller, KeyManager, ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::owner::{Membership, Organization, Project, User};
use tower_api_key::{KeyFormat, Owner, Record, Scopes};

use crate::caller::Caller;
use crate::samples::{self, id};

fn plan(name: &str, limits: &str) -> Plan {
    Plan::new(name, limits.parse().unwrap()).unwrap()
}

fn named(name: &str) -> Plan {
    Plan::named(name).unwrap()
}

/// Puts the plans `free` and `pro`.
async fn put<S: PlanStore>(store: &S) -> [Plan; 2] {
    let plans = [plan("free", "burst=10/60s monthly=1000/month/owner"), plan("pro", "burst=100/60s")];
    for plan in &plans {
        store.put_plan(plan).await.unwrap();
    }
    plans
}

async fn insert<S: KeyStore>(store: &S, record: Record) -> Record {
    store.change(KeyChange::insert(record)).await.unwrap().record.unwrap()
}

async fn update<S: KeyStore>(store: &S, name: &str, update: KeyUpdate) -> Record {
    store.change(KeyChange::update(&id(name), update)).await.unwrap().record.unwrap()
}

/// Checks that each read of a key has this plan, with its limits, and returns the texts of all limits in force.
async fn shows<S: KeyStore>(store: &S, name: &str, plan: Option<&Plan>) -> String {
    let found = store.find(&samples::digest(name)).await.unwrap().unwrap();
    assert_eq!(found.plan.as_ref(), plan);
    assert_eq!(store.get(&id(name)).await.unwrap().as_ref(), Some(&found));
    let listed = store.list(&KeyFilter::all(), None, 9).await.unwrap();
    assert!(listed.contains(&found), "{listed:?}");
    let searched = store.search(&KeyFilter::all().name_starts_with(""), None, 9).await.unwrap();
    assert!(searched.contains(&found), "{searched:?}");
    texts(&found)
}

fn texts(record: &Record) -> String {
    record.all_limits().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn assert_unknown_plan(error: &BackendError) {
    assert_eq!((error.kind(), error.field()), (BackendErrorKind::Invalid, Some("plan")), "{error}");
    assert!(error.to_string().contains("no plan with this name"), "{error}");
}

pub async fn plans_read_back_in_pages<S: PlanStore>(store: S) {
    let [free, pro] = put(&store).await;
    let others = ["a", "b-9", "z_0"].map(|name| plan(name, ""));
    for plan in &others {
        store.put_plan(plan).await.unwrap();
    }
    assert_eq!(store.plan("free").await.unwrap(), Some(free.clone()));
    for unknown in ["", "fre", "FREE", "freee"] {
        assert_eq!(store.plan(unknown).await.unwrap(), None, "{unknown}");
    }
    let free_again = plan("free", "daily=7/day");
    store.put_plan(&free_again).await.unwrap();

    let mut plans: Vec<Plan> = Vec::new();
    loop {
        let after = plans.last().map(|plan| plan.name().to_owned());
        let page = store.plans(after.as_deref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        plans.extend(page.clone());
        if page.len() < 2 {
            break;
        }
    }
    let [a, b, z] = others;
    assert_eq!(plans, [a, b, free_again, pro, z]);

    store.delete_plan("free").await.unwrap();
    assert_eq!(store.plan("free").await.unwrap(), None);
    let error = store.delete_plan("free").await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("no plan"), "{error}");

    // A name alone is a reference, and no plan without limits.
    for name in ["free", "pro"] {
        let before = store.plan(name).await.unwrap();
        let error = store.put_plan(&named(name)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("is given by its name alone"), "{error}");
        assert_eq!(store.plan(name).await.unwrap(), before);
    }
}

pub async fn a_key_has_the_current_limits_of_its_plan<S: KeyStore + PlanStore>(store: S) {
    let [free, pro] = put(&store).await;
    let own = samples::plain("key").limits("burst=1/1s".parse().unwrap()).plan(named("free"));
    let inserted = insert(&store, own).await;
    assert_eq!(inserted.plan.as_ref(), Some(&free));
    // A limit of the key takes the place of the one of its plan.
    assert_eq!(shows(&store, "key", Some(&free)).await, "burst=1/1s monthly=1000/month/owner");

    let free = plan("free", "daily=7/day");
    store.put_plan(&free).await.unwrap();
    assert_eq!(shows(&store, "key", Some(&free)).await, "burst=1/1s daily=7/day");

    // Whatever limits come with the name: the plan is the store's.
    let stale = plan("pro", "burst=1000000/1s");
    assert_eq!(update(&store, "key", KeyUpdate::new().plan(stale)).await.plan.as_ref(), Some(&pro));
    assert_eq!(
        update(&store, "key", KeyUpdate::new().limits("".parse().unwrap())).await.plan.as_ref(),
        Some(&pro)
    );
    assert_eq!(shows(&store, "key", Some(&pro)).await, "burst=100/60s");

    let limits = KeyUpdate::new().limits("daily=5/day".parse().unwrap());
    update(&store, "key", limits).await;
    let rotated = store.change(samples::rotate("key", "new", 5, Grace::None)).await.unwrap().record.unwrap();
    assert_eq!(texts(&rotated), "daily=5/day burst=100/60s");
    assert_eq!(shows(&store, "new", Some(&pro)).await, "daily=5/day burst=100/60s");
    assert_eq!(update(&store, "new", KeyUpdate::new().without_plan()).await.plan, None);
    assert_eq!(shows(&store, "new", None).await, "daily=5/day");
    store.change(samples::rotate("new", "newer", 6, Grace::None)).await.unwrap();
    let newer = store.get(&id("newer")).await.unwrap().unwrap();
    assert_eq!(newer.first_rotated_from, Some(id("key")), "limits count all three as one");
}

pub async fn a_plan_that_is_not_there_is_not_referred_to<S: KeyStore + PlanStore>(store: S) {
    put(&store).await;
    insert(&store, samples::plain("key").plan(named("free"))).await;
    let keys = async || store.list(&KeyFilter::all(), None, 9).await.unwrap();
    let before = keys().await;
    let unknown = || samples::plain("other").plan(plan("gold", "burst=1000/1s"));
    let revocation = samples::revocation(1, "replaced");
    for change in [
        KeyChange::insert(unknown()),
        KeyChange::insert_exclusive(unknown(), &KeyFilter::all(), revocation),
        KeyChange::update(&id("key"), KeyUpdate::new().name("renamed").plan(named("gold"))),
    ] {
        assert_unknown_plan(&store.change(change).await.unwrap_err());
    }
    assert_eq!(keys().await, before);
}

pub async fn a_plan_that_a_key_has_is_not_deleted<S: KeyStore + PlanStore>(store: S) {
    let [free, _] = put(&store).await;
    insert(&store, samples::plain("key").plan(named("free"))).await;
    insert(&store, samples::plain("ended").plan(named("free"))).await;
    store.change(samples::revoke("ended", 1, "lost")).await.unwrap();
    let in_use = async || {
        let error = store.delete_plan("free").await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("has the plan"), "{error}");
        assert_eq!(store.plan("free").await.unwrap().as_ref(), Some(&free));
    };
    in_use().await;
    update(&store, "key", KeyUpdate::new().plan(named("pro"))).await;
    // Of an expired key, the expiry can be postponed.
    let at = tower_api_key::Timestamp::from_unix_millis;
    update(&store, "key", KeyUpdate::new().plan(named("free")).expires_at(at(1))).await;
    in_use().await;
    store.change(samples::revoke("key", 2, "lost")).await.unwrap();
    // A revoked one never makes a request again, and is shown without a plan from then on.
    store.delete_plan("free").await.unwrap();
    assert_eq!(store.plan("free").await.unwrap(), None);
    for name in ["key", "ended"] {
        assert_eq!(shows(&store, name, None).await, "", "{name}");
    }
    assert_eq!(store.delete_plan("free").await.unwrap_err().kind(), BackendErrorKind::NotFound);
    let insert_new = || store.change(KeyChange::insert(samples::plain("new").plan(free.clone())));
    assert_unknown_plan(&insert_new().await.unwrap_err());
    // Nor do they hold a later plan of this name.
    store.put_plan(&free).await.unwrap();
    store.delete_plan("free").await.unwrap();
    assert_unknown_plan(&insert_new().await.unwrap_err());
    store.change(samples::revoke("key", 3, "again")).await.unwrap();
    assert_eq!(shows(&store, "key", None).await, "");
}

pub async fn a_key_gets_no_plan_that_is_deleted_meanwhile<S: KeyStore + PlanStore + Clone>(store: S) {
    for round in 0..10 {
        put(&store).await;
        let name = format!("key_{round}");
        let insert = KeyChange::insert(samples::plain(&name).plan(named("free")));
        let (inserts, deletes) = (store.clone(), store.clone());
        let inserted = tokio::spawn(async move { inserts.change(insert).await });
        let deleted = tokio::spawn(async move { deletes.delete_plan("free").await });
        match (inserted.await.unwrap(), deleted.await.unwrap()) {
            (Ok(_), Err(error)) => assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}"),
            (Err(error), Ok(())) => assert_unknown_plan(&error),
            both => panic!("one of them came first: {both:?}"),
        }
        if store.get(&id(&name)).await.unwrap().is_some() {
            store.change(samples::revoke(&name, 1, "lost")).await.unwrap();
        }
    }
}

async fn in_force<S: PlanStore + Clone>(caller: &Caller<S>, name: &str) -> String {
    let principal = caller.admit(name).await.unwrap();
    principal.limits().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub async fn a_changed_plan_is_in_force_for_the_very_next_request<S: KeyStore + PlanStore + Clone>(store: S) {
    put(&store).await;
    insert(&store, samples::plain("key").plan(named("pro"))).await;
    let caller = Caller::of(&store);
    caller.warm("key").await.unwrap();
    assert_eq!(in_force(&caller, "key").await, "burst=100/60s");

    // Put again as it was, by a caller whose first answer was lost: another process may have made the change, which is not known here yet.
    let reads = caller.reads();
    store.put_plan(&plan("pro", "burst=100/60s")).await.unwrap();
    assert_eq!(in_force(&caller, "key").await, "burst=100/60s");
    assert_eq!(caller.reads(), reads + 1, "it is read again");

    store.put_plan(&plan("pro", "burst=200/60s")).await.unwrap();
    assert_eq!(in_force(&caller, "key").await, "burst=200/60s");
    update(&store, "key", KeyUpdate::new().plan(named("free"))).await;
    assert_eq!(in_force(&caller, "key").await, "burst=10/60s monthly=1000/month/owner");
    update(&store, "key", KeyUpdate::new().limits("burst=3/60s".parse().unwrap())).await;
    assert_eq!(in_force(&caller, "key").await, "burst=3/60s monthly=1000/month/owner");
}

pub async fn a_delegate_sets_no_limits_and_passes_on_its_own<S: KeyStore + PlanStore + Clone>(store: S) {
    let [free, _] = put(&store).await;
    for name in ["caller", "unlimited"] {
        let record = samples::plain(name).scopes(Scopes::parse("notes.read").unwrap());
        insert(&store, record).await;
    }
    let limited = KeyUpdate::new().limits("burst=5/60s".parse().unwrap()).plan(named("free"));
    update(&store, "caller", limited).await;
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let principals = Caller::of(&store);
    let caller = principals.admit("caller").await.unwrap();
    let delegate = manager.on_behalf_of(&caller);
    let keys = async || store.list(&KeyFilter::all(), None, 9).await.unwrap();
    let before = keys().await;

    let more = || "burst=6/60s".parse().unwrap();
    for (new, field) in
        [(delegate.new_key().limits(more()), "limits"), (delegate.new_key().plan(named("pro")), "plan")]
    {
        let error = delegate.create(new).await.unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Forbidden, field));
    }
    let none = || KeyUpdate::new().without_plan();
    for (wanted, field) in [
        (KeyUpdate::new().limits(more()), "limits"),
        (KeyUpdate::new().limits("".parse().unwrap()), "limits"),
        (KeyUpdate::new().plan(named("pro")), "plan"),
        (KeyUpdate::new().plan(named("no-such-plan")), "plan"),
        (none(), "plan"),
    ] {
        for name in ["caller", "unlimited"] {
            let error = delegate.update(&id(name), wanted.clone()).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.fields()[0].field),
                (ManageErrorKind::Forbidden, field),
                "{name}"
            );
        }
    }
    assert_eq!(keys().await, before);

    let child = delegate.create(delegate.new_key()).await.unwrap().record().clone();
    assert_eq!(
        (texts(&child).as_str(), child.plan.as_ref()),
        ("burst=5/60s monthly=1000/month/owner", Some(&free))
    );
    let successor = delegate.rotate(&child.id, RotateOptions::new(Grace::None)).await.unwrap();
    assert_eq!(texts(successor.record()), "burst=5/60s monthly=1000/month/owner");
    assert_eq!(texts(&delegate.get(&child.id).await.unwrap()), "burst=5/60s monthly=1000/month/owner");

    // A caller without a key passes on what the application gives it.
    let external = || ExternalCaller::new("user:17", Owner::organization("acme")).unwrap();
    let limited = external().limits("burst=5/60s".parse().unwrap()).plan(named("free"));
    // One that was admitted by a key may get other scopes, and keeps its limits.
    let rescoped = ExternalCaller::from(&caller).scopes(Scopes::default());
    for external in [limited, rescoped] {
        let delegate = manager.on_behalf_of_external(external);
        for new in [delegate.new_key().limits(more()), delegate.new_key().plan(named("pro"))] {
            assert_eq!(delegate.create(new).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
        }
        let child = delegate.create(delegate.new_key()).await.unwrap().record().clone();
        assert_eq!(texts(&child), "burst=5/60s monthly=1000/month/owner");
    }
    let delegate = manager.on_behalf_of_external(external());
    let limited = delegate.create(delegate.new_key().limits(more())).await.unwrap_err();
    assert_eq!(limited.kind(), ManageErrorKind::Forbidden);
    assert_eq!(texts(delegate.create(delegate.new_key()).await.unwrap().record()), "");

    // The key of a caller without limits has none to pass on.
    let other = principals.admit("unlimited").await.unwrap();
    let delegate = manager.on_behalf_of(&other);
    let child = delegate.create(NewKey::for_organization("acme")).await.unwrap().record().clone();
    assert_eq!((texts(&child).as_str(), child.plan), ("", None));
}

pub async fn the_plan_of_an_organization_is_that_of_its_keys_and_projects<
    S: KeyStore + OwnerStore + PlanStore + Clone,
>(
    store: S,
) {
    let [free, _] = put(&store).await;
    let acme = || Organization::new("acme").plan(named("free"));
    let change = async |change| store.change_owner(change).await.unwrap();
    change(OwnerChange::put_organization(acme())).await;
    change(OwnerChange::put_project("acme", "sink")).await;
    change(OwnerChange::put_user("ann@example.com")).await;
    let role = Membership::new(acme(), "reader", Scopes::parse("*").unwrap());
    change(OwnerChange::put_membership("ann@example.com", role)).await;

    let current = Organization::new("acme").plan(free.clone());
    assert_eq!(store.organization("acme").await.unwrap(), Some(current.clone()));
    assert_eq!(store.project("acme", "sink").await.unwrap(), Some(Project::new(current.clone(), "sink")));
    assert_eq!(store.projects("acme", None, 9).await.unwrap(), [Project::new(current, "sink")]);
    let ann = store.find_user("ann@example.com").await.unwrap().unwrap();
    assert_eq!(store.members("acme", None, 9).await.unwrap(), [ann.clone()]);
    assert_eq!(ann.memberships[0].organization, Organization::new("acme"), "no plan of a user");

    for (name, owner) in [
        ("organization", Owner::organization("acme")),
        ("project", Owner::project(Organization::new("acme"), "sink")),
        ("user", Owner::user("ann@example.com", [])),
        ("own", Owner::organization("acme")),
    ] {
        let record = Record::imported(id(name), samples::digest(name), owner);
        let record = if name == "own" { record.plan(named("pro")) } else { record };
        let inserted = insert(&store, record).await;
        assert_eq!(store.get(&id(name)).await.unwrap(), Some(inserted));
    }
    const FREE: &str = "burst=10/60s monthly=1000/month/owner";
    let caller = Caller::of(&store);
    caller.warm("organization").await.unwrap();
    let expects = async |expected: [(&str, &str); 4]| {
        for (name, limits) in expected {
            assert_eq!(in_force(&caller, name).await, limits, "{name}");
            assert_eq!(texts(&store.get(&id(name)).await.unwrap().unwrap()), limits, "{name}");
        }
    };
    expects([("organization", FREE), ("project", FREE), ("user", ""), ("own", "burst=100/60s")]).await;
    assert_eq!(shows(&store, "organization", None).await, FREE);

    store.put_plan(&plan("free", "daily=7/day")).await.unwrap();
    let changed = "daily=7/day";
    expects([("organization", changed), ("project", changed), ("user", ""), ("own", "burst=100/60s")]).await;

    change(OwnerChange::set_organization_plan("acme", Some(named("pro")))).await;
    let changed = "burst=100/60s";
    expects([("organization", changed), ("project", changed), ("user", ""), ("own", changed)]).await;
    update(&store, "own", KeyUpdate::new().plan(named("free"))).await;

    change(OwnerChange::set_organization_plan("acme", None)).await;
    expects([("organization", ""), ("project", ""), ("user", ""), ("own", "daily=7/day")]).await;
}

pub async fn an_organization_that_is_put_again_keeps_its_plan<
    S: KeyStore + OwnerStore + PlanStore + Clone,
>(
    store: S,
) {
    let [free, pro] = put(&store).await;
    let change = async |change| store.change_owner(change).await;
    change(OwnerChange::put_organization(Organization::new("acme").plan(named("free")))).await.unwrap();
    // By a caller that does not think of plans.
    for disabled in [true, false] {
        let acme = Organization::new("acme").disabled(disabled);
        change(OwnerChange::put_organization(acme.clone())).await.unwrap();
        assert_eq!(store.organization("acme").await.unwrap(), Some(acme.plan(free.clone())));
    }
    // As it was read.
    let read = store.organization("acme").await.unwrap().unwrap();
    change(OwnerChange::put_organization(read.clone().requires_sso(true))).await.unwrap();
    let before = store.organization("acme").await.unwrap();
    assert_eq!(before, Some(read.requires_sso(true)));
    // As it was read before its plan was changed, and the former one deleted: it is disabled all the same.
    let read = before.unwrap();
    change(OwnerChange::set_organization_plan("acme", Some(named("pro")))).await.unwrap();
    store.delete_plan("free").await.unwrap();
    change(OwnerChange::put_organization(read.clone().disabled(true))).await.unwrap();
    assert_eq!(store.organization("acme").await.unwrap(), Some(read.disabled(true).plan(pro)));
    // One that has none gets that of the put.
    change(OwnerChange::put_organization(Organization::new("plain"))).await.unwrap();
    change(OwnerChange::put_organization(Organization::new("plain").plan(named("pro")))).await.unwrap();
    let expected = Organization::new("plain").plan(store.plan("pro").await.unwrap().unwrap());
    assert_eq!(store.organization("plain").await.unwrap(), Some(expected), "it had none");
}

pub async fn the_plan_of_a_user_is_that_of_the_users_keys<S: KeyStore + OwnerStore + PlanStore + Clone>(
    store: S,
) {
    const ANN: &str = "ann@example.com";
    let [free, _] = put(&store).await;
    let change = async |change| store.change_owner(change).await;
    change(OwnerChange::put_user(ANN)).await.unwrap();
    for (name, plan) in [("of-user", None), ("own", Some(named("pro")))] {
        let mut record = Record::imported(id(name), samples::digest(name), Owner::user(ANN, []));
        record.plan = plan;
        insert(&store, record).await;
    }
    let caller = Caller::of(&store);
    caller.warm("of-user").await.unwrap();
    assert_eq!(in_force(&caller, "of-user").await, "");

    change(OwnerChange::set_user_plan("Ann@Example.com", Some(named("free")))).await.unwrap();
    let expected = User::new(ANN, []).plan(free);
    assert_eq!(store.find_user(ANN).await.unwrap(), Some(expected.clone()));
    const FREE: &str = "burst=10/60s monthly=1000/month/owner";
    assert_eq!(in_force(&caller, "of-user").await, FREE);
    assert_eq!(in_force(&caller, "own").await, "burst=100/60s");
    assert_eq!(store.get(&id("of-user")).await.unwrap().unwrap().owner, Owner::User(expected.clone()));
    assert_eq!(shows(&store, "of-user", None).await, FREE);
    change(OwnerChange::put_user(ANN)).await.unwrap();
    change(OwnerChange::set_password(ANN, None)).await.unwrap();
    assert_eq!(store.find_user(ANN).await.unwrap(), Some(expected), "it stays");
    store.put_plan(&plan("free", "daily=7/day")).await.unwrap();
    assert_eq!(in_force(&caller, "of-user").await, "daily=7/day");

    assert_eq!(store.delete_plan("free").await.unwrap_err().kind(), BackendErrorKind::Conflict);
    assert_unknown_plan(&change(OwnerChange::set_user_plan(ANN, Some(named("gold")))).await.unwrap_err());
    assert_eq!(in_force(&caller, "of-user").await, "daily=7/day");
    change(OwnerChange::set_user_plan(ANN, None)).await.unwrap();
    assert_eq!(in_force(&caller, "of-user").await, "");
    store.delete_plan("free").await.unwrap();
}

pub async fn the_plan_of_an_owner_is_not_kept_with_a_key<S: KeyStore + OwnerStore + PlanStore>(store: S) {
    let [free, _] = put(&store).await;
    for plan in [free, named("free"), plan("gold", "burst=1000/1s")] {
        let organization = || Organization::new("acme").plan(plan.clone());
        for owner in [
            Owner::Organization(organization()),
            Owner::project(organization(), "sink"),
            Owner::User(User::new("ann@example.com", []).plan(plan.clone())),
        ] {
            let record = Record::imported(id("key"), samples::digest("key"), owner);
            let error = store.change(KeyChange::insert(record)).await.unwrap_err();
            assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
            assert_eq!(store.get(&id("key")).await.unwrap(), None);
        }
    }
}

pub async fn an_organization_refers_to_plans_that_are_there<S: KeyStore + OwnerStore + PlanStore + Clone>(
    store: S,
) {
    put(&store).await;
    let acme = Organization::new("acme").plan(named("free"));
    store.change_owner(OwnerChange::put_organization(acme)).await.unwrap();
    let before = store.organization("acme").await.unwrap();
    let unknown = Organization::new("other").plan(named("gold"));
    assert_unknown_plan(&store.change_owner(OwnerChange::put_organization(unknown)).await.unwrap_err());
    assert_eq!(store.organization("acme").await.unwrap(), before);
    assert_eq!(store.organization("other").await.unwrap(), None);

    assert_unknown_plan(
        &store
            .change_owner(OwnerChange::set_organization_plan("acme", Some(named("gold"))))
            .await
            .unwrap_err(),
    );
    let nowhere = OwnerChange::set_organization_plan("other", Some(named("free")));
    assert_eq!(store.change_owner(nowhere).await.unwrap_err().kind(), BackendErrorKind::NotFound);
    let unknown = OwnerChange::set_user_plan("ann@example.com", Some(named("free")));
    assert_eq!(store.change_owner(unknown).await.unwrap_err().kind(), BackendErrorKind::NotFound);
    assert_eq!(store.organization("acme").await.unwrap(), before);

    let error = store.delete_plan("free").await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    store.change_owner(OwnerChange::set_organization_plan("acme", None)).await.unwrap();
    store.delete_plan("free").await.unwrap();
}
