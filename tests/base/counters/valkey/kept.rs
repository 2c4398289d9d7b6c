//! What the server keeps: no key without an end, and nothing that stops the counters if it is of another form.

use redis::AsyncCommands;
use support::Key;
use tower_api_key::limit_requests::{Count, Counters, CountersErrorKind, ValkeyCounters};

use super::server::{Server, is_absent, open};

fn counts(key: &Key, limits: &str) -> Vec<Count> {
    limits.split(' ').map(|limit| Count::new(&key.record, limit.parse().unwrap())).collect()
}

#[tokio::test]
async fn no_count_is_kept_without_an_end() {
    if is_absent() {
        return;
    }
    let (counters, server) = open().await;
    let limits = "a=3/1s b=100/2678400s c=5/day d=4294967295/month/owner e=1000000/1s";
    for _ in 0..50 {
        let key = Key::mint();
        for cost in [0, 1, 2, 3, 4] {
            counters.take(&counts(&key, limits), cost).await.unwrap();
            for count in counts(&key, limits) {
                counters.take(&[count], cost).await.unwrap();
            }
        }
    }
    let mut connection = server.connection().await;
    let all: Vec<String> = connection.keys("*").await.unwrap();
    assert!(all.len() > 50 * 2, "{}", all.len());
    for key in all {
        assert!(key.starts_with("tower_api_key:{organization/acme}"), "{key}");
        let left: i64 = connection.pttl(&key).await.unwrap();
        // -1: without an end. -2: it has just ended.
        assert!(left >= 0 || left == -2, "{key}: {left}");
    }
}

#[tokio::test]
async fn counters_with_another_prefix_count_apart() {
    if is_absent() {
        return;
    }
    let server = Server::start([]).await;
    let with = async |prefix: &str| ValkeyCounters::builder(&server.url()).prefix(prefix).connect().await;
    let [first, second] = [with("a:").await.unwrap(), with("b:").await.unwrap()];
    let counts = counts(&Key::mint(), "a=1/day");
    for counters in [&first, &second] {
        assert!(counters.take(&counts, 1).await.unwrap().used_up().is_none());
        assert!(counters.take(&counts, 1).await.unwrap().used_up().is_some());
    }
    for prefix in ["{a}:", "a}", "a\n"] {
        assert!(with(prefix).await.is_err(), "{prefix:?}");
    }
}

#[tokio::test]
async fn a_value_of_another_form_is_an_error_and_stays() {
    if is_absent() {
        return;
    }
    let (counters, server) = open().await;
    let mut connection = server.connection().await;
    for (limit, texts) in
        [("a=5/60s", ["x", "", "-5", "1.5", "0x10", "5:5"]), ("a=5/day", ["x", "", "5", "5:", ":5", "5:-5"])]
    {
        let counts = counts(&Key::mint(), limit);
        let key = format!("tower_api_key:{}", counts[0].id());
        for text in texts {
            let () = connection.set(&key, text).await.unwrap();
            let error = counters.take(&counts, 1).await.unwrap_err();
            assert_eq!(error.kind(), CountersErrorKind::Corrupt, "{limit} {text:?}");
            assert_eq!(connection.get::<_, String>(&key).await.unwrap(), text);
        }
        let () = connection.del(&key).await.unwrap();
        let () = connection.lpush(&key, "x").await.unwrap();
        let error = counters.take(&counts, 1).await.unwrap_err();
        assert_eq!(error.kind(), CountersErrorKind::Corrupt, "{limit}");
    }
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_script_gets_it_again() {
    if is_absent() {
        return;
    }
    let (counters, server) = open().await;
    let counts = counts(&Key::mint(), "a=5/day");
    for left in [4, 3, 2] {
        assert_eq!(counters.take(&counts, 1).await.unwrap().left()[0].remaining, left);
        let mut connection = server.connection().await;
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
    }
}
