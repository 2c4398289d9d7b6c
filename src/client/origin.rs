//! The origin that receives a key.

// Layer 10 of 10: rim.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::uri::{Authority, Scheme, Uri};
use http::{HeaderMap, header};

use crate::error::{ConfigError, ConfigErrorKind};

/// A scheme, a host in lower case and a port (RFC 6454). Plain HTTP leads to the loopback interface only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// Parses `https://HOST`, `https://HOST:PORT`, or the same with `http` for a loopback host.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        // A key may have been passed by mistake, so the text is not shown.
        let invalid =
            |rule: &str| ConfigError::new(ConfigErrorKind::Origin, format!("origin is invalid: must {rule}"));
        let shape = || invalid("be a scheme, a host and an optional port, such as https://api.example.com");
        let uri: Uri = text.parse().map_err(|_| shape())?;
        let scheme = uri.scheme().filter(|scheme| default_port(scheme).is_some()).ok_or_else(shape)?.clone();
        let (host, port) = uri.authority().and_then(|found| split(found, &scheme)).ok_or_else(shape)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') || !is_host(host) {
            return Err(shape());
        }
        let host: Box<str> = host.to_ascii_lowercase().into();
        if scheme == Scheme::HTTP && !is_loopback(&host) {
            return Err(invalid(
                "use https, except for localhost, 127.0.0.0/8 and [::1]: http shows the key",
            ));
        }
        Ok(Self { scheme, host, port })
    }

    /// Returns whether a URI leads to this origin, as far as it names a scheme and an authority.
    pub(super) fn agrees_with(&self, uri: &Uri) -> bool {
        uri.scheme().is_none_or(|scheme| *scheme == self.scheme)
            && uri.authority().is_none_or(|authority| self.is_at(authority))
    }

    /// Returns whether `Host`, if present, names this origin. A server may go by it instead of the URI.
    pub(super) fn agrees_with_host(&self, headers: &HeaderMap) -> bool {
        let names_it = |host: &[u8]| Authority::try_from(host).is_ok_and(|authority| self.is_at(&authority));
        headers.get_all(header::HOST).iter().all(|host| names_it(host.as_bytes()))
    }

    fn is_at(&self, authority: &Authority) -> bool {
        split(authority, &self.scheme)
            .is_some_and(|(host, port)| host.eq_ignore_ascii_case(&self.host) && port == self.port)
    }
}

/// Splits an authority into host and port. Returns `None` if it has user information or an invalid port.
fn split<'a>(authority: &'a Authority, scheme: &Scheme) -> Option<(&'a str, u16)> {
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host)? {
        "" => default_port(scheme)?,
        // A number may start with `+`, a port may not (RFC 3986 §3.2.3).
        port => port.strip_prefix(':').filter(|port| !port.starts_with('+'))?.parse().ok()?,
    };
    Some((host, port))
}

fn default_port(scheme: &Scheme) -> Option<u16> {
    if *scheme == Scheme::HTTPS {
        Some(443)
    } else if *scheme == Scheme::HTTP {
        Some(80)
    } else {
        None
    }
}

/// Returns whether a host is a name, an IPv4 address or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    // One dot at the end stands for the root of the name system (RFC 3986 §3.2.2).
    host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) || ipv6(host).is_some()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || ipv6(host).is_some_and(|address| address.is_loopback())
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_https_or_loopback() {
        for good in [
            "https://api.example.com",
            "https://api.example.com/",
            "HTTPS://API.example.com:8443",
            "https://api.example.com.",
            "https://10.0.0.1",
            "https://[2001:db8::1]:8443",
            "http://localhost:3000",
            "http://LOCALHOST",
            "http://127.0.0.1:3000",
            "http://127.255.0.9",
            "http://[::1]:3000",
            "http://[0:0:0:0:0:0:0:1]",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "api.example.com",
            "api.example.com:443",
            "https://",
            "https:///path",
            "https://api.example.com/v1",
            "https://api.example.com/?a",
            "https://api.example.com?a",
            "https://api.example.com#a",
            "https://user@api.example.com",
            "https://user:secret@api.example.com",
            "https://api.example.com:",
            "https://api.example.com:65536",
            "https://api.example.com:https",
            "https://.",
            "https://.example.com",
            "https://api..example.com",
            "https://%61pi.example.com",
            "https://[::1",
            "https://[fe80::1%25eth0]",
            "https://[v1.a]",
            "ftp://localhost",
            "wss://api.example.com",
            "http://api.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://127.1",
            "http://2130706433",
            "http://localhost.",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://notlocalhost",
        ] {
            let error = Origin::parse(bad).expect_err(bad);
            assert_eq!(error.kind(), ConfigErrorKind::Origin);
            assert!(error.to_string().starts_with("origin is invalid: must "), "{error}");
        }
    }

    #[test]
    fn an_origin_is_compared_by_scheme_host_and_port() {
        let agree = |origin: &str, uri: &str| {
            let origin = Origin::parse(origin).unwrap();
            uri.parse().is_ok_and(|uri| origin.agrees_with(&uri))
        };
        for (origin, uri) in [
            ("https://api.example.com", "https://api.example.com/v1?a=b"),
            ("https://api.example.com", "HTTPS://API.Example.COM:443/"),
            ("https://api.example.com:443", "https://api.example.com"),
            ("http://localhost", "http://localhost:80/"),
            ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443/"),
            ("https://api.example.com", "api.example.com:443"),
            ("https://api.example.com", "/v1"),
        ] {
            assert!(agree(origin, uri), "{origin} {uri}");
        }
        for (origin, uri) in [
            ("https://api.example.com", "http://api.example.com/"),
            ("https://api.example.com", "http://api.example.com:443/"),
            ("https://api.example.com", "wss://api.example.com/"),
            ("https://api.example.com", "https://api.example.com:8443/"),
            ("https://api.example.com", "https://api.example.com:/"),
            ("https://api.example.com", "https://api.example.com./"),
            ("https://api.example.com", "https://evil.example/"),
            ("https://api.example.com", "https://api.example.com.evil.example/"),
            ("https://api.example.com", "https://evil-api.example.com/"),
            ("https://api.example.com", "https://user@api.example.com/"),
            ("https://api.example.com", "https://api.example.com@evil.example/"),
            ("https://api.example.com", "https://api.example.com:443@evil.example/"),
            ("https://api.example.com", "https://%61pi.example.com/"),
            ("http://localhost", "http://127.0.0.1/"),
            ("http://[::1]", "http://[0:0:0:0:0:0:0:1]/"),
        ] {
            assert!(!agree(origin, uri), "{origin} {uri}");
        }
    }
}
