//! Authentication: the credentials of a request, and the access rules of a datastream.

use crate::config::{Access, DatastreamConfig, EmulatorConfig};
use crate::edge::problem::Refusal;
use crate::http::request::{Door, Inbound};
use crate::ims::tokens::TokenStore;
use orderfeed_model::clock::UtcMillis;

/// Returns true if a request to this listener needs a token (Adobe's access-type matrix).
pub(crate) fn needs_token(door: Door, access: Access) -> bool {
    door == Door::Server || access == Access::Authenticated
}

/// The headers that authenticate a request, unparsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials<'a> {
    authorization: Option<&'a str>,
    api_key: Option<&'a str>,
    org: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    pub(crate) fn of(inbound: &Inbound<'a>) -> Self {
        Self {
            authorization: inbound.header("authorization"),
            api_key: inbound.header("x-api-key"),
            org: inbound.header("x-gw-ims-org-id"),
        }
    }

    /// Returns the bearer token, if the header has that form.
    pub(crate) fn bearer(&self) -> Option<&'a str> {
        let (scheme, token) = self.authorization?.split_once(' ')?;
        let formed = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
        formed.then_some(token)
    }

    /// Checks the credentials for a datastream. Returns the client id.
    pub(crate) fn check(
        &self,
        datastream: &DatastreamConfig,
        config: &EmulatorConfig,
        tokens: &TokenStore,
        now: UtcMillis,
    ) -> Result<String, Refusal> {
        let refuse = |code, why: &str| Err(Refusal::new(code, why));
        let (Some(bearer), Some(api_key), Some(org)) = (self.bearer(), self.api_key, self.org) else {
            return refuse("0500-401", "give a bearer token, x-api-key and x-gw-ims-org-id");
        };
        let Some(token) = tokens.find(bearer) else {
            return refuse("0502-401", "the token was not issued by this IMS");
        };
        if token.expires_at <= now {
            return refuse("0503-401", "the token has expired; fetch a new one");
        }
        if org != datastream.org || token.org != datastream.org || api_key != token.client_id {
            return refuse(
                "0504-401",
                "token, x-api-key, x-gw-ims-org-id and datastream must belong together",
            );
        }
        if let Some(missing) = config
            .required_scopes
            .iter()
            .find(|scope| !token.scopes.contains(scope))
        {
            return refuse("0505-401", &format!("the token lacks the scope {missing}"));
        }
        let writes = config
            .clients
            .get(&token.client_id)
            .map(|client| client.write_sandboxes.as_slice());
        if !writes.unwrap_or_default().contains(&datastream.sandbox) {
            return refuse(
                "0506-401",
                &format!(
                    "no permission to write datasets in sandbox {}",
                    datastream.sandbox
                ),
            );
        }
        Ok(token.client_id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_and_the_access_type_decide_whether_a_token_is_needed() {
        assert!(needs_token(Door::Server, Access::Mixed));
        assert!(needs_token(Door::Server, Access::Authenticated));
        assert!(needs_token(Door::Edge, Access::Authenticated));
        assert!(!needs_token(Door::Edge, Access::Mixed));
    }

    #[test]
    fn only_a_well_formed_bearer_header_holds_a_token() {
        let bearer = |authorization| {
            Credentials {
                authorization,
                api_key: None,
                org: None,
            }
            .bearer()
        };
        assert_eq!(bearer(Some("Bearer abc")), Some("abc"));
        assert_eq!(bearer(Some("bearer abc")), Some("abc"));
        for bad in [
            None,
            Some("abc"),
            Some("Bearer "),
            Some("Basic abc"),
            Some("Bearer a b"),
        ] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
