//! Rules that cannot work are errors when they are built.

use axum::Router;
use axum::routing::any;
use tower_api_key::axum::RouteRules;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{ConfigError, RequireScopeLayer, Requirement};

use super::{layer, scope, statuses};

const TEMPLATES: [&str; 6] = ["/notes/{id}", "/files/{*rest}", "/notes/:id", "/a/*", "/a/*rest", "/*"];

#[test]
fn a_template_is_refused_where_paths_are_compared_and_the_error_says_what_to_use() {
    let requirement = Requirement::all_of(["a"]).unwrap();
    for template in TEMPLATES {
        let errors: [ConfigError; 5] = [
            layer("").public(template).unwrap_err(),
            layer("").public_prefix(template).unwrap_err(),
            PathRules::new([(template, Access::Public)]).unwrap_err(),
            PathRules::new([(format!("GET {template}"), Access::AnyKey)]).unwrap_err(),
            RequireScopeLayer::by_path([(template, requirement.clone())]).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ConfigErrorKind::Path);
            let text = error.to_string();
            assert!(text.contains("must not be a template") && text.contains("`axum::RouteRules`"), "{text}");
            assert!(!text.contains(template), "the text may be a pasted key: {text}");
        }
    }
}

#[test]
fn the_templates_of_the_previous_axum_are_refused() {
    for template in ["/notes/:id", "/a/*", "/a/*rest"] {
        let text = RouteRules::new([(template, Access::AnyKey)]).unwrap_err().to_string();
        assert!(text.contains("write `{name}` or `{*name}`"), "{text}");
    }
    for template in ["/{", "/}", "/{}", "/{*}", "/{a}{b}", "/{a", "/a?b", "notes", ""] {
        assert!(RouteRules::new([(template, Access::AnyKey)]).is_err(), "{template}");
    }
    for template in ["/", "/a", "/{a}", "/{*a}", "/a/{b}/c/{d}", "/v1/things:batch", "/{{a}}", "/a/"] {
        assert!(RouteRules::new([(template, Access::AnyKey)]).is_ok(), "{template}");
    }
}

#[test]
fn a_route_that_could_never_match_or_is_declared_twice_is_an_error() {
    let paths = |routes: &[&str]| PathRules::new(routes.iter().map(|route| (route, Access::AnyKey)));
    for route in
        ["", "a", "get /a", "GET a", " /a", "GET  /a", "GET /a b", "/a?b", "/a#b", "/\u{e9}", "G(T /a"]
    {
        assert_eq!(paths(&[route]).unwrap_err().kind(), ConfigErrorKind::Path, "{route:?}");
    }
    for twice in [["/a", "/a"], ["GET /a", "GET /a"]] {
        assert!(paths(&twice).unwrap_err().to_string().contains("one of them twice"));
    }
    assert!(paths(&["/a", "GET /a", "POST /a", "/a%20b", "/.well-known/a"]).is_ok());
    assert!(PathRules::new([("/a%20b", Access::Public)]).is_err(), "such a path is never public");
    assert!(PathRules::new([("/a%20b", scope("a"))]).is_ok());
}

#[tokio::test]
async fn a_text_requires_all_its_scopes_and_no_text_is_public() {
    let rules = || PathRules::new([("/one", "a"), ("/both", "a b"), ("/other", "public")]).unwrap();
    for (scopes, path, status) in [
        ("a", "/one", 200),
        ("a", "/both", 403),
        ("a b", "/both", 200),
        ("b", "/one", 403),
        ("a b", "/other", 403),
        ("public", "/other", 200),
    ] {
        let app = Router::new().fallback("here").layer(layer(scopes).rules(rules()));
        assert_eq!(statuses(&app, "GET", path).await, [401, status, 401], "{scopes} {path}");
    }
    for text in ["", " ", "a\"b"] {
        assert_eq!(PathRules::new([("/a", text)]).unwrap_err().kind(), ConfigErrorKind::Value, "{text:?}");
        assert!(
            RouteRules::new([("/a", text)]).is_err() && RequireScopeLayer::by_path([("/a", text)]).is_err()
        );
    }
}

#[test]
fn a_public_template_that_no_public_request_could_match_is_refused() {
    for template in
        ["/a//b", "/a;b", "/a%20b", "/a\\b", "/a/../b", "/a/.", "/\u{e9}", "/{id}/..", "/%61/{id}"]
    {
        let error = RouteRules::new([(template, Access::Public)]).unwrap_err();
        assert!(error.to_string().contains("such a route needs a key"), "{error}");
        assert!(RouteRules::new([(template, Access::AnyKey)]).is_ok(), "{template}");
    }
    for template in ["/.well-known/{name}", "/{a;b}", "/v{id}.json", "/{{a}}", "/.git", "/a...", "/{*..}"] {
        assert!(RouteRules::new([(template, Access::Public)]).is_ok(), "{template}");
    }
}

#[tokio::test]
async fn a_well_known_path_can_be_public() {
    let path = "/.well-known/oauth-protected-resource";
    let routes = || Router::new().route(path, any(async || "{}"));
    for app in [
        routes().layer(layer("").public(path).unwrap()),
        routes().layer(layer("").public_prefix("/.well-known").unwrap()),
        routes().layer(layer("").rules(PathRules::new([(path, Access::Public)]).unwrap())),
        routes().layer(layer("").rules(RouteRules::new([(path, Access::Public)]).unwrap())),
    ] {
        assert_eq!(statuses(&app, "GET", path).await, [200, 200, 200]);
    }
}
