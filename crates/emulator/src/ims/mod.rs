//! The emulated IMS: exchanges client credentials for an access token.

pub(crate) mod tokens;

use std::collections::HashMap;

use serde_json::json;

use crate::config::ClientConfig;
use crate::edge::Served;
use crate::http::reply::Answer;
use crate::http::request::Inbound;
use crate::ims::tokens::Token;
use crate::state::Shared;

/// Serves `POST /ims/token/v3` and `/v2`.
pub(crate) fn serve(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    let answer = token(shared, inbound).unwrap_or_else(|refusal| *refusal);
    Served {
        accepted: answer.status == 200,
        answer,
        ..Served::default()
    }
}

fn token(shared: &Shared, inbound: &Inbound<'_>) -> Result<Answer, Box<Answer>> {
    let form: HashMap<_, _> = url::form_urlencoded::parse(&inbound.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err(oauth_error(
            "unsupported_grant_type",
            "grant_type must be client_credentials",
        ));
    }
    let client = inbound.config.clients.get(field("client_id"));
    let Some(client) = client else {
        return Err(oauth_error("invalid_client", "invalid client_id parameter"));
    };
    if client.secret != field("client_secret") {
        return Err(oauth_error("invalid_client", "invalid client_secret parameter"));
    }
    let scopes: Vec<String> = field("scope")
        .split([',', ' '])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(unknown) = scopes.iter().find(|scope| !may_ask(client, scope)) {
        return Err(oauth_error(
            "invalid_scope",
            &format!("the scope {unknown} is not granted"),
        ));
    }
    issue(shared, inbound, field("client_id"), client, scopes)
}

fn may_ask(client: &ClientConfig, scope: &str) -> bool {
    client.scopes.is_empty() || client.scopes.iter().any(|granted| granted == scope)
}

fn issue(
    shared: &Shared,
    inbound: &Inbound<'_>,
    client_id: &str,
    client: &ClientConfig,
    scopes: Vec<String>,
) -> Result<Answer, Box<Answer>> {
    let config = inbound.config;
    let token = Token {
        client_id: client_id.to_owned(),
        org: client.org.clone(),
        scopes,
        expires_at: inbound
            .received_at
            .plus_millis(config.token_ttl_s.saturating_mul(1000)),
    };
    let issued = shared
        .tokens()
        .issue(token, config.tokens_per_minute, inbound.received_at);
    let Some(name) = issued else {
        let throttled = Answer::json(429, &json!({}));
        return Err(Box::new(Answer {
            retry_after: Some("60".to_owned()),
            ..throttled
        }));
    };
    shared.ledger().token_issued();
    let body = json!({ "access_token": name, "token_type": "bearer", "expires_in": config.token_ttl_s });
    Ok(Answer::json(200, &body))
}

fn oauth_error(error: &str, description: &str) -> Box<Answer> {
    let body = json!({ "error": error, "error_description": description });
    Box::new(Answer::json(400, &body))
}
