//! The tokens that IMS issued.

use std::collections::HashMap;

use orderfeed_model::clock::UtcMillis;

/// Issued tokens with the time at which each expires.
pub(crate) type Tokens = HashMap<String, UtcMillis>;
