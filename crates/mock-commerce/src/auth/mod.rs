//! Authentication and permissions: signed requests and bearer tokens of an integration, tokens of IMS.

pub(crate) mod encoding;
pub(crate) mod ims;
pub(crate) mod oauth;
pub(crate) mod tokens;

use hyper::HeaderMap;

use crate::auth::oauth::Signed;
use crate::config::Permission;
use crate::problem::Problem;
use crate::state::Shared;

/// The way in which a request is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Adobe Commerce, below `/rest`.
    Commerce,
    /// Adobe Commerce as a Cloud Service, below the tenant's id.
    Cloud,
}

/// Checks that a request may read what `permission` covers.
pub(crate) fn check(
    shared: &Shared,
    door: Door,
    headers: &HeaderMap,
    request: Signed<'_>,
    permission: Permission,
) -> Result<(), Problem> {
    let config = shared.config();
    match door {
        Door::Cloud => ims::check(shared, headers)?,
        Door::Commerce if request.authorization.starts_with("OAuth ") => {
            let now_s = shared.server_time().0.div_euclid(1000);
            oauth::check(&config, &mut shared.nonces(), now_s, request)?;
        }
        // A bearer token that is switched off, a wrong one and none at all are the same to Commerce: a request of
        // an anonymous user, which has no permission.
        Door::Commerce => {
            let is_integration = request
                .authorization
                .strip_prefix("Bearer ")
                .is_some_and(|token| token == config.consumer.token);
            if !is_integration || !config.bearer || config.is_revoked {
                return Err(Problem::unauthorized(permission));
            }
        }
    }
    let permitted = config.permissions.contains(&permission);
    permitted
        .then_some(())
        .ok_or_else(|| Problem::unauthorized(permission))
}
