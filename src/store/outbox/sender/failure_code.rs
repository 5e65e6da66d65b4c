//! The codes of failures, as the store, the log and `status` show them.

use std::fmt;

/// A failure code by its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCode<'a> {
    /// A code of the edge: `EXEG-0201-503`.
    Edge(&'a str),
    /// The HTTP status of an answer without a code: `http_503`.
    Http(u16),
    /// The HTTP status of an answer of the token service: `ims_429`.
    TokenService(u16),
    /// Another failure of the token service: `ims_network`.
    TokenServiceOther(&'a str),
    /// A word of orderfeed: `timeout`.
    Word(&'a str),
}

impl<'a> FailureCode<'a> {
    /// Parses a stored code. Never fails: a code of an unknown form is a word.
    pub fn parse(code: &'a str) -> Self {
        let status = |text: &str| text.parse().ok();
        if code.starts_with("EXEG-") {
            Self::Edge(code)
        } else if let Some(status) = code.strip_prefix("http_").and_then(status) {
            Self::Http(status)
        } else if let Some(rest) = code.strip_prefix("ims_") {
            status(rest).map_or(Self::TokenServiceOther(rest), Self::TokenService)
        } else {
            Self::Word(code)
        }
    }

    /// Returns true for status 429: the edge or the token service limits the rate.
    pub fn is_throttling(self) -> bool {
        match self {
            Self::Edge(code) => code.ends_with("-429"),
            Self::Http(status) | Self::TokenService(status) => status == 429,
            Self::TokenServiceOther(_) | Self::Word(_) => false,
        }
    }

    /// Returns true if the edge, or a gateway in front of it, answered.
    pub fn is_from_edge(self) -> bool {
        matches!(self, Self::Edge(_) | Self::Http(_))
    }

    /// Returns true if the token service failed.
    pub fn is_from_token_service(self) -> bool {
        matches!(self, Self::TokenService(_) | Self::TokenServiceOther(_))
    }
}

impl fmt::Display for FailureCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge(code) | Self::Word(code) => f.write_str(code),
            Self::Http(status) => write!(f, "http_{status}"),
            Self::TokenService(status) => write!(f, "ims_{status}"),
            Self::TokenServiceOther(word) => write!(f, "ims_{word}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_keeps_its_text_and_shows_its_origin() {
        let (edge, token_service, throttling) = (1, 2, 4);
        let cases = [
            ("EXEG-0201-503", edge),
            ("http_503", edge),
            ("http_429", edge | throttling),
            ("ims_429", token_service | throttling),
            ("ims_network", token_service),
            ("ims_proxy", token_service),
            ("timeout", 0),
            ("", 0),
        ];
        for (text, expected) in cases {
            let code = FailureCode::parse(text);
            let seen = i32::from(code.is_from_edge()) * edge
                + i32::from(code.is_from_token_service()) * token_service
                + i32::from(code.is_throttling()) * throttling;
            assert_eq!((code.to_string().as_str(), seen), (text, expected));
        }
    }
}
