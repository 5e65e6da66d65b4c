//! The errors of the API, in Commerce's words. A client has only these texts to distinguish them.

use crate::config::{MockConfig, Permission, Release};
use crate::json::{Json, map};

/// An answer in place of the regular one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) body: ProblemBody,
}

/// The body of a problem: of the API, or of the server before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProblemBody {
    Json(Json),
    Html(String),
    /// No answer at all until the client gives up.
    Silence,
}

impl Problem {
    fn json(status: u16, body: Json) -> Self {
        Self {
            status,
            body: ProblemBody::Json(body),
        }
    }

    /// Creates an error with a message, which Commerce leaves without parameters.
    pub(crate) fn plain(status: u16, message: &str) -> Self {
        Self::json(status, map! { "message": message })
    }

    fn with(status: u16, message: &str, name: &str, value: &str) -> Self {
        let parameters = Json::Map(vec![(name.to_owned(), Json::from(value))]);
        Self::json(status, map! { "message": message, "parameters": parameters })
    }

    pub(crate) fn no_route() -> Self {
        Self::plain(404, "Request does not match any route.")
    }

    pub(crate) fn unknown_store() -> Self {
        Self::plain(
            404,
            "The store that was requested wasn't found. Verify the store and try again.",
        )
    }

    pub(crate) fn no_entity() -> Self {
        Self::plain(
            404,
            "The entity that was requested doesn't exist. Verify the entity and try again.",
        )
    }

    /// Creates the error of a page with an order whose product was deleted.
    pub(crate) fn no_product() -> Self {
        Self::plain(
            404,
            "The product that was requested doesn't exist. Verify the product and try again.",
        )
    }

    pub(crate) fn unauthorized(permission: Permission) -> Self {
        Self::with(
            401,
            "The consumer isn't authorized to access %resources.",
            "resources",
            permission.as_str(),
        )
    }

    pub(crate) fn page_too_large(most: u64) -> Self {
        let parameters = map! { "max": i64::try_from(most).unwrap_or(i64::MAX) };
        Self::json(
            400,
            map! { "message": "Maximum SearchCriteria pageSize is %max", "parameters": parameters },
        )
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::with(
            400,
            "\"%fieldName\" is required. Enter and try again.",
            "fieldName",
            field,
        )
    }

    pub(crate) fn wrong_type(value: &str) -> Self {
        Self::with(
            400,
            "The \"%value\" value's type is invalid. The \"int\" type was expected. Verify and try again.",
            "value",
            value,
        )
    }

    /// Creates the error that hides an exception, such as one of the database.
    pub(crate) fn masked(config: &MockConfig) -> Self {
        Self::masked_with(if config.release == Release::V2_3 { 500 } else { 400 })
    }

    pub(crate) fn masked_with(status: u16) -> Self {
        let report = format!("{:013x}", fastrand::u64(..) >> 12);
        let message =
            format!("Internal Error. Details are available in Magento log file. Report ID: webapi-{report}");
        Self::plain(status, &message)
    }

    /// Creates the answer of a PHP process that ended with a fatal error.
    pub(crate) fn fatal() -> Self {
        let message = format!(
            "Server internal error. See details in report api/{}",
            fastrand::u64(100_000_000_000..999_999_999_999)
        );
        let error = map! { "code": 500_i64, "message": message };
        Self::json(500, map! { "messages": map! { "error": vec![error] } })
    }

    pub(crate) fn silence() -> Self {
        Self {
            status: 504,
            body: ProblemBody::Silence,
        }
    }

    /// Creates a page of the web server, a gateway, a firewall or the maintenance mode.
    pub(crate) fn html(status: u16) -> Self {
        let text = match status {
            503 => {
                "<!doctype html><html><head><title>Service Temporarily Unavailable</title></head><body>\
                    <h1>Service Temporarily Unavailable</h1><p>The server is down for maintenance.</p></body></html>"
            }
            403 => {
                "<!doctype html><html><head><title>Attention Required!</title></head><body>\
                    <div id=\"cf-error-details\">Sorry, you have been blocked</div></body></html>"
            }
            502 => {
                "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
            }
            504 => {
                "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>"
            }
            _ => {
                "<!doctype html><html><head><title>Shop</title></head><body>Welcome to our shop</body></html>"
            }
        };
        Self {
            status,
            body: ProblemBody::Html(text.to_owned()),
        }
    }
}
