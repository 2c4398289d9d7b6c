//! The pages in Chromium: each page that links lead to, as each kind of visitor, with keys in every state.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use support::chromium::Chromium;
use tower_api_key::backend::{Grace, OwnerChange, OwnerStore, UsageBatch, UsageCount, UsageStore};
use tower_api_key::limit::Plan;
use tower_api_key::manage::{NewKey, RotateOptions};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::{Environment, Record, Scopes};

use crate::console::world::{START, World};

pub(crate) static CHROMIUM: Chromium = Chromium::with(env!("CARGO_TARGET_TMPDIR"));

/// A name from right to left.
const ARABIC: &str = "مفتاح خادم البناء الرئيسي ";

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Creates a key some days before the start.
async fn key(
    world: &World,
    age: u64,
    name: &str,
    scopes: &str,
    set: impl FnOnce(NewKey) -> NewKey,
) -> Record {
    world.clock.set_wall(START.saturating_sub(days(age)));
    let new = NewKey::for_organization("acme").name(name).scopes(Scopes::parse(scopes).unwrap());
    let record = world.key(set(new.created_by("user:ann"))).await;
    world.clock.set_wall(START);
    record
}

/// Creates keys in each state, and requests on each of 90 days.
async fn fill(world: &World) {
    let ends_in = |new: NewKey, end| new.expires_at(START.saturating_add(days(end)));
    let lost = key(world, 200, "Old laptop", "notes.read", |new| new).await;
    key(world, 120, "Trial integration", "notes.read", |new| new.expires_at(START.saturating_sub(days(30))))
        .await;
    let production = key(world, 64, "Production server", "notes.read notes.write", |new| {
        ends_in(new, 300).labels([("team", "platform")])
    });
    let production = production.await;
    let reports = key(world, 41, "Reports", "notes.read", |new| new).await;
    let held = key(world, 33, "Partner sync", "notes.read exports", |new| new).await;
    key(world, 20, "Nightly export", "exports", |new| ends_in(new, 10)).await;
    let staging =
        key(world, 12, "Staging", "notes.read notes.write", |new| new.environment(Environment::Test)).await;
    let manager = &world.manager;
    manager.revoke(&lost.id, "The laptop was lost").await.unwrap();
    manager.disable(&held.id, "Under review").await.unwrap();
    manager.rotate(&reports.id, RotateOptions::new(Grace::For(days(7)))).await.unwrap();

    let weekday = |day: u64| if day % 7 < 2 { 4 } else { 10 };
    let counts = (0..90).flat_map(|day| {
        let at = START.saturating_sub(days(day) + Duration::from_secs(60 * 60 * 3));
        let count = |key: &Record, requests| {
            UsageCount::new(key.id.clone(), key.environment, key.owner.clone(), requests, at)
        };
        let of = [
            (&production, weekday(day) * (60 - day / 2)),
            (&reports, 40 + day * 7 % 31),
            (&staging, day * 37 % 90),
        ];
        of.map(|(key, requests)| count(key, requests))
    });
    let batch = UsageBatch::new("a test", 1, counts);
    world.store.add_usage(&batch).await.unwrap();
}

/// Creates an organization with members and a project.
async fn fill_owners(world: &World) {
    let acme = Organization::new("acme");
    for (name, limits) in
        [("free", ""), ("paid", "burst=100/60s daily=9000/day/owner monthly=50000/month/organization")]
    {
        world.manager.put_plan(&Plan::new(name, limits.parse().unwrap()).unwrap()).await.unwrap();
    }
    let member = |role| Membership::new(acme.clone(), role, Scopes::parse("notes.*").unwrap());
    for change in [
        OwnerChange::put_organization(acme.clone()),
        OwnerChange::put_user("ann@example.com"),
        OwnerChange::put_user("bob@example.com"),
        OwnerChange::put_membership("ann@example.com", member("admin")),
        OwnerChange::put_membership("bob@example.com", member("viewer")),
        OwnerChange::put_project("acme", "website"),
        OwnerChange::set_organization_plan("acme", Some(Plan::named("paid").unwrap())),
    ] {
        world.store.change_owner(change).await.unwrap();
    }
}

/// Creates more keys than a page has, with the longest names, and those of other owners.
async fn fill_more(world: &World) {
    for number in 0..60_u32 {
        let name: String = match number % 3 {
            0 => ARABIC.chars().cycle().take(255).collect(),
            1 => "x".repeat(255),
            _ => format!("Worker {number}"),
        };
        world.key_of("acme", name.trim()).await;
    }
    world.key(NewKey::for_user("ann@example.com").name("Her own")).await;
    world.key(NewKey::for_project("acme", "website").name("Website")).await;
}

fn door(base: &str, user: &str, writes: bool) -> serde_json::Value {
    json!({ "base": base, "headers": { "x-user": user }, "writes": writes })
}

/// Returns what a program is told: the address, and each door with its visitors.
async fn options(world: &World) -> serde_json::Value {
    let mut operators = door("/staff", "ops", true);
    operators["owner"] = "acme".into();
    let portal = |user, writes| door("/settings/api-keys", user, writes);
    json!({ "address": world.origin(), "doors": [portal("ann", true), operators, portal("viewer", false), portal("eve", false)] })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_fault() {
    let Some(programs) = CHROMIUM.find() else { return };
    let world = World::new().await;
    fill(&world).await;
    fill_more(&world).await;
    fill_owners(&world).await;
    programs.run("sweep", &options(&world).await.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_run_nothing_and_stay_readable() {
    let Some(programs) = CHROMIUM.find() else { return };
    let world = World::new().await;
    fill(&world).await;
    fill_owners(&world).await;
    programs.run("texts", &options(&world).await.to_string()).await;
}

/// The pictures of the documentation. They are replaced if `SCREENSHOTS` is set.
#[tokio::test(flavor = "multi_thread")]
async fn the_pictures_of_the_documentation_can_be_taken() {
    let Some(programs) = CHROMIUM.find() else { return };
    let world = World::new().await;
    fill(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/screenshots");
    let folder =
        if std::env::var_os("SCREENSHOTS").is_some() { kept } else { folder.path().to_str().unwrap() };
    let options = json!({
        "address": world.origin(),
        "folder": folder,
        "portal": door("/settings/api-keys", "ann", true),
        "staff": door("/staff", "ops", true),
    });
    programs.run("screenshots", &options.to_string()).await;
}

#[test]
fn the_guide_has_the_pictures_of_the_readme() {
    for name in ["keys", "shown", "usage"] {
        let file = |suffix| {
            let path = format!("{}/docs/screenshots/{name}.{suffix}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).unwrap()
        };
        assert_eq!(STANDARD.encode(file("png")).as_bytes(), file("base64"), "{name}");
    }
}
