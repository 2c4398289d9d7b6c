//! Limits of keys: how many requests may be made with a key, by an owner or by an organization; and plans, which name a set of them. Nothing is counted here.

// Layer 1 of 10: words.
// Above `error` and `text`; below `owner` and `record`, which have limits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::parsed_from_text;

const LONGEST_NAME: usize = 32;
const MOST_LIMITS: usize = 8;
/// Most requests of a rate in a second, so that the time of one, a whole number of nanoseconds, is right to a thousandth.
const MOST_PER_SECOND: u64 = 1_000_000;
const LONGEST_WINDOW: u64 = 31 * 24 * 60 * 60;

/// A limit of requests: a rate or a quota, of a key, of its owner or of its organization.
///
/// Its text is `NAME=REQUESTS/WINDOW`, where the window is a number of seconds such as `60s` for a rate, `day` or `month` for a quota; with
/// `/owner` behind it, all keys of an owner share it, and with `/organization` those of an organization and of all its projects.
///
/// ```
/// use std::time::Duration;
/// use tower_api_key::limit::{Limit, Per, Period};
///
/// let burst = Limit::rate("burst", 100, Duration::from_secs(60))?;
/// assert_eq!(burst.to_string(), "burst=100/60s");
/// assert_eq!("monthly=50000/month/owner".parse(), Ok(Limit::quota("monthly", 50_000, Period::Month)?.per_owner()));
/// assert_eq!("monthly=50000/month/organization".parse::<Limit>()?.per(), Per::Organization);
/// assert!("none=0/60s".parse::<Limit>().is_err());
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    name: Box<str>,
    requests: u64,
    span: Span,
    per: Per,
}

/// The time in which the requests of a limit may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Span {
    /// Whole seconds, of a rate. The allowance comes back bit by bit: one request of sixty a minute each second.
    Window(Duration),
    /// A period of the calendar, of a quota. The whole allowance comes back when it begins.
    Period(Period),
}

/// A period of the calendar in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Period {
    /// From one midnight to the next.
    Day,
    /// From the first of a month to the first of the next one.
    Month,
}

/// What shares a limit. Test keys and live keys never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Per {
    /// Nothing: each key has its own.
    #[default]
    Key,
    /// The keys of an owner: of a project, of a user, or of an organization itself.
    Owner,
    /// The keys of an organization and of all its projects, so that a customer gets no further allowance by a further project. For the keys of a
    /// user, as [`Owner`](Self::Owner).
    Organization,
}

/// The limits of a key or of a plan, each with another name. Empty by default, which limits nothing.
///
/// Its text is that of its limits, separated by spaces.
///
/// ```
/// use tower_api_key::limit::Limits;
///
/// let limits: Limits = "burst=100/60s daily=10000/day/owner".parse()?;
/// assert_eq!(limits.iter().map(|limit| limit.name()).collect::<Vec<_>>(), ["burst", "daily"]);
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(Box<[Limit]>);

/// A named set of limits, which keys, organizations and users refer to. A change of it is in force for all of them at once.
///
/// Known by its [name](Plan::named) alone, it refers to the plan of this name in a store, and its limits are unknown: no authenticator admits a
/// key with such a plan. One without limits is [`Plan::new`] with none.
///
/// ```
/// use tower_api_key::limit::{Limits, Plan};
///
/// assert_eq!(Plan::named("free")?.limits(), None);
/// assert_eq!(Plan::new("free", Limits::default())?.limits(), Some(&Limits::default()));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    name: Box<str>,
    /// `None` if they are unknown, which is not the same as none.
    limits: Option<Limits>,
}

impl Limit {
    /// Creates a limit of requests in any window of this length, which may come in a burst.
    ///
    /// # Errors
    ///
    /// When the name is not of 1 to 32 lower-case letters, digits, `-` and `_`; when `requests` is zero, or more than a million for each
    /// second of the window; when the window is not of whole seconds, zero, or longer than 31 days.
    pub fn rate(name: &str, requests: u64, window: Duration) -> Result<Self, InvalidValue> {
        let seconds = window.as_secs();
        if window.subsec_nanos() != 0 || !(1..=LONGEST_WINDOW).contains(&seconds) {
            return Err(invalid("the window of a rate must be of whole seconds, from 1 second to 31 days"));
        }
        if requests > seconds.saturating_mul(MOST_PER_SECOND) {
            return Err(invalid("a rate must be at most a million requests a second"));
        }
        Self::new(name, requests, Span::Window(window))
    }

