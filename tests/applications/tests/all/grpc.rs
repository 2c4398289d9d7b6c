//! The tonic service: unary and streaming calls, and calls of browsers.

use pb::Msg;
use pb::echo_client::EchoClient;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use tempfile::tempdir;
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::server::Server;

mod pb {
    tonic::include_proto!("echo.v1");
}

const WEB: &str = "application/grpc-web+proto";

struct World {
    server: Server,
    client: EchoClient<Channel>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempdir().unwrap();
        let server = Server::start(env!("CARGO_BIN_EXE_grpc"), folder.path(), &[]).await;
        let client = EchoClient::connect(server.url("http", "")).await.unwrap();
        Self { server, client, _folder: folder }
    }

    /// Returns the key with these scopes, which the service has printed.
    fn key(&self, scopes: &str) -> &str {
        let of_scopes = |line: &'_ &String| line.starts_with(&format!("{scopes}: "));
        self.server.lines.iter().find(of_scopes).unwrap().rsplit_once(' ').unwrap().1
    }

    async fn say(&self, key: Option<&str>) -> Result<String, Code> {
        let said = self.client.clone().say(request(key)).await;
        said.map(|answer| answer.into_inner().text).map_err(|status| status.code())
    }

    /// Returns the messages of a stream.
    async fn watch(&self, key: Option<&str>) -> Result<Vec<String>, Code> {
        let stream = self.client.clone().watch(request(key)).await.map_err(|status| status.code())?;
        let (mut stream, mut texts) = (stream.into_inner(), Vec::new());
        while let Some(message) = stream.message().await.unwrap() {
            texts.push(message.text);
        }
        Ok(texts)
    }

    /// Calls a method as a browser does. Returns the headers and the body.
    async fn call_from_page(&self, method: &str, key: Option<&str>) -> (HeaderMap, Vec<u8>) {
        let url = self.server.url("http", &format!("/echo.v1.Echo/{method}"));
        let message = [0, 0, 0, 0, 4, 10, 2, b'h', b'i'];
        let mut request =
            Client::new().post(url).header("content-type", WEB).header("origin", "https://a.page");
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.body(message.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }
}

fn request(key: Option<&str>) -> Request<Msg> {
    let mut request = Request::new(Msg { text: "hi".to_owned() });
    if let Some(key) = key {
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    request
}

fn holds(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

#[tokio::test]
async fn each_method_requires_its_scope() {
    let world = World::start().await;
    let (say, both) = (world.key("echo.say"), world.key("echo.say echo.watch"));

    assert!(world.say(Some(say)).await.unwrap().ends_with(": hi"));
    assert!(world.say(Some(both)).await.is_ok());
    assert_eq!(world.watch(Some(both)).await.unwrap().len(), 5);

    assert_eq!(world.watch(Some(say)).await, Err(Code::PermissionDenied));
    for key in [None, Some("unknown")] {
        assert_eq!(world.say(key).await, Err(Code::Unauthenticated));
        assert_eq!(world.watch(key).await, Err(Code::Unauthenticated));
    }
    for key in [None, Some("unknown"), Some(say)] {
        assert_eq!(world.client.clone().open(request(key)).await.unwrap().into_inner().text, "hi");
    }
}

#[tokio::test]
async fn a_page_needs_a_key_as_well() {
    let world = World::start().await;
    let both = world.key("echo.say echo.watch").to_owned();

    let (headers, body) = world.call_from_page("Say", Some(&both)).await;
    assert_eq!((&headers["content-type"], holds(&body, ": hi")), (&WEB.parse().unwrap(), true));
    assert!(holds(&body, "grpc-status:0"), "{body:?}");
    let (_, body) = world.call_from_page("Watch", Some(&both)).await;
    assert!(holds(&body, ": 4") && holds(&body, "grpc-status:0"), "{body:?}");

    for (method, key, code) in
        [("Say", None, "16"), ("Watch", None, "16"), ("Watch", Some(world.key("echo.say")), "7")]
    {
        let (headers, body) = world.call_from_page(method, key).await;
        let status = headers.get("grpc-status").map(|status| status.to_str().unwrap());
        let is_rejected = status == Some(code) || holds(&body, &format!("grpc-status:{code}"));
        assert!(is_rejected && !holds(&body, "hi"), "{method}: {headers:?} {body:?}");
        assert_eq!(headers["access-control-allow-origin"], "*", "a page can read it");
    }
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let world = World::start().await;
    let url = world.server.url("http", "/echo.v1.Echo/Say");
    let preflight = Client::new()
        .request(Method::OPTIONS, url)
        .header("origin", "https://a.page")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-grpc-web");
    let answer = preflight.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-headers"]),
        (200, &"*".parse().unwrap())
    );
}
