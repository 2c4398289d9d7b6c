//! Any rules, any place of the layer, any request: a guarded handler answers only as its rule says.
//!
//! `PROPTEST_CASES` sets the number of applications.

use std::cell::Cell;
use std::env;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{MethodRouter, any};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;
use tower::{Layer, ServiceExt};
use tower_api_key::RequireScopeLayer;
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules, Rules};

use super::{layer, request, scope};

const TEMPLATES: [&str; 15] = [
    "/",
    "/a",
    "/a/",
    "/a/{id}",
    "/a/b",
    "/a/{id}/c",
    "/f/{*rest}",
    "/n",
    "/n/x",
    "/n/{id}",
    "/t/{org}/x",
    "/t/{org}/y/{id}",
    "/m",
    "/s/y",
    "/s/{id}/z",
];

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"];

/// Where the layer is added.
#[derive(Debug, Clone, Copy)]
enum Place {
    RouteLayer,
    Layer,
    Around,
    /// On each router that is nested or merged, and on the routes beside them.
    EachRouter,
}

#[derive(Debug, Clone)]
struct Case {
    /// `METHOD /template` or `/template`.
    rules: Vec<(String, Access)>,
    by_route: bool,
    /// Whether the layer that authenticates has the rules, or a scope layer inside.
    in_one_layer: bool,
    place: Place,
    scopes: String,
    requests: Vec<(&'static str, String, Option<&'static str>)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let access = select(vec![Access::Public, Access::AnyKey, scope("a"), scope("b")]);
    let routes: Vec<String> = TEMPLATES
        .iter()
        .flat_map(|template| {
            let methods = ["", "GET ", "HEAD ", "POST "];
            methods.map(|method| format!("{method}{template}"))
        })
        .collect();
    let all = routes.len();
    let rules = subsequence(routes, 0..all).prop_flat_map(move |routes| {
        let count = routes.len();
        (Just(routes), prop::collection::vec(access.clone(), count))
    });
    let rules = rules.prop_map(|(routes, access)| routes.into_iter().zip(access).collect());
    let place = select(vec![Place::RouteLayer, Place::Layer, Place::Around, Place::EachRouter]);
    let scopes = select(vec!["", "a", "b", "a b", "*"]).prop_map(str::to_owned);
    let key = select(vec![None, Some("test"), Some("bad")]);
    let requests = prop::collection::vec((select(METHODS.to_vec()), paths(), key), 20..40);
    (rules, prop::bool::ANY, prop::bool::ANY, place, scopes, requests).prop_map(
        |(rules, by_route, in_one_layer, place, scopes, requests)| Case {
            rules,
            by_route,
            in_one_layer,
            place,
            scopes,
            requests,
        },
    )
}

fn paths() -> impl Strategy<Value = String> {
    let segment = select(vec![
        "a", "b", "c", "x", "y", "z", "n", "t", "s", "f", "m", "%61", "b%2Fc", "..", ".", "", "%2e%2e",
        "b;c", "{id}", "{*rest}", "*", ":id", "A",
    ]);
    let random = prop::collection::vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/")));
    let known = select(TEMPLATES.to_vec()).prop_map(|template| {
        template.replace("{id}", "7").replace("{*rest}", "g/h").replace("{org}", "acme")
    });
    prop_oneof![random, known]
}

fn handler(template: &'static str) -> MethodRouter {
    any(async move || [("x-template", template)])
}

fn fallback(router: Router) -> Router {
    router.fallback(async || [("x-template", "fallback")])
}

