//! The script: its arguments and its answer.

// Layer 8 of 10: decision.

use redis::{Script, ScriptInvocation};

use crate::clock::{Moment, Timestamp};
use crate::limit::{Limit, Span};
use crate::limit_requests::bucket::{Kind, Now, Terms};
use crate::limit_requests::counters::{Count, Left, Taken, UsedUp};

pub(super) fn script() -> Script {
    Script::new(include_str!("take.lua"))
}

/// Prepares a call of the script for a request.
pub(super) fn call<'s>(
    script: &'s Script,
    prefix: &str,
    counts: &[Count],
    cost: u64,
) -> ScriptInvocation<'s> {
    let mut call = script.prepare_invoke();
    call.arg(cost);
    for count in counts {
        call.key([prefix, count.id()].concat()).arg(count.limit().requests()).arg(terms(count.limit()));
    }
    call
}

/// Returns what the script is told of a limit beside its requests.
fn terms(limit: &Limit) -> String {
    match limit.span() {
        Span::Window(_) => (Terms::in_micros(limit).interval() / NANOS).to_string(),
        Span::Period(period) => period.label().to_owned(),
    }
}

/// Reads the answer of the script. `None` if it has another form.
pub(super) fn read(answer: &[String], counts: &[Count], cost: u64) -> Option<Taken> {
    let [has_room, seconds, micros, words @ ..] = answer else { return None };
    let micros = number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)?;
    let wall = |millis: u64| Some(Timestamp::from_unix_millis(millis.try_into().ok()?));
    let now = Now { moment: Moment::from_nanos(micros.checked_mul(NANOS)?), wall: wall(micros / 1_000)? };
    if words.len() != counts.len() {
        return None;
    }
    let words = counts.iter().zip(words).map(|(count, word)| {
        let terms = Terms::in_micros(count.limit());
        Some((terms, self::word(terms.kind(), word)?))
    });
    let words: Vec<(Terms, u64)> = words.collect::<Option<_>>()?;
    let left: Box<[Left]> = words.iter().map(|(terms, word)| terms.left(*word, now)).collect();
    // Rounded up, so that no client is told a time that is too early.
    let taken = Taken::new(wall(micros.div_ceil(1_000))?, left);
    match &**has_room {
        "1" => Some(taken),
        "0" => {
            let waits = words.iter().enumerate().filter_map(|(index, (terms, word))| {
                Some(UsedUp::new(index, terms.take(*word, cost, now).err()?))
            });
            Some(taken.refused(waits.max_by_key(|used_up| used_up.wait)?))
        }
        _ => None,
    }
}

/// Returns the word of a bucket with the same count.
fn word(kind: Kind, text: &str) -> Option<u64> {
    match kind {
        Kind::Rate(_) => number(text)?.checked_mul(NANOS),
        Kind::Quota(_) => {
            let (period, used) = text.split_once(':')?;
            let [period, used] = [period, used].map(str::parse::<u32>);
            Some(u64::from(period.ok()?) << 32 | u64::from(used.ok()?))
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// Nanoseconds in a microsecond.
const NANOS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::key::KeyId;
    use crate::owner::Owner;
    use crate::record::Record;

    #[test]
    fn answers_of_another_form_are_none() {
        let record = Record::imported(
            KeyId::new("key_1").unwrap(),
            Digest::from_bytes([0; 32]),
            Owner::organization("acme"),
        );
        let counts = ["a=3/60s", "b=3/day"].map(|limit| Count::new(&record, limit.parse().unwrap()));
        let read = |answer: &str| {
            let answer: Vec<String> = answer.split(' ').map(str::to_owned).collect();
            super::read(&answer, &counts, 1)
        };
        let day = 20_000 * 86_400;
        let good = read(&format!("1 {day} 500 {}000500 20000:1", day + 20)).unwrap();
        assert_eq!(good.left().iter().map(|left| left.remaining).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(good.left()[0].whole_in.as_secs_f64(), 20.0);
        assert_eq!(good.at().unix_millis(), day * 1_000 + 1, "rounded up");
        for answer in [
            "",
            "1",
            "1 5 5",
            "1 5 5 5",
            "1 5 5 5 5",
            "1 5 5 5 5:5 5",
            "1 5 5 x 5:5",
            "1 5 5 5 5:4294967296",
            "2 5 5 5 5:5",
            "1 -5 5 5 5:5",
            "1 18446744073709551615 5 5 5:5",
            // It is refused, and there is room in all.
            "0 5 5 5 0:1",
        ] {
            assert_eq!(read(answer), None, "{answer}");
        }
    }
}
