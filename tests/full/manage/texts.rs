//! The texts of errors: each names the field and the item at fault, and repeats no more of the request than that.

use http::Method;
use serde_json::{Value, json};

use crate::manage::world::World;

/// A request to a key of the caller, with the expected response.
struct Case<'c> {
    method: Method,
    /// `/own` is the path of the key.
    path: &'c str,
    body: Value,
    status: u16,
    detail: &'c str,
    errors: &'c [(&'c str, &'c str)],
}

fn invalid<'c>(method: Method, path: &'c str, body: Value, errors: &'c [(&'c str, &'c str)]) -> Case<'c> {
    Case { method, path, body, status: 422, detail: "Invalid values", errors }
}

fn post<'c>(body: Value, errors: &'c [(&'c str, &'c str)]) -> Case<'c> {
    invalid(Method::POST, "/keys", body, errors)
}

fn rotate<'c>(body: Value, errors: &'c [(&'c str, &'c str)]) -> Case<'c> {
    invalid(Method::POST, "/own/rotate", body, errors)
}

/// A body that is sent as it is.
fn raw<'c>(body: &str, detail: &'c str) -> Case<'c> {
    Case {
        method: Method::POST,
        path: "/keys",
        body: json!({ "raw": body }),
        status: 400,
        detail,
        errors: &[],
    }
}

fn query<'c>(method: Method, path: &'c str, detail: &'c str) -> Case<'c> {
    Case { method, path, body: Value::Null, status: 400, detail, errors: &[] }
}