    /// Creates a limit of requests in each period of the calendar.
    ///
    /// # Errors
    ///
    /// When the name is not of 1 to 32 lower-case letters, digits, `-` and `_`; when `requests` is zero, or more than 4,294,967,295.
    pub fn quota(name: &str, requests: u64, period: Period) -> Result<Self, InvalidValue> {
        if requests > u64::from(u32::MAX) {
            return Err(invalid("a quota must be at most 4294967295 requests"));
        }
        Self::new(name, requests, Span::Period(period))
    }

    fn new(name: &str, requests: u64, span: Span) -> Result<Self, InvalidValue> {
        check_name("limit", name)?;
        if requests == 0 {
            return Err(invalid("a limit must be at least one request: to reject all, disable the key"));
        }
        Ok(Self { name: name.into(), requests, span, per: Per::Key })
    }

    /// Lets all keys of an owner share it: those of a project, of a user, or of an organization itself.
    #[must_use]
    pub fn per_owner(self) -> Self {
        Self { per: Per::Owner, ..self }
    }

    /// Lets all keys of an organization and of its projects share it.
    #[must_use]
    pub fn per_organization(self) -> Self {
        Self { per: Per::Organization, ..self }
    }

    /// Returns the name, by which a limit of a key takes the place of one of its plan.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the time in which the requests may be made.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Returns what shares it.
    pub fn per(&self) -> Per {
        self.per
    }
}

impl Limits {
    /// Creates a set of limits.
    ///
    /// # Errors
    ///
    /// When two have the same name, or there are more than eight.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Result<Self, InvalidValue> {
        // One more than allowed is enough to see that there are too many.
        let limits: Box<[_]> = limits.into_iter().take(MOST_LIMITS + 1).collect();
        if limits.len() > MOST_LIMITS {
            return Err(invalid("a key or a plan has at most eight limits"));
        }
        let repeats =
            |(index, limit): (usize, &Limit)| limits[..index].iter().any(|other| other.name == limit.name);
        if limits.iter().enumerate().any(repeats) {
            return Err(invalid("two limits of a key or a plan must not have the same name"));
        }
        Ok(Self(limits))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the limits, in the order in which they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.0.iter()
    }

    /// Returns whether one of them has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.iter().any(|limit| limit.name() == name)
    }
}

impl Plan {
    /// Creates a plan.
    ///
    /// # Errors
    ///
    /// When the name is not of 1 to 32 lower-case letters, digits, `-` and `_`.
    pub fn new(name: &str, limits: Limits) -> Result<Self, InvalidValue> {
        Ok(Self::named(name)?.with_limits(limits))
    }

    /// Returns the plan with these limits in place of its own.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Creates a plan by its name, as a reference to the one of this name in a store.
    ///
    /// # Errors
    ///
    /// As for [`Plan::new`].
    pub fn named(name: &str) -> Result<Self, InvalidValue> {
        check_name("plan", name)?;
        Ok(Self { name: name.into(), limits: None })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the limits; `None` if the plan is known by its name alone.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// Returns the limits.
    ///
    /// # Errors
    ///
    /// When the plan is known by its name alone.
    pub(crate) fn known_limits(&self) -> Result<&Limits, InvalidValue> {
        self.limits().ok_or_else(|| {
            let name = &self.name;
            invalid(format!(
                "the plan `{name}` is given by its name alone: give it with its limits, by `Plan::new`"
            ))
        })
    }
}

impl Per {
    /// Returns the name in texts: `key`, `owner` or `organization`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Owner => "owner",
            Self::Organization => "organization",
        }
    }
}

