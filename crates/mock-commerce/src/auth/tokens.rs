//! The tokens that IMS issued.

use std::collections::HashMap;

use orderfeed_model::clock::UtcMillis;

/// Issued tokens by their text.
pub(crate) type Tokens = HashMap<String, Token>;

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) expires: UtcMillis,
    pub(crate) scopes: Vec<String>,
}