/// Sends the requests, and compares the whole bodies of the responses.
async fn check(world: &World, cases: impl IntoIterator<Item = Case<'_>>) {
    let admin = world.admin().await;
    let own = world.customer("acme", "notes.read").await.record.id;
    let before = world.all().await;
    for Case { method, path, body, status, detail, errors } in cases {
        let target = format!("/admin{}", path.replacen("/own", &format!("/keys/{own}"), 1));
        let sent = match &body["raw"] {
            Value::String(raw) => raw.clone(),
            _ if body.is_null() => String::new(),
            _ => body.to_string(),
        };
        let answer = world.ask(&admin, method, &target, &sent).await;
        let mut expected = json!({ "detail": detail });
        if !errors.is_empty() {
            let error = |(field, detail): &(&str, &str)| json!({ "field": field, "detail": detail });
            expected["errors"] = errors.iter().map(error).collect();
        }
        assert_eq!((answer.status.as_u16(), answer.body), (status, expected), "{target} {sent}");
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn an_error_of_a_body_says_where_it_is_no_json_object() {
    let cases = [
        raw("{", "The body is not valid JSON: EOF while parsing an object at line 1 column 1"),
        raw("{\n \"name\": x}", "The body is not valid JSON: expected value at line 2 column 10"),
        raw(r#"{"name":"a",}"#, "The body is not valid JSON: trailing comma at line 1 column 13"),
        raw("{} {}", "The body is not valid JSON: trailing characters at line 1 column 4"),
        raw("name=a", "The body is not valid JSON: expected ident at line 1 column 2"),
        raw("[]", "The body must be a JSON object, got an array"),
        raw("null", "The body must be a JSON object, got null"),
        raw("true", "The body must be a JSON object, got true"),
        raw("7", "The body must be a JSON object, got the number 7"),
        raw(r#""a\nb""#, r#"The body must be a JSON object, got the string "a\nb""#),
        raw(r#"{"name":"a","name":"b"}"#, r#"The body has the field "name" more than once"#),
        raw(r#"{"labels":{"team":"a","team":"b"}}"#, r#"The body has the field "team" more than once"#),
    ];
    check(&World::new(), cases).await;
}

#[tokio::test]
async fn an_error_of_a_field_names_it_with_the_item_and_the_rule() {
    let name = "x".repeat(300);
    let scope = "y".repeat(129);
    let scopes: Vec<_> = (0..101).map(|number| format!("s{number}")).collect();
    let labels: Vec<_> = (0..51).map(|number| (format!("l{number}"), "a")).collect();
    let labels: Value =
        labels.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
    let long = "z".repeat(501);
    let cases = [
        post(json!({ "name": 7 }), &[("name", "must be a string, got the number 7")]),
        post(json!({ "name": null }), &[("name", "must be a string, got null")]),
        post(json!({ "name": ["a"] }), &[("name", "must be a string, got an array")]),
        post(json!({ "name": " " }), &[("name", "must have a visible character")]),
        post(json!({ "name": name }), &[("name", "must have at most 255 characters, got 300")]),
        post(
            json!({ "name": "a\u{7}b" }),
            &[("name", "must not contain control characters, got U+0007 at position 2")],
        ),
        post(
            json!({ "name": "invoice\u{202e}fdp" }),
            &[("name", "must not contain control characters, got U+202E at position 8")],
        ),
        post(json!({ "naem": "a" }), &[("body", r#"unknown field "naem"; did you mean "name"?"#)]),
        post(
            json!({ "owner": "a", "scope": [] }),
            &[
                ("body", r#"unknown field "owner"; must be one of name, scopes, expires_at, labels"#),
                ("body", r#"unknown field "scope"; did you mean "scopes"?"#),
            ],
        ),
        post(json!({ "scopes": "a" }), &[("scopes", r#"must be an array of strings, got the string "a""#)]),
        post(json!({ "scopes": {} }), &[("scopes", "must be an array of strings, got an object")]),
        post(json!({ "scopes": ["notes.read", false] }), &[("scopes", "item 2 must be a string, got false")]),
        post(
            json!({ "scopes": ["a b"] }),
            &[(
                "scopes",
                r#""a b" is not a scope: must be visible ASCII without spaces, quotes and backslashes"#,
            )],
        ),
        post(
            json!({ "scopes": [""] }),
            &[(
                "scopes",
                r#""" is not a scope: must be visible ASCII without spaces, quotes and backslashes"#,
            )],
        ),
        post(json!({ "scopes": scopes }), &[("scopes", "must have at most 100 scopes, got 101")]),
        post(
            json!({ "scopes": ["notes.read", scope] }),
            &[("scopes", "`yyyyyyyy…` must have at most 128 characters, got 129")],
        ),
        post(
            json!({ "expires_at": "tomorrow" }),
            &[(
                "expires_at",
                r#"must be a time such as 2030-01-31T12:00:00Z, or null, got the string "tomorrow""#,
            )],
        ),
        post(
            json!({ "expires_at": 1_900_000_000 }),
            &[(
                "expires_at",
                "must be a time such as 2030-01-31T12:00:00Z, or null, got the number 1900000000",
            )],
        ),
        post(
            json!({ "expires_at": "2020-01-01T01:00:00+01:00" }),
            &[("expires_at", "must be in the future, got 2020-01-01T00:00:00Z")],
        ),
        post(json!({ "labels": [] }), &[("labels", "must be an object of strings, got an array")]),
        post(
            json!({ "labels": { "team": "a", "size": 3 } }),
            &[("labels", r#"the value of "size" must be a string, got the number 3"#)],
        ),
        post(json!({ "labels": labels }), &[("labels", "must have at most 50 entries, got 51")]),
        post(
            json!({ "labels": { "": "a", "\u{0}": "b", "team": long } }),
            &[
                ("labels", "a name must not be empty"),
                ("labels", r#"the name "\0" must not contain NUL"#),
                ("labels", r#"the value of "team" must have at most 500 characters, got 501"#),
            ],
        ),
        post(
            json!({ "labels": { "a name of more than forty characters, as it is": "a" } }),
            &[(
                "labels",
                r#"the name "a name of more than forty characters, as it is" must have at most 40 characters, got 46"#,
            )],
        ),
        invalid(
            Method::PATCH,
            "/own",
            json!({ "expiresAt": null }),
            &[("body", r#"unknown field "expiresAt"; did you mean "expires_at"?"#)],
        ),
        rotate(
            json!({ "grace_seconds": "60" }),
            &[("grace_seconds", r#"must be a whole number of seconds, got the string "60""#)],
        ),
        rotate(
            json!({ "grace_seconds": -1 }),
            &[("grace_seconds", "must be a whole number of seconds, got the number -1")],
        ),
        rotate(
            json!({ "grace_seconds": 4_294_967_296_u64 }),
            &[("grace_seconds", "must be at most 4294967295 seconds, got 4294967296")],
        ),
        rotate(
            json!({ "grace_from_first_use": "yes", "grace_second": 1 }),
            &[
                ("grace_from_first_use", r#"must be true or false, got the string "yes""#),
                ("body", r#"unknown field "grace_second"; did you mean "grace_seconds"?"#),
            ],
        ),
        Case {
            status: 403,
            detail: "The caller may not make this change",
            ..post(
                json!({ "scopes": ["notes.read", "billing"] }),
                &[("scopes", "the caller lacks the scope `billing`")],
            )
        },
    ];
    check(&World::new(), cases).await;
}

#[tokio::test]
async fn an_error_of_a_query_names_the_parameter_and_its_value() {
    let long = format!("/own?reason={}", "x".repeat(256));
    let cases = [
        query(Method::GET, "/keys?stat=active", r#"unknown parameter "stat"; did you mean "state"?"#),
        query(
            Method::GET,
            "/keys?page=2",
            r#"unknown parameter "page"; must be one of cursor, limit, name, state"#,
        ),
        query(Method::GET, "/keys?limit=1&limit=2", "limit: must be given once"),
        query(Method::GET, "/keys?limit=101", r#"limit: must be a number from 1 to 100, got "101""#),
        query(Method::GET, "/keys?limit=", r#"limit: must be a number from 1 to 100, got """#),
        query(
            Method::GET,
            "/keys?state=gone",
            r#"state: must be active, disabled, expired or revoked, got "gone""#,
        ),
        query(Method::GET, "/keys?cursor=a%0ab", r#"cursor: must be the next_cursor of a page, got "a\nb""#),
        query(Method::GET, "/usage?limit=x", r#"limit: must be a number from 1 to 10000, got "x""#),
        query(Method::GET, "/usage?by=day", r#"by: must be key, route or total, got "day""#),
        query(
            Method::GET,
            "/usage?cursor=x",
            r#"cursor: must be the next_cursor of a page of the same usage, got "x""#,
        ),
        query(
            Method::GET,
            "/own/usage?to=2027-02-29",
            r#"to: must be a day such as 2030-01-31, got "2027-02-29""#,
        ),
        query(
            Method::GET,
            "/usage?from=2027-01-02&to=2027-01-01",
            "from: must not be after 2027-01-01, got 2027-01-02",
        ),
        query(
            Method::GET,
            "/usage?from=2026-01-01&to=2027-01-02",
            "from: must give at most 366 days up to 2027-01-02, got 367",
        ),
        query(Method::DELETE, "/own?wait=all", r#"wait: must be fleet, got "all""#),
        query(Method::DELETE, "/own?until=dawn", r#"until: must be lease, got "dawn""#),
        query(
            Method::DELETE,
            "/own?wait_seconds=61",
            r#"wait_seconds: must be a number from 0 to 60, got "61""#,
        ),
        query(Method::DELETE, "/own?waits=fleet", r#"unknown parameter "waits"; did you mean "wait"?"#),
        invalid(
            Method::DELETE,
            &long,
            Value::Null,
            &[("reason", "must have at most 255 characters, got 256")],
        ),
    ];
    check(&World::new(), cases).await;
}

#[tokio::test]
async fn a_key_that_is_pasted_into_a_wrong_place_is_not_repeated() {
    let world = World::new();
    let admin = world.admin().await;
    let own = format!("/admin/keys/{}", admin.record.id);
    for key in [admin.text.clone(), "0123456789abcdef0123456789abcdef".to_owned()] {
        let bodies = [
            json!({ "scopes": [key] }),
            json!({ "scopes": key }),
            json!({ "scopes": [format!("Bearer {key}")] }),
            json!({ "expires_at": key }),
            json!({ "labels": key }),
            json!({ "labels": { &key: 7 } }),
            json!({ "labels": { &key: "\u{0}" } }),
            json!({ &key: "a" }),
            json!(key),
        ];
        let mut answers = Vec::new();
        for body in bodies
            .map(|body| body.to_string())
            .into_iter()
            .chain([format!(r#"{{"{key}":1,"{key}":2}}"#), format!("{{{key}")])
        {
            answers.push(world.ask(&admin, Method::POST, "/admin/keys", &body).await);
        }
        for parameters in ["limit", "cursor", "state"] {
            answers
                .push(world.ask(&admin, Method::GET, &format!("/admin/keys?{parameters}={key}"), "").await);
        }
        answers.push(world.ask(&admin, Method::GET, &format!("/admin/keys?{key}=1"), "").await);
        answers.push(world.ask(&admin, Method::DELETE, &format!("{own}?wait={key}"), "").await);
        answers.push(world.ask(&admin, Method::GET, &format!("/admin/keys/{key}"), "").await);
        for answer in answers {
            assert!(answer.status.is_client_error(), "{answer:?}");
            assert!(!answer.body.to_string().contains(&key[..12]), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn an_error_is_short_however_large_the_request_is() {
    let world = World::new();
    let admin = world.admin().await;
    let many = |text: &str| (0..1_000).map(|number| format!("{text}{number}")).collect::<Vec<_>>();
    let fields: Value = many("field").into_iter().map(|name| (name, Value::Null)).collect();
    let names: Value = many(&"\u{202e}".repeat(14)).into_iter().map(|name| (name, json!("a"))).collect();
    for body in [
        fields,
        json!({ "scopes": many("scope") }),
        json!({ "scopes": [" ".repeat(60_000)] }),
        json!({ "labels": names }),
        json!({ "x".repeat(60_000): 1 }),
        json!("x".repeat(60_000)),
    ] {
        let answer = world.ask(&admin, Method::POST, "/admin/keys", &body.to_string()).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        let length = answer.body.to_string().len();
        assert!(length < 2_000, "{length}");
    }
}
