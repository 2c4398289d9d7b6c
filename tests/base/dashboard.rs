//! The dashboard shows every metric of the crate, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("docs/grafana.json")).unwrap()
}

/// Returns the panels that are no rows, each with its expressions.
fn panels(dashboard: &Value) -> Vec<(&Value, Vec<&str>)> {
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let expressions = |panel: &'_ Value| panel["targets"].as_array().map(Vec::len).unwrap_or_default();
    panels
        .inspect(|panel| assert!(expressions(panel) > 0, "{} shows nothing", panel["title"]))
        .map(|panel| {
            let targets = panel["targets"].as_array().unwrap().iter();
            (panel, targets.map(|target| target["expr"].as_str().unwrap()).collect())
        })
        .collect()
}

/// Returns the metrics that the crate records.
fn recorded() -> BTreeSet<String> {
    owned(metrics(&read("src/metrics/names.rs")))
}

fn owned(names: BTreeSet<&str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Returns the names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let name = regex::Regex::new("tower_api_key_[a-z_]+").unwrap();
    name.find_iter(text).map(|found| found.as_str()).collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard = dashboard();
    let expressions = panels(&dashboard).into_iter().flat_map(|(_, expressions)| expressions);
    let shown: BTreeSet<_> = expressions.flat_map(metrics).collect();
    assert_eq!(owned(shown), recorded());
    let variables = dashboard["templating"].to_string();
    assert!(owned(metrics(&variables)).is_subset(&recorded()), "{variables}");
}

#[test]
fn the_page_about_operations_names_every_metric_and_no_other() {
    let page = read("src/_guide/operations.rs");
    // Tables of the stores have the same prefix.
    let tables = [
        "change",
        "change_trim",
        "audit",
        "usage",
        "usage_route",
        "usage_total",
        "usage_writer",
        "node",
        "deleted_owner",
        "digest",
        "fingerprint",
        "quota",
        "plan",
    ];
    let tables: BTreeSet<_> = tables.map(|table| format!("tower_api_key_{table}")).into();
    let named: BTreeSet<_> = metrics(&page).into_iter().filter(|name| !tables.contains(*name)).collect();
    assert_eq!(owned(named), recorded());
}

#[test]
fn every_panel_follows_the_variables_of_the_dashboard() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let variables: Vec<_> = variables.map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "authenticator", "instance"]);
    for (panel, expressions) in panels(&dashboard) {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for expression in expressions {
            let selected = r#"{authenticator=~"$authenticator", instance=~"$instance""#;
            assert_eq!(expression.matches(selected).count(), expression.matches('{').count(), "{expression}");
            for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                assert_eq!(
                    expression.matches(open).count(),
                    expression.matches(close).count(),
                    "{expression}"
                );
            }
        }
    }
}

#[test]
fn no_panel_overlaps_another() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{}", panel["title"]);
        for place in (side("x")..side("x") + side("w"))
            .flat_map(|x| (side("y")..side("y") + side("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert(place), "{} overlaps another panel", panel["title"]);
        }
    }
}
