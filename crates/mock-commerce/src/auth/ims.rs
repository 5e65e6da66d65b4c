//! The part of IMS that the cloud service and the journal need: tokens by client credentials.

use std::collections::HashMap;

use hyper::HeaderMap;

use crate::auth::encoding::decode_form;
use crate::auth::tokens::Token;
use crate::json::{Json, map};
use crate::problem::Problem;
use crate::state::Shared;

/// Scope of a token for the API.
const COMMERCE: &str = "commerce.accs";
/// Scope of a token for the journal.
const EVENTS: &str = "event_receiver_api";

/// Serves the token endpoint.
pub(crate) fn token(shared: &Shared, form: &str) -> Result<Json, Problem> {
    let fields: HashMap<String, String> = form
        .split('&')
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (decode_form(name), decode_form(value)))
        .collect();
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let config = shared.config();
    let refused = |error: &str| Err(Problem::plain(400, error));
    if field("grant_type") != "client_credentials" {
        return refused("unsupported_grant_type");
    }
    let is_client =
        field("client_id") == config.cloud.client_id && field("client_secret") == config.cloud.client_secret;
    if !is_client {
        return refused("invalid_client");
    }
    let scopes: Vec<String> = field("scope").split([',', ' ']).map(str::to_owned).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        return refused("invalid_scope");
    }
    let name = format!("mock-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let expires = shared.now().plus_millis(config.cloud.token_ttl_s * 1000);
    shared.tokens().insert(name.clone(), Token { expires, scopes });
    Ok(map! { "access_token": name, "token_type": "bearer", "expires_in": config.cloud.token_ttl_s })
}

/// Checks the headers of a request to the cloud service.
pub(crate) fn check(shared: &Shared, headers: &HeaderMap) -> Result<(), Problem> {
    check_headers(shared, headers, COMMERCE, "x-gw-ims-org-id")
}

/// Checks the headers of a request to the journal.
pub(crate) fn check_journal(shared: &Shared, headers: &HeaderMap) -> Result<(), Problem> {
    check_headers(shared, headers, EVENTS, "x-ims-org-id")
}

fn check_headers(
    shared: &Shared,
    headers: &HeaderMap,
    scope: &str,
    organization: &str,
) -> Result<(), Problem> {
    let text_of = |name: &str| text(headers, name).unwrap_or_default();
    let token = text_of("authorization").strip_prefix("Bearer ");
    let now = shared.now();
    let token = token
        .and_then(|token| shared.tokens().get(token).cloned())
        .filter(|token| token.expires > now);
    let config = shared.config();
    let Some(token) = token.filter(|_| !config.is_revoked) else {
        return Err(Problem::plain(401, "Oauth token is not valid"));
    };
    if !token.scopes.iter().any(|granted| granted == scope) {
        return Err(Problem::plain(403, "The token lacks a scope"));
    }
    if text_of("x-api-key") != config.cloud.client_id {
        return Err(Problem::plain(403, "Api Key is invalid"));
    }
    if text_of(organization) != config.cloud.organization {
        return Err(Problem::plain(403, "Organization is not allowed"));
    }
    Ok(())
}

/// Returns a header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
