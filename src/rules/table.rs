//! Rules by method and path.

// Layer 8 of 10: decision.

use std::collections::HashMap;

use http::Method;

use super::access::Access;
use super::plain::error;
use crate::error::ConfigError;

/// Rules by path, and there by method.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(HashMap<Box<str>, ByMethod>);

#[derive(Debug, Clone, Default)]
struct ByMethod {
    /// For a method without a rule of its own.
    all: Option<Access>,
    some: Vec<(Method, Access)>,
}

/// The rule of a request.
pub(super) enum Entry<'t> {
    Declared(&'t Access),
    /// The path has a rule, but none for the method.
    OtherMethod,
    Undeclared,
}

impl Table {
    /// Reads rules whose routes are written `/path` or `METHOD /path`. `check` is applied to each path.
    pub(crate) fn new<P, A>(
        rules: impl IntoIterator<Item = (P, A)>,
        check: impl Fn(&str, &Access) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        A: TryInto<Access, Error: Into<ConfigError>>,
    {
        let mut table = Self::default();
        for (route, access) in rules {
            let (method, path) = split(route.as_ref())?;
            let access = access.try_into().map_err(Into::into)?;
            check(path, &access)?;
            let by_method = table.0.entry(path.into()).or_default();
            let is_new = match method {
                None => by_method.all.replace(access).is_none(),
                Some(method) => {
                    let is_new = by_method.some.iter().all(|(known, _)| *known != method);
                    by_method.some.push((method, access));
                    is_new
                }
            };
            if !is_new {
                return Err(error("the rules must have different routes, got one of them twice"));
            }
        }
        Ok(table)
    }

    pub(super) fn get(&self, method: &Method, path: &str) -> Entry<'_> {
        let Some(by_method) = self.0.get(path) else { return Entry::Undeclared };
        by_method.get(method).map_or(Entry::OtherMethod, Entry::Declared)
    }
}

impl ByMethod {
    fn get(&self, method: &Method) -> Option<&Access> {
        let own = |method: &Method| {
            let mut some = self.some.iter();
            some.find_map(|(known, access)| (known == method).then_some(access))
        };
        let as_get = || if *method == Method::HEAD { own(&Method::GET) } else { None };
        own(method).or_else(as_get).or(self.all.as_ref())
    }
}

/// Splits the text of a route into its method, if it names one, and its path.
fn split(route: &str) -> Result<(Option<Method>, &str), ConfigError> {
    let Some((method, path)) = route.split_once(' ') else { return Ok((None, route)) };
    let is_method =
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    match Method::from_bytes(method.as_bytes()) {
        Ok(method) if is_method => Ok((Some(method), path)),
        _ => Err(error(
            "the route of a rule must be `/path` or `METHOD /path`, got something other than a method in upper case before the space",
        )),
    }
}
