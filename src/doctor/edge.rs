//! Checks of the edge and the token service: those of `test-connection`, with their messages and remedies.

use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck};
use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, all_skipped};

/// Facts about the edge and the token service. `None` means no answer within the time limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeFacts {
    /// The reason for which no client can be created, such as a CA file without a certificate.
    pub unusable: Option<String>,
    pub address: Option<ConnectionCheck>,
    /// `Some(None)` if no tokens are needed.
    pub token_address: Option<Option<ConnectionCheck>>,
    pub token: Option<ConnectionCheck>,
    /// The round trip to each website's datastream, or the reason for which there was none.
    pub websites: Vec<(String, Result<ConnectionCheck, String>)>,
}

pub fn verdict(facts: &EdgeFacts) -> Vec<Finding> {
    if let Some(why) = &facts.unusable {
        let mut findings = vec![Check::EdgeAddress.problem(
            why.clone(),
            "correct the key that the message names, then `systemctl reload orderfeed`",
        )];
        findings.extend(all_skipped(
            [Check::TokenAddress, Check::Token],
            "no client can be created for the edge",
        ));
        return findings;
    }
    let mut findings = vec![
        shared(Check::EdgeAddress, facts.address.as_ref()),
        match &facts.token_address {
            Some(None) => Check::TokenAddress.skipped("edge.auth is none, so no tokens are needed"),
            Some(Some(check)) => shared(Check::TokenAddress, Some(check)),
            None => shared(Check::TokenAddress, None),
        },
        shared(Check::Token, facts.token.as_ref()),
    ];
    findings.extend(facts.websites.iter().map(|(code, result)| {
        let finding = match result {
            Ok(result) => of_connection(Check::Datastream, result),
            Err(why) => Check::Datastream.skipped(why.clone()),
        };
        finding.about(code.clone())
    }));
    findings
}

/// Returns the finding of a check that all websites share.
fn shared(check: Check, result: Option<&ConnectionCheck>) -> Finding {
    match result {
        Some(result) => of_connection(check, result),
        None => check.problem("no answer within the time limit",
            "check edge.url, edge.oauth.token_url, DNS and firewalls in between; `orderfeed test-connection` waits longer",
        ),
    }
}

fn of_connection(check: Check, result: &ConnectionCheck) -> Finding {
    let message = &result.detail;
    match result.verdict {
        CheckVerdict::Ok => check.ok(message),
        CheckVerdict::Skipped => check.skipped(message),
        CheckVerdict::Paused => check.warning(message, "nothing, it ends by itself"),
        CheckVerdict::Failed | CheckVerdict::Unreachable => {
            let message = match result.answer().as_str() {
                "" => message.clone(),
                answer => format!("{message} ({answer})"),
            };
            let remedy = result.remedy.as_deref();
            check.problem(message, remedy.unwrap_or("run `orderfeed test-connection`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn checked(verdict: CheckVerdict) -> ConnectionCheck {
        ConnectionCheck {
            code: Some("EXEG-0003-400".into()),
            remedy: Some("check websites.base.datastream_id".into()),
            ..ConnectionCheck::new("edge", verdict, "the edge does not know the datastream")
        }
    }

    #[test]
    fn results_of_test_connection_become_findings_with_their_remedies() {
        let facts = EdgeFacts {
            address: Some(checked(CheckVerdict::Ok)),
            token_address: Some(None),
            token: None,
            websites: vec![
                ("base".into(), Ok(checked(CheckVerdict::Failed))),
                ("uk".into(), Err("not asked".into())),
            ],
            ..EdgeFacts::default()
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
