//! The part of IMS that the cloud service and the journal need: tokens by client credentials.

use std::collections::HashMap;

use hyper::HeaderMap;

use crate::auth::encoding::decode_form;
use crate::json::{Json, map};
use crate::problem::Problem;
use crate::state::Shared;

const SCOPE: &str = "commerce.accs";

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
    if !field("scope").split(',').any(|scope| scope.trim() == SCOPE) {
        return refused("invalid_scope");
    }
    let name = format!("mock-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let expires = shared.now().plus_millis(config.cloud.token_ttl_s * 1000);
    shared.tokens().insert(name.clone(), expires);
    Ok(map! { "access_token": name, "token_type": "bearer", "expires_in": config.cloud.token_ttl_s })
}

/// Checks the headers of a request to the cloud service.
pub(crate) fn check(shared: &Shared, headers: &HeaderMap) -> Result<(), Problem> {
    check_token(shared, headers)?;
    let config = shared.config();
    if text(headers, "x-api-key") != Some(&config.cloud.client_id) {
        return Err(Problem::plain(403, "Api Key is invalid"));
    }
    if text(headers, "x-gw-ims-org-id") != Some(&config.cloud.organization) {
        return Err(Problem::plain(403, "Organization is not allowed"));
    }
    Ok(())
}

/// Checks the bearer token alone.
pub(crate) fn check_token(shared: &Shared, headers: &HeaderMap) -> Result<(), Problem> {
    let token = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let now = shared.now();
    let is_valid =
        token.is_some_and(|token| shared.tokens().get(token).is_some_and(|expires| *expires > now));
    if is_valid && !shared.config().is_revoked {
        Ok(())
    } else {
        Err(Problem::plain(401, "Oauth token is not valid"))
    }
}

/// Returns a header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
