//! The pauses of a configuration's websites and OAuth client: their owners, and the sentence about one.

use crate::config::Config;
use crate::store::outbox::{FailureCode, Pause, PauseKey, PauseScope, SenderRow, SenderState};
use orderfeed_model::clock::UtcMillis;

/// Returns the owners whose pauses hold back a website's requests, or the token that they need.
pub fn owners(config: &Config, website: &str) -> Vec<PauseKey> {
    let organization = config.services_connector.organization_id.to_string();
    let site = config.websites.get(website);
    let datastream = site.and_then(|site| site.datastream.as_ref());
    let mut owners = vec![
        key(PauseScope::Organization, organization),
        key(PauseScope::Website, website.to_owned()),
        token_client(config),
    ];
    owners.extend(datastream.map(|id| key(PauseScope::Datastream, id.to_string())));
    owners
}

/// Returns the owner whose pause holds back the fetches of access tokens.
pub fn token_client(config: &Config) -> PauseKey {
    key(PauseScope::TokenClient, config.edge.oauth.client_id.clone())
}

/// Returns the pause that holds a sender back. That of the token client does so only where no token is left, which the
/// sender's own state shows.
pub fn of_sender<'a>(
    owners: &[PauseKey],
    row: Option<&SenderRow>,
    pauses: &'a [Pause],
    now: UtcMillis,
) -> Option<&'a Pause> {
    let lacks_token = row.is_some_and(|row| {
        row.state == SenderState::BackingOff && FailureCode::parse(&row.code).is_from_token_service()
    });
    let holds = |pause: &&Pause| {
        now < pause.until
            && owners.contains(&pause.key)
            && (lacks_token || pause.key.scope != PauseScope::TokenClient)
    };
    pauses.iter().filter(holds).max_by_key(|pause| pause.until)
}

fn key(scope: PauseScope, owner: String) -> PauseKey {
    PauseKey { scope, owner }
}

/// Formats a pause: `the edge asked to wait until 09:29 UTC (in 59 min)`. `code` is that of the answer.
pub fn sentence(code: &str, until: UtcMillis, now: UtcMillis) -> String {
    let peer = match FailureCode::parse(code).is_from_token_service() {
        true => "the token service",
        false => "the edge",
    };
    format!("{peer} asked to wait {}", end(until, now))
}

/// Formats the end of a pause, which is at most an hour away.
fn end(until: UtcMillis, now: UtcMillis) -> String {
    let (at, seconds) = (until.rfc3339(), until.millis_since(now).max(0) / 1000);
    // A short pause would end in the minute that it is named by.
    match seconds {
        0..120 => format!("until {} UTC (in {seconds} s)", at.get(11..19).unwrap_or(&at)),
        _ => format!(
            "until {} UTC (in {} min)",
            at.get(11..16).unwrap_or(&at),
            seconds / 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_peer_and_the_end() {
        let now = UtcMillis::parse_rfc3339("2026-11-22T08:29:40Z").unwrap();
        let of = |code, seconds: i64| sentence(code, now.plus_millis(seconds * 1000), now);
        assert_eq!(
            of("http_429", 3590),
            "the edge asked to wait until 09:29 UTC (in 59 min)"
        );
        assert_eq!(
            of("ims_503", 5),
            "the token service asked to wait until 08:29:45 UTC (in 5 s)"
        );
    }
}