impl Period {
    /// Returns the name of the period: `day` or `month`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}/", self.name, self.requests)?;
        match self.span {
            Span::Window(window) => write!(f, "{}s", window.as_secs())?,
            Span::Period(period) => f.write_str(period.label())?,
        }
        match self.per {
            Per::Key => Ok(()),
            shared => write!(f, "/{}", shared.label()),
        }
    }
}

impl FromStr for Limit {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let form = || {
            invalid(
                "a limit must have the form `NAME=REQUESTS/60s`, `NAME=REQUESTS/day` or `NAME=REQUESTS/month`, with `/owner` or \
                 `/organization` behind it if keys share it",
            )
        };
        let shared = [Per::Owner, Per::Organization].into_iter().find_map(|per| {
            let (rest, label) = text.rsplit_once('/')?;
            (label == per.label()).then_some((rest, per))
        });
        let (text, per) = shared.unwrap_or((text, Per::Key));
        let (name, amount) = text.split_once('=').ok_or_else(form)?;
        let (requests, span) = amount.split_once('/').ok_or_else(form)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u64>().ok()).flatten().ok_or_else(form)
        };
        let requests = number(requests)?;
        let limit = match span {
            "day" => Self::quota(name, requests, Period::Day)?,
            "month" => Self::quota(name, requests, Period::Month)?,
            window => {
                let seconds = number(window.strip_suffix('s').ok_or_else(form)?)?;
                Self::rate(name, requests, Duration::from_secs(seconds))?
            }
        };
        Ok(Self { per, ..limit })
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, limit) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{limit}")?;
        }
        Ok(())
    }
}

impl FromStr for Limits {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let limits: Vec<Limit> =
            text.split_ascii_whitespace().take(MOST_LIMITS + 1).map(str::parse).collect::<Result<_, _>>()?;
        Self::new(limits)
    }
}

parsed_from_text!(Limit, "a limit such as `burst=100/60s`");
parsed_from_text!(Limits, "limits such as `burst=100/60s daily=10000/day`");

fn check_name(what: &str, name: &str) -> Result<(), InvalidValue> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = format!(
        "the name of a {what} must be of 1 to {LONGEST_NAME} lower-case letters, digits, `-` and `_`"
    );
    Err(invalid(message))
}

fn invalid(message: impl Into<String>) -> InvalidValue {
    InvalidValue::new(InvalidValueKind::Limit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_one_text() {
        for text in [
            "burst=1/1s",
            "a=1000000/1s",
            "a=4294967295/month",
            "a_b-9=10/day/owner",
            "m=60/2678400s/organization",
        ] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!(limit.to_string(), text);
        }
        let limits = "a=1/1s b=2/day/owner";
        assert_eq!(limits.parse::<Limits>().unwrap().to_string(), limits);
        assert_eq!("".parse(), Ok(Limits::default()));
    }

    #[test]
    fn what_cannot_be_counted_is_no_limit() {
        for text in [
            "",
            "a",
            "=1/1s",
            "a=1",
            "a=0/1s",
            "a=-1/1s",
            "a=+1/1s",
            "a=1/0s",
            "a=1/1",
            "a=1/1m",
            "a=1/year",
            "A=1/1s",
            "a=1.5/1s",
            "a=1000001/1s",
            "a=4294967296/day",
            "a=99999999999999999999/1s",
            "a=1/2678401s",
            "a=1/1s/key",
            "a=1/1s/owner/owner",
            "a=1/1s/owner/organization",
            "a=1/1s/project",
            "a=1/organization",
            "a=1/1s/Organization",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        let name = "n".repeat(33);
        assert!(Limit::rate(&name, 1, Duration::from_secs(1)).is_err() && Plan::named(&name).is_err());
        assert!(Limit::rate("a", 1, Duration::from_millis(1_500)).is_err());
        assert!("a=1/1s a=2/1s".parse::<Limits>().is_err(), "a name twice");
        let many = (0..10_000).map(|number| format!("l{number}=1/1s")).collect::<Vec<_>>().join(" ");
        assert!(many.parse::<Limits>().is_err(), "ten thousand limits");
    }
}
