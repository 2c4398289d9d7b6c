//! Variations of cases: with the protocol that a client claims, and with the protocols that a layer answers.

use std::fmt;

use crate::conformance::cases::{Case, Proto, Request, Step};

/// A variation of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variation {
    AsWritten,
    /// Each request claims to be a gRPC call, to a layer without gRPC answers.
    ClaimsGrpc,
    /// The layer has gRPC answers enabled, but receives no gRPC call.
    AnswersGrpc,
}

impl Variation {
    /// Returns the variations of the cases of a group.
    pub(crate) fn of(group: &str) -> &'static [Self] {
        match group {
            "G" => &[Self::AsWritten],
            "H" | "C" => &[Self::AsWritten, Self::ClaimsGrpc, Self::AnswersGrpc],
            _ => &[Self::AsWritten, Self::ClaimsGrpc],
        }
    }

    pub(crate) fn apply(self, mut case: Case) -> Case {
        match self {
            Self::AsWritten => {}
            Self::ClaimsGrpc => {
                let steps = case.steps.iter_mut().filter_map(|step| match step {
                    Step::Request(request) => Some(request),
                    Step::Action(_) => None,
                });
                case.request.iter_mut().chain(steps).for_each(claim);
            }
            Self::AnswersGrpc => {
                case.config.insert("grpc".into(), true.into());
            }
        }
        case
    }
}

fn claim(request: &mut Request) {
    let has_header = |name: &str| request.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name));
    if !has_header("content-type") && request.proto != Proto::Http2Frames {
        request.headers.push(("Content-Type".to_owned(), "application/grpc".to_owned()));
    }
}

impl fmt::Display for Variation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsWritten => "as written",
            Self::ClaimsGrpc => "claiming gRPC",
            Self::AnswersGrpc => "with answers to gRPC",
        })
    }
}
