//! Parses challenges (RFC 9110 §11.6.1), one a line.

use regex::Regex;

use crate::conformance::answer::Answer;

/// The parameters of a challenge, with names in lower case.
pub(crate) type Params = Vec<(String, String)>;

/// Returns the parameters of every challenge.
pub(crate) fn challenges(answer: &Answer) -> Vec<Params> {
    answer.lines("www-authenticate").iter().map(|line| params(line)).collect()
}

fn params(line: &str) -> Params {
    let param = r#"([A-Za-z0-9!#$%&'*+.^_`|~-]+)="((?:[^"\\]|\\.)*)""#;
    let whole = Regex::new(&format!("^[A-Za-z]+ {param}(, {param})*$")).unwrap();
    assert!(whole.is_match(line), "no challenge with quoted parameters: {line}");
    let found = Regex::new(param).unwrap();
    found.captures_iter(line).map(|param| (param[1].to_ascii_lowercase(), param[2].to_owned())).collect()
}

/// Returns the values of a parameter in all challenges.
pub(crate) fn values(answer: &Answer, name: &str) -> Vec<String> {
    let params = challenges(answer).into_iter().flatten();
    params.filter(|(found, _)| found == name).map(|(_, value)| value).collect()
}
