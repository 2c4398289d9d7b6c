//! Where the console is nested.

use std::time::Duration;

use axum::Router;
use tower_api_key::backend::{Actor, KeyChange, KeyStore};
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::digest::Digester;
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::{KeyFormat, KeyId, MemoryStore, Owner, Record};

use crate::console::browser::Browser;
use crate::console::world::{permissions, serve};
use support::meddling::Meddling;

fn operator() -> SignedIn {
    SignedIn::operator(Actor::named("ops")).unwrap()
}

#[tokio::test]
async fn the_base_leads_to_the_list_wherever_it_is_nested() {
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let console = Console::new(manager.with_permissions(permissions())).unwrap();
    let pages = || console.clone().routes(|_: ()| async { Ok::<_, ()>(operator()) });
    let app = Router::new()
        .nest("/a:b", pages())
        .nest("/deep", Router::new().nest("/er/c", pages()))
        .nest_service("/service", pages());
    let (nested, bare) = (serve(app).await, serve(pages()).await);
    for (base, path, location) in [
        (&nested, "/a:b", "./a:b/keys"),
        (&nested, "/deep/er/c", "./c/keys"),
        (&nested, "/service", "./service/keys"),
        (&nested, "/service/", "./keys"),
        (&bare, "/", "./keys"),
    ] {
        let browser = Browser { base: base.clone(), user: "ops" };
        assert_eq!(browser.get(path).await.location(), location, "{path}");
    }
    for base in [format!("{nested}/deep/er/c"), format!("{nested}/service"), bare] {
        let browser = Browser { base, user: "ops" };
        assert!(browser.get("/keys").await.has(r#""./style.css?v="#));
        assert!(browser.get("/new").await.has(r#""./style.css?v="#));
        let absent = browser.get("/keys/key_0/rotate").await;
        assert!(absent.has(r#""../../style.css?v="#), "{}: {}", browser.base, absent.html);
    }
}

#[tokio::test]
async fn an_id_of_the_application_is_never_read_as_a_scheme() {
    let store = MemoryStore::new();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    for id in ["data:1", "new"] {
        let digest = Digester::sha256().digest(id.as_bytes());
        let record = Record::imported(KeyId::new(id).unwrap(), digest, Owner::organization("acme"));
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    let console = Console::new(manager.with_permissions(permissions())).unwrap();
    let base = serve(console.routes(|_: ()| async { Ok::<_, ()>(operator()) })).await;
    let browser = Browser { base, user: "ops" };
    assert!(browser.get("/keys/new").await.has("<code>new</code>"));
    for path in [
        "/keys",
        "/keys/data:1",
        "/keys/data:1/rotate",
        "/keys/data:1/revoke",
        "/keys/data:1/usage",
        "/audit",
    ] {
        let page = browser.get(path).await;
        assert!(page.has("data:1") || path.ends_with("/revoke"), "{path}: {}", page.html);
        assert!(!page.has(r#""data:1"#), "{path}: {}", page.html);
    }
}

#[tokio::test]
async fn keys_have_pages_below_bases_with_parameters() {
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let key = manager.create(NewKey::for_organization("acme")).await.unwrap().into_parts().1;
    let console = Console::new(manager.clone().with_permissions(permissions())).unwrap();
    let pages = || console.clone().routes(|_: ()| async { Ok::<_, ()>(operator()) });
    let app = Router::new()
        .nest("/orgs/{org}/keys-of", pages())
        .nest("/ids/{id}/{deep}", pages())
        .nest_service("/service/{id}", pages());
    let origin = serve(app).await;
    for base in ["/orgs/acme/keys-of", "/ids/a/b", "/ids/%FF/b", "/service/x"] {
        let browser = Browser { base: format!("{origin}{base}"), user: "ops" };
        for page in ["", "/rotate", "/revoke", "/usage", "/usage.csv"] {
            let page = browser.get(&format!("/keys/{}{page}", key.id)).await;
            let expected = if base.contains("%FF") { 404 } else { 200 };
            assert_eq!(page.status.as_u16(), expected, "{base}: {}", page.html);
        }
    }
    let browser = Browser { base: format!("{origin}/orgs/acme/keys-of"), user: "ops" };
    browser.post(&format!("/keys/{}/revoke", key.id), &[("confirmation", &key.hint)]).await.location();
    assert!(manager.get(&key.id).await.unwrap().revoked.is_some());
}

#[tokio::test]
async fn a_revocation_that_holds_on_every_server_says_so_in_its_answer_alone() {
    let store = Meddling::new(MemoryStore::new());
    store.list_nodes();
    let manager = KeyManager::new(store, KeyFormat::new("demo").unwrap());
    let manager = manager.lease(Duration::from_millis(1)).with_permissions(permissions());
    let key = manager.create(NewKey::for_organization("acme")).await.unwrap().into_parts().1;
    let console = Console::new(manager).unwrap();
    let base = serve(console.routes(|_: ()| async { Ok::<_, ()>(operator()) })).await;
    let (browser, one) = (Browser { base, user: "ops" }, format!("/keys/{}", key.id));
    let answer = browser.post(&format!("{one}/revoke"), &[("confirmation", &key.hint)]).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    assert!(answer.has("refused on every server") && answer.has(&format!(r#"href="../../keys/{}""#, key.id)));
    assert!(!browser.get(&format!("{one}?done=revoked-everywhere")).await.has("on every server"));
}
