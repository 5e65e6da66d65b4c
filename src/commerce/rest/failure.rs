//! Failures of requests as errors of the source.

use crate::commerce::rest::request::answer::Failure;
use crate::commerce::source::SourceError;

/// Returns the error for a failure that nothing smaller can avoid.
pub(crate) fn source_error(failure: Failure) -> SourceError {
    match failure {
        Failure::Refused { message, remedy } => SourceError::Misconfigured { message, remedy },
        Failure::NoRoute { message } => SourceError::Misconfigured {
            message: format!("the shop has no REST API at this address: {message}"),
            remedy: "check source.rest.url: it ends in /rest/all/V1, or in /V1 for the cloud service"
                .to_owned(),
        },
        Failure::Token { message } => SourceError::Misconfigured {
            message: format!("the shop refuses the credentials: {message}"),
            remedy:
                "check the secrets of source.rest, and that the integration is active (System > Integrations)"
                    .to_owned(),
        },
        Failure::PageTooLarge { most } => SourceError::Unavailable {
            message: format!("the shop refuses pages of the size that it allows, {most}"),
        },
        Failure::NoEntity => SourceError::Unavailable {
            message: "the shop answered that something does not exist which it listed before".to_owned(),
        },
        Failure::Nonce => SourceError::Unavailable {
            message: "the shop refuses every nonce of a signature; does a proxy repeat requests?".to_owned(),
        },
        Failure::Busy { reason, .. } | Failure::Poisoned { reason } => {
            SourceError::Unavailable { message: reason }
        }
        Failure::TooSlow { reason } => SourceError::TooSlow { message: reason },
    }
}