/// Builds the routers, and applies `guard` to each.
fn routes(guard: &dyn Fn(Router) -> Router) -> Router {
    let part = |routes: &[(&str, &'static str)]| {
        let router = routes
            .iter()
            .fold(Router::new(), |router, (path, template)| router.route(path, handler(template)));
        guard(router)
    };
    part(&[
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/a/{id}", "/a/{id}"),
        ("/a/b", "/a/b"),
        ("/a/{id}/c", "/a/{id}/c"),
        ("/f/{*rest}", "/f/{*rest}"),
    ])
    .nest("/n", part(&[("/", "/n"), ("/x", "/n/x"), ("/{id}", "/n/{id}")]))
    .nest("/t/{org}", part(&[("/x", "/t/{org}/x"), ("/y/{id}", "/t/{org}/y/{id}")]))
    .nest_service("/s", part(&[("/y", "/s/y"), ("/{id}/z", "/s/{id}/z")]))
    .merge(part(&[("/m", "/m")]))
}

impl Case {
    fn rules(&self) -> Rules {
        if self.by_route {
            return RouteRules::new(self.rules.clone()).unwrap().into();
        }
        let exact = self.rules.iter().filter(|(route, _)| !route.contains('{')).cloned();
        PathRules::new(exact).unwrap().into()
    }

    fn guard(&self) -> impl Fn(Router) -> Router {
        let (rules, authenticate) = (self.rules(), layer(&self.scopes));
        let in_one_layer = self.in_one_layer;
        move |router| match in_one_layer {
            true => router.route_layer(authenticate.clone().rules(rules.clone())),
            false => {
                router.route_layer(RequireScopeLayer::rules(rules.clone())).route_layer(authenticate.clone())
            }
        }
    }

    fn app(
        &self,
    ) -> tower::util::BoxCloneService<Request<Body>, axum::response::Response, std::convert::Infallible> {
        let bare = || fallback(routes(&|router| router));
        match (self.place, self.in_one_layer) {
            (Place::RouteLayer, _) => self.guard()(bare()).boxed_clone(),
            (Place::EachRouter, _) => fallback(routes(&self.guard())).boxed_clone(),
            (place, in_one_layer) => {
                let (rules, authenticate) = (self.rules(), layer(&self.scopes));
                let scope = RequireScopeLayer::rules(rules.clone());
                match (place, in_one_layer) {
                    (Place::Layer, true) => bare().layer(authenticate.rules(rules)).boxed_clone(),
                    (Place::Layer, false) => bare().layer(scope).layer(authenticate).boxed_clone(),
                    (_, true) => authenticate.rules(rules).layer(bare()).boxed_clone(),
                    (_, false) => authenticate.layer(scope.layer(bare())).boxed_clone(),
                }
            }
        }
    }

    /// Returns the access that the rules declare, read anew from their list.
    fn declared(&self, method: &str, name: &str) -> Option<&Access> {
        let find =
            |route: &str| self.rules.iter().find(|(known, _)| known == route).map(|(_, access)| access);
        find(&format!("{method} {name}"))
            .or_else(|| if method == "HEAD" { find(&format!("GET {name}")) } else { None })
            .or_else(|| find(name))
    }

    /// Returns whether the rules let a request with this key call the handler of a template.
    fn permits(&self, method: &str, path: &str, template: &str, key: Option<&str>) -> bool {
        let name = if self.by_route { template } else { path };
        if !self.by_route && name.contains('{') {
            return false;
        }
        let has_key = key == Some("test");
        let has_scope = |scope: &str| self.scopes == "*" || self.scopes.split(' ').any(|own| own == scope);
        match self.declared(method, name) {
            None => false,
            Some(Access::Public) => {
                let has_dots = path.split('/').any(|segment| segment == "." || segment == "..");
                let is_plain = !has_dots && !["%", "//", ";"].iter().any(|odd| path.contains(odd));
                has_key || (is_plain && self.in_one_layer)
            }
            Some(Access::AnyKey) => has_key,
            Some(Access::Scopes(requirement)) => {
                has_key && requirement.scopes().iter().all(|scope| has_scope(scope.as_str()))
            }
            Some(other) => panic!("an access that the reference does not know: {other:?}"),
        }
    }

    /// Returns whether the layer sees the route that the router has matched.
    fn knows(&self, template: &str) -> bool {
        match self.place {
            Place::RouteLayer | Place::Layer => !self.by_route || !template.starts_with("/s/"),
            Place::EachRouter => true,
            Place::Around => !self.by_route,
        }
    }
}

#[test]
fn no_guarded_handler_answers_but_as_its_rule_says() {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 300;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (admitted, denied) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&cases(), |case| {
        runtime.block_on(async {
            let (app, bare) = (case.app(), fallback(routes(&|router| router)));
            for (method, path, key) in &case.requests {
                let template = |response: &axum::response::Response| {
                    let template = response.headers().get("x-template").cloned();
                    template.map(|template| template.to_str().unwrap().to_owned())
                };
                let routed = template(&bare.clone().oneshot(request(method, path, *key)).await.unwrap());
                let answered = template(&app.clone().oneshot(request(method, path, *key)).await.unwrap());
                let expected = match routed.as_deref() {
                    // Only a layer on each route leaves the fallback to the router; a rule by path holds for it as well.
                    Some("fallback") => match case.place {
                        Place::RouteLayer | Place::EachRouter => true,
                        Place::Layer | Place::Around => {
                            !case.by_route && case.permits(method, path, "", *key)
                        }
                    },
                    Some(template) => case.knows(template) && case.permits(method, path, template, *key),
                    None => continue,
                };
                let counter = if expected { &admitted } else { &denied };
                counter.set(counter.get() + 1);
                let expected = expected.then_some(routed).flatten();
                prop_assert_eq!(answered, expected, "{} {} with {:?}", method, path, key);
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(admitted.get() > 100 && denied.get() > 100, "{admitted:?} {denied:?}");
}

#[test]
fn the_routes_of_the_property_are_those_of_the_router() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let bare = fallback(routes(&|router| router));
        for template in TEMPLATES {
            let path = template.replace("{id}", "7").replace("{*rest}", "g/h").replace("{org}", "acme");
            let response = bare.clone().oneshot(request("GET", &path, None)).await.unwrap();
            assert_eq!(response.headers()["x-template"], template);
        }
    });
}
