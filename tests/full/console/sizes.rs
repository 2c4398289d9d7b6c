//! Pages stay small whatever their texts are, and the addresses of the next ones tell nothing of other owners.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use tower_api_key::manage::NewKey;

use crate::console::browser::Page;
use crate::console::world::World;

/// Most bytes of a page.
const MOST: usize = 50_000;
/// As long as a name may be, in characters of four bytes.
fn wide() -> String {
    "\u{1f511}".repeat(255)
}

fn next(page: &Page) -> Option<String> {
    let next = Regex::new(r#"href="([a-z]+\?[^"]*)" rel="next""#).unwrap();
    next.captures(&page.html).map(|next| format!("/{}", next[1].replace("&#38;", "&")))
}

#[tokio::test]
async fn pages_of_the_longest_texts_have_at_most_50_kilobytes() {
    let world = World::new().await;
    let (wide, escaped) = (wide(), "&".repeat(255));
    let (ann, ops) = (world.portal("ann"), world.operators());
    for name in [&wide, &escaped] {
        for _ in 0..30 {
            world
                .key(NewKey::for_organization("acme").name(name.as_str()).labels([(name[..40].trim(), "x")]))
                .await;
        }
    }
    let encoded = wide.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for browser in [&ann, &ops] {
        for path in [
            "/keys".to_owned(),
            "/audit".to_owned(),
            format!("/keys?name={encoded}"),
            "/keys?name=%26%26".to_owned(),
        ] {
            let (mut page, mut pages) = (browser.get(&path).await, 1);
            while let Some(path) = next(&page) {
                assert!(page.html.len() <= MOST, "{path}: {} bytes", page.html.len());
                page = browser.get(&path).await;
                pages += 1;
            }
            assert!(page.html.len() <= MOST && pages > 1, "{path}: {} bytes, {pages} pages", page.html.len());
        }
    }
    // The page of the key has its whole name.
    let key = world.all().await.into_iter().find(|key| *key.name == *wide).unwrap();
    let list = ann.get(&format!("/keys?name={encoded}")).await;
    // It stands in the field of the search.
    assert!(list.html.matches(&*wide).count() == 1 && list.has(&format!("<bdi>{}…", "\u{1f511}".repeat(60))));
    assert!(ann.get(&format!("/keys/{}", key.id)).await.has(&wide));
}

#[tokio::test]
async fn links_repeat_no_long_query() {
    let world = World::new().await;
    for _ in 0..30 {
        world.key_of("acme", "CI").await;
    }
    let key = world.all().await.remove(0).id;
    let (ann, ops) = (world.portal("ann"), world.operators());
    for long in ["%3C".repeat(10_000), "%F0%9F%94%91".repeat(3_000)] {
        for browser in [&ann, &ops] {
            for page in ["keys", "audit", "usage", &format!("keys/{key}/usage")] {
                for field in ["organization", "project", "user", "name", "actor"] {
                    let answer = browser.get(&format!("/{page}?{field}={long}")).await;
                    assert!(answer.status.is_success(), "{}", answer.html);
                    assert!(answer.html.len() <= MOST, "{page} {field}: {} bytes", answer.html.len());
                }
            }
        }
        // No field of an owner is one of a customer.
        for page in ["keys", "audit", "usage"] {
            let answer = ann.get(&format!("/{page}?organization={0}&user={0}", &long[..12_000])).await;
            assert!(!answer.has("organization=") && answer.html.len() < 30_000, "{page}: {}", answer.html);
        }
    }
}

#[tokio::test]
async fn the_address_of_a_page_of_changes_tells_nothing_of_those_of_others() {
    let world = World::new().await;
    let (acme, globex) = (world.key_of("acme", "CI").await, world.key_of("globex", "CI").await);
    let (ann, eve) = (world.portal("ann"), world.portal("eve"));
    let rename = async |number: usize| {
        ann.post(&format!("/keys/{}/name", acme.id), &[("name", &number.to_string())]).await.location();
        for name in ["a", "b"] {
            eve.post(&format!("/keys/{}/name", globex.id), &[("name", name)]).await.location();
        }
    };
    for number in 0..120 {
        rename(number).await;
    }
    let mut page = ann.get("/audit").await;
    let (mut updates, time) = (0, Regex::new(r"^\d+ (updated|created) (\S+) (\d+)$").unwrap());
    loop {
        updates += page.html.matches("<td>updated").count();
        let Some(path) = next(&page) else { break };
        let bytes = URL_SAFE_NO_PAD.decode(path.split_once("after=").unwrap().1).unwrap();
        let (text, _checksum) = bytes.split_last_chunk::<4>().unwrap();
        let text = std::str::from_utf8(text).unwrap();
        let parts = time.captures(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(&parts[2], acme.id.as_str());
        // Changes of the same key in the same millisecond, which are few.
        assert!(parts[3].parse::<usize>().unwrap() < 20, "{text}");
        page = ann.get(&path).await;
    }
    assert_eq!(updates, 120, "each change is on one page");
}
