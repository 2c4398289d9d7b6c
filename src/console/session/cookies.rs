//! The cookies of the console: that of a session, and that of a browser which is about to sign in.

// Layer 10 of 10: rim.

use std::time::Duration;

use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::address::Address;

/// The names of the cookies of one console. Browsers accept a name with `__Host-` from the host itself only, over HTTPS, so that no other
/// host of the domain sets one. Two consoles of one origin have different names, as such a cookie is sent to the whole origin.
#[derive(Debug, Clone)]
pub(super) struct CookieNames {
    session: Box<str>,
    sign_in: Box<str>,
    is_secure: bool,
}

/// A cookie of the console that a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    Session,
    /// Ties a code, or a form to sign in, to the browser that got it.
    SignIn,
}

/// The cookies of consoles that a layer has taken off a request: the console finds them here, and the rest of the application finds none.
#[derive(Debug, Clone, Default)]
pub(super) struct Stripped(pub(super) Vec<HeaderValue>);

impl CookieNames {
    pub(super) fn new(address: &Address, is_development: bool) -> Self {
        let prefix = if is_development { "" } else { "__Host-" };
        let name = |kind: &str| format!("{prefix}{kind}{}", address.label()).into();
        Self { session: name("console"), sign_in: name("console-sign-in"), is_secure: !is_development }
    }

    fn name(&self, cookie: Cookie) -> &str {
        match cookie {
            Cookie::Session => &self.session,
            Cookie::SignIn => &self.sign_in,
        }
    }

    /// Returns the value of a cookie. `None` if the request has it twice: which of them counts would be a guess.
    pub(super) fn read<'h>(&self, cookie: Cookie, head: &'h Parts) -> Option<&'h str> {
        let stripped = head.extensions.get::<Stripped>().into_iter().flat_map(|stripped| &stripped.0);
        let lines = head.headers.get_all(COOKIE).iter().chain(stripped);
        let mut values = lines.flat_map(pairs).filter_map(|pair| match name_and_value(pair) {
            (name, Some(value)) if name == self.name(cookie).as_bytes() => Some(value),
            _ => None,
        });
        let value = values.next()?;
        std::str::from_utf8(value).ok().filter(|_| values.next().is_none())
    }

    /// Returns the `Set-Cookie` of a value.
    pub(super) fn set(&self, cookie: Cookie, value: &str, max_age: Duration) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = self.name(cookie);
        let seconds = max_age.as_secs();
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        // OK because names and values are of visible ASCII: a base and random letters and digits.
        let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }

    /// Returns the `Set-Cookie` that makes the browser forget a cookie.
    pub(super) fn remove(&self, cookie: Cookie) -> HeaderValue {
        self.set(cookie, "", Duration::ZERO)
    }

    /// Takes the cookies of the console off the headers of a request, and returns them.
    pub(super) fn strip(&self, headers: &mut HeaderMap) -> Stripped {
        let names = [self.session.as_bytes(), self.sign_in.as_bytes()];
        let is_own = |pair: &&[u8]| names.contains(&name_and_value(pair).0);
        if !headers.get_all(COOKIE).iter().flat_map(pairs).any(|pair| is_own(&pair)) {
            return Stripped::default();
        }
        let lines: Vec<_> = headers.get_all(COOKIE).iter().cloned().collect();
        headers.remove(COOKIE);
        let mut stripped = Vec::new();
        for line in &lines {
            let (own, others): (Vec<_>, Vec<_>) = pairs(line).partition(is_own);
            headers.extend(join(&others).map(|others| (COOKIE, others)));
            stripped.extend(join(&own));
        }
        Stripped(stripped)
    }
}

/// Splits a header at its semicolons. Its bytes need not be ASCII: an application may have set any.
fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn name_and_value(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(end) => (&pair[..end], Some(&pair[end + 1..])),
        None => (pair, None),
    }
}

fn join(pairs: &[&[u8]]) -> Option<HeaderValue> {
    if pairs.is_empty() {
        return None;
    }
    // OK because these are parts of a header.
    let mut line = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
    line.set_sensitive(true);
    Some(line)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn cookies(url: &str) -> CookieNames {
        CookieNames::new(&Address::parse(url).unwrap(), false)
    }

    fn head(lines: &[&str]) -> Parts {
        let request = lines.iter().fold(Request::new(()), |mut request, line| {
            request.headers_mut().append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            request
        });
        request.into_parts().0
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_only_once() {
        let own = cookies("https://a.example/keys");
        for (lines, expected) in [
            (&["__Host-console.keys=a"][..], Some("a")),
            (&["b=\u{e4}; __Host-console.keys=a"], Some("a")),
            (&["b=c; __Host-console.keys=a"], Some("a")),
            (&["b=c", "__Host-console.keys=a;d=e"], Some("a")),
            (&["__Host-console.keys=a; __Host-console.keys=b"], None),
            (&["__Host-console.keys=a", "__Host-console.keys=a"], None),
            (&["__Host-console.keys2=a"], None),
            (&["console.keys=a"], None),
            (&["x__Host-console.keys=a"], None),
            (&["__host-console.keys=a"], None),
            (&["__Host-console-sign-in.keys=a"], None),
            (&[], None),
        ] {
            assert_eq!(own.read(Cookie::Session, &head(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn two_consoles_of_an_origin_have_cookies_of_their_own() {
        let (one, other) = (cookies("https://a.example/keys"), cookies("https://a.example/staff/keys"));
        let both = head(&["__Host-console.keys=a; __Host-console.staff.keys=b"]);
        assert_eq!(one.read(Cookie::Session, &both), Some("a"));
        assert_eq!(other.read(Cookie::Session, &both), Some("b"));
    }

    #[test]
    fn the_rest_of_the_application_finds_only_its_own_cookies() {
        let own = cookies("https://a.example/keys");
        let mut head =
            head(&["b=c;__Host-console.keys=a; d=\u{e4}", "__Host-console-sign-in.keys=f", "g=h", "i"]);
        let stripped = own.strip(&mut head.headers);
        let left: Vec<_> = head.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(left, ["b=c; d=\u{e4}", "g=h", "i"].map(str::as_bytes));
        assert_eq!(own.read(Cookie::Session, &head), None);
        head.extensions.insert(stripped);
        assert_eq!(own.read(Cookie::Session, &head), Some("a"));
        assert_eq!(own.read(Cookie::SignIn, &head), Some("f"));
    }

    #[test]
    fn a_cookie_has_the_attributes_that_keep_it_on_the_host() {
        let set = cookies("https://a.example/keys").set(Cookie::Session, "a", Duration::from_secs(60));
        assert!(set.is_sensitive());
        let expected = "__Host-console.keys=a; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(set.to_str().unwrap(), expected);
        let plain = CookieNames::new(&Address::parse("http://127.0.0.1:3000/keys").unwrap(), true);
        let removed = plain.remove(Cookie::Session);
        assert_eq!(removed.to_str().unwrap(), "console.keys=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
