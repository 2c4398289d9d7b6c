//! An operator that is a key of the store is judged before each page.

use axum::http::{HeaderMap, StatusCode};
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::principal::Resource;
use tower_api_key::{Authenticator, Environment, KeyFormat, MemoryStore, Principal, Requirement, Scopes};

use crate::console::browser::Browser;
use crate::console::world::{permissions, serve};

const PAGES: [&str; 7] =
    ["/keys", "/new", "/usage", "/usage.csv", "/audit", "/keys/{id}", "/keys/{id}/usage"];

async fn caller(authenticator: &Authenticator, text: &str) -> Principal {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", text.parse().unwrap());
    authenticator.authenticate(&headers).await.unwrap()
}

#[tokio::test]
async fn a_key_reads_no_page_before_it_meets_the_requirement_of_operators() {
    let store = MemoryStore::new();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let authenticator = Authenticator::builder(store).build().unwrap();
    let secret =
        manager.create(NewKey::for_organization("acme").name("Secret")).await.unwrap().into_parts().1;
    let create = async |organization: &str, environment, scopes: &str| {
        let new = NewKey::for_organization(organization).scopes(Scopes::parse(scopes).unwrap());
        let new = new.environment(environment);
        let (text, record) = manager.create(new).await.unwrap().into_parts();
        (caller(&authenticator, text.as_str()).await, record)
    };
    let (customer, _) = create("globex", Environment::Live, "notes.read").await;
    let (staff, record) = create("globex", Environment::Live, "staff").await;
    let (test, _) = create("globex", Environment::Test, "staff").await;
    let (tenant, _) = create("tenant", Environment::Live, "*").await;
    let console = Console::new(manager.clone().with_permissions(permissions())).unwrap();
    let door = async |principal: &Principal| {
        let needed = Requirement::all_of(["staff"]).unwrap();
        let actor = principal.actor().requires_for(needed, Resource::Organization("globex"));
        let operator = SignedIn::operator(actor).unwrap();
        let routes = console.clone().routes(move |_: ()| {
            let operator = operator.clone();
            async move { Ok::<_, ()>(operator) }
        });
        Browser { base: serve(routes).await, user: "" }
    };
    let others = [door(&customer).await, door(&test).await, door(&tenant).await];
    let staff = door(&staff).await;
    let statuses = async |browser: &Browser| {
        let mut statuses = Vec::new();
        for path in PAGES {
            let page = browser.get(&path.replace("{id}", secret.id.as_str())).await;
            assert!(page.status == StatusCode::OK || !page.has("Secret"), "{path}");
            statuses.push(page.status);
        }
        statuses
    };
    for other in &others {
        assert_eq!(statuses(other).await, [StatusCode::FORBIDDEN; PAGES.len()]);
    }
    assert_eq!(statuses(&staff).await, [StatusCode::OK; PAGES.len()]);
    manager.revoke(&record.id, "left").await.unwrap();
    assert_eq!(statuses(&staff).await, [StatusCode::FORBIDDEN; PAGES.len()]);
}
