//! Would the edge take events? The questions are those of `test-connection`, with their answers and remedies.

use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck};
use crate::doctor::check::Check;
use crate::doctor::finding::Finding;

/// What the edge and the token service said. What is `None` was not asked for in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Why there is nobody to ask with, such as a CA file that is none.
    pub unusable: Option<String>,
    /// Whether somebody listens at the edge.
    pub address: Option<ConnectionCheck>,
    /// Whether somebody listens at the token service; `Some(None)` if no tokens are needed.
    pub token_address: Option<Option<ConnectionCheck>>,
    /// Whether there is a token.
    pub token: Option<ConnectionCheck>,
    /// The round trip to each website's datastream; `Err` says why it was not made.
    pub websites: Vec<(String, Result<ConnectionCheck, String>)>,
}

/// The checks of this file that are not about one website.
const SHARED: [Check; 3] = [Check::EdgeAddress, Check::TokenAddress, Check::Token];
const NO_ANSWER: &str = "no answer within the time limit";

/// Judges them.
pub fn verdict(facts: &Facts) -> Vec<Finding> {
    if let Some(why) = &facts.unusable {
        let mut findings = vec![Finding::problem(
            Check::EdgeAddress,
            why.clone(),
            "mend the key that the message names, then `systemctl reload orderfeed`",
        )];
        findings.extend(crate::doctor::finding::all_skipped(
            &SHARED[1..],
            "the edge cannot be asked",
        ));
        return findings;
    }
    let no_tokens = || Finding::skipped(Check::TokenAddress, "edge.auth is none, so no tokens are needed");
    let mut findings = vec![shared(Check::EdgeAddress, facts.address.as_ref())];
    findings.push(match &facts.token_address {
        Some(None) => no_tokens(),
        Some(Some(check)) => shared(Check::TokenAddress, Some(check)),
        None => shared(Check::TokenAddress, None),
    });
    findings.push(shared(Check::Token, facts.token.as_ref()));
    for (code, asked) in &facts.websites {
        let finding = match asked {
            Ok(check) => judged(Check::Datastream, check),
            Err(why) => Finding::skipped(Check::Datastream, why.clone()),
        };
        findings.push(finding.about(code.clone()));
    }
    findings
}

fn shared(check: Check, asked: Option<&ConnectionCheck>) -> Finding {
    match asked {
        Some(found) => judged(check, found),
        None => Finding::problem(
            check,
            NO_ANSWER,
            "check edge.url, edge.oauth.token_url, DNS and firewalls in between; `orderfeed test-connection` waits longer",
        ),
    }
}

fn judged(check: Check, found: &ConnectionCheck) -> Finding {
    let mut message = found.detail.clone();
    let is_fine = matches!(found.verdict, CheckVerdict::Ok | CheckVerdict::Skipped);
    if !is_fine {
        let mut more = Vec::new();
        more.extend(found.code.as_ref().map(|code| format!("code {code}")));
        more.extend(found.status.map(|status| format!("HTTP {status}")));
        more.extend(found.request_id.as_ref().map(|id| format!("request {id}")));
        if !more.is_empty() {
            message = format!("{message} ({})", more.join(", "));
        }
    }
    match found.verdict {
        CheckVerdict::Ok => Finding::ok(check, message),
        CheckVerdict::Skipped => Finding::skipped(check, message),
        CheckVerdict::Failed | CheckVerdict::Unreachable => {
            let remedy = found.remedy.as_deref();
            Finding::problem(
                check,
                message,
                remedy.unwrap_or("run `orderfeed test-connection`"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn said(verdict: CheckVerdict) -> ConnectionCheck {
        ConnectionCheck {
            code: Some("EXEG-0003-400".into()),
            remedy: Some("check websites.base.datastream_id".into()),
            ..ConnectionCheck::new("edge", verdict, "the edge does not know the datastream")
        }
    }

    #[test]
    fn what_test_connection_finds_is_found_with_its_remedy() {
        let facts = Facts {
            address: Some(said(CheckVerdict::Ok)),
            token_address: Some(None),
            token: None,
            websites: vec![
                ("base".into(), Ok(said(CheckVerdict::Failed))),
                ("uk".into(), Err("not asked".into())),
            ],
            ..Facts::default()
        };
        let findings = verdict(&facts);
        let verdicts: Vec<_> = findings.iter().map(|finding| finding.verdict).collect();
        use Verdict::{Ok as Fine, Problem, Skipped};
        assert_eq!(verdicts, [Fine, Skipped, Problem, Problem, Skipped]);
        assert!(findings[3].message.contains("EXEG-0003-400"));
        assert_eq!(
            findings[3].remedy.as_deref(),
            Some("check websites.base.datastream_id")
        );
        assert!(findings[2].message.contains("no answer"));
    }
}
