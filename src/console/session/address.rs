//! The public address of the console, and the addresses that its pages may link to.

// Layer 10 of 10: rim.

use std::net::IpAddr;

use axum::http::uri::Uri;

use crate::error::{ConfigError, ConfigErrorKind};

/// The origin and the base of a console, such as `https://app.example.com` and `/settings/api-keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) origin: Origin,
    /// Without a slash at its end: empty for the root.
    base: Box<str>,
}

/// The scheme and the authority of an address, in lower case and without a default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin(Box<str>);

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, ConfigError> {
        let rule = "be a scheme, a host and a path, such as https://app.example.com/settings/api-keys";
        let invalid = || {
            ConfigError::new(
                ConfigErrorKind::Console,
                format!("the address of the console must {rule}, got {url:?}"),
            )
        };
        let (origin, base) = split(url).ok_or_else(invalid)?;
        let base = base.trim_end_matches('/');
        // It is a part of a cookie's name.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~/".contains(&byte);
        if !base.bytes().all(is_plain) || base.contains("//") {
            return Err(invalid());
        }
        Ok(Self { origin, base: base.into() })
    }

    /// Returns the URL of a page.
    pub(super) fn url(&self, page: &str) -> String {
        format!("{}{}/{page}", self.origin.0, self.base)
    }

    /// Returns the address as a text that tells it from that of other consoles.
    pub(super) fn text(&self) -> String {
        self.url("")
    }

    /// Returns the base as a part of a cookie's name, in which a slash may not stand.
    pub(super) fn label(&self) -> String {
        self.base.replace('/', ".")
    }
}

impl Origin {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (origin, path) = split(text)?;
        matches!(path, "" | "/").then_some(origin)
    }

    pub(super) fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Returns the host, and the port unless it is that of the scheme.
    pub(super) fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&*self.0, |(_, authority)| authority)
    }

    /// Returns whether it leads to the machine of the browser itself.
    pub(super) fn is_loopback(&self) -> bool {
        let uri: Option<Uri> = self.0.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse();
        host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// Returns whether pages may link to an address: a path of their own origin, or a URL of one of these origins.
pub(super) fn may_link_to(url: &str, origins: &[Origin]) -> bool {
    // Browsers read `//host` and `/\host` as other origins; `split` and this accept no backslash.
    let is_own_path = url.starts_with('/') && !url.starts_with("//") && is_plain(url);
    is_own_path || split(url).is_some_and(|(origin, _)| origins.contains(&origin))
}

/// Splits a URL of HTTP into its origin and the rest.
fn split(url: &str) -> Option<(Origin, &str)> {
    let uri: Uri = url.parse().ok().filter(|_| is_plain(url))?;
    let (scheme, authority) = (uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?);
    let default = match &*scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let text = authority.as_str();
    if text.contains('@') || authority.host().is_empty() || text.ends_with(':') {
        return None;
    }
    let rest = &url[scheme.len() + "://".len() + text.len()..];
    let host = text.to_ascii_lowercase();
    let host = host.strip_suffix(default).unwrap_or(&host);
    Some((Origin(format!("{scheme}://{host}").into()), rest))
}

/// Returns whether all browsers read a URL alike: it has no characters that some of them drop or replace.
fn is_plain(url: &str) -> bool {
    url.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`' | b'^'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_an_origin_and_a_base() {
        for (url, origin, base) in [
            ("https://app.example.com/settings/api-keys", "https://app.example.com", "/settings/api-keys"),
            ("HTTPS://App.Example.com:443/keys/", "https://app.example.com", "/keys"),
            ("https://app.example.com", "https://app.example.com", ""),
            ("http://127.0.0.1:3000/console", "http://127.0.0.1:3000", "/console"),
            ("http://[::1]:3000/", "http://[::1]:3000", ""),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((&*address.origin.0, &*address.base), (origin, base), "{url}");
            assert_eq!(address.url("keys"), format!("{origin}{base}/keys"));
        }
        for url in [
            "",
            "/settings",
            "app.example.com/keys",
            "ftp://app.example.com/",
            "https://user@app.example.com/",
            "https:///keys",
            "https://app.example.com:/keys",
            "https://app.example.com/keys?a=b",
            "https://app.example.com/keys#a",
            "https://app.example.com/a//b",
            "https://app.example.com/a%2fb",
            "https://app.example.com/a.b",
            "https://app.example.com/a\\b",
            "https://app.example.com/ä",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn two_bases_have_two_labels() {
        let label = |url| Address::parse(url).unwrap().label();
        assert_eq!(label("https://a.example/settings/api-keys"), ".settings.api-keys");
        assert_eq!(label("https://a.example/"), "");
        assert_ne!(label("https://a.example/a/b"), label("https://a.example/a-b"));
    }

    #[test]
    fn a_link_leads_to_an_origin_of_the_application() {
        let origins = ["https://app.example.com", "https://docs.example.com:8443"];
        let origins = origins.map(|origin| Origin::parse(origin).unwrap());
        for good in [
            "/settings",
            "/",
            "https://app.example.com",
            "https://APP.example.com:443/a?b=c#d",
            "https://docs.example.com:8443/",
        ] {
            assert!(may_link_to(good, &origins), "{good}");
        }
        for foreign in [
            "",
            "settings",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https://app.example.com.evil.example/",
            "https://app.example.com@evil.example/",
            "https://app.example.com\\@evil.example/",
            "https://app.example.com:8443/",
            "http://app.example.com/",
            "https:app.example.com",
            "https:/app.example.com",
            "javascript:alert(1)",
            "javascript://app.example.com/%0aalert(1)",
            "data:text/html,a",
            " https://app.example.com/",
            "https://app.example.com/\n",
            "/\t/evil.example",
        ] {
            assert!(!may_link_to(foreign, &origins), "{foreign:?}");
        }
    }

    #[test]
    fn loopback_hosts_are_known() {
        for (origin, expected) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1", true),
            ("http://127.8.8.8:80", true),
            ("http://[::1]:3000", true),
            ("http://localhost.evil.example", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(Origin::parse(origin).unwrap().is_loopback(), expected, "{origin}");
        }
    }
}
