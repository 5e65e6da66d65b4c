//! Tests of the findings about a source.

use super::*;
use crate::commerce::changes::triggers::TriggerReport;
use crate::doctor::finding::Verdict::{self, Note, Ok as Fine, Problem, Skipped, Unknown, Warning};

fn good() -> Examination {
    Examination {
        product: "MariaDB 10.11.6".into(),
        fingerprint: "orders1:aa".into(),
        websites: vec!["base".into()],
        positions: vec![TablePosition::by_key("orderfeed_log", 4, 4)],
        ..Examination::default()
    }
}

fn facts(found: Examination) -> SourceFacts {
    SourceFacts {
        examined: Some(Ok(found)),
        limit_s: 8,
        stored_fingerprint: Some("orders1:aa".into()),
        websites: BTreeMap::from([("base".to_owned(), true)]),
        ..SourceFacts::default()
    }
}

fn of(facts: &SourceFacts, check: Check) -> Vec<Finding> {
    let mut findings = verdict(facts);
    findings.retain(|finding| finding.check == check);
    findings
}

fn one(facts: &SourceFacts, check: Check) -> Verdict {
    of(facts, check)[0].verdict
}

fn lack(what: MissingKind, needed: bool, grant: Option<&str>) -> MissingObject {
    MissingObject {
        table: "sales_invoice".into(),
        what,
        needed,
        effect: (!needed).then_some("invoices are not sent"),
        grant: grant.map(str::to_owned),
    }
}

#[test]
fn a_good_source_is_fine() {
    let verdicts: Vec<_> = verdict(&facts(good()))
        .iter()
        .map(|finding| finding.verdict)
        .collect();
    assert_eq!(verdicts, [Fine; 7]);
}

#[test]
fn another_kind_of_source_than_the_stores_is_a_problem() {
    let other = SourceFacts {
        kind: SourceKind::Rest,
        stored_kind: Some("mysql".to_owned()),
        ..facts(good())
    };
    let found = &of(&other, Check::Identity)[0];
    assert_eq!(found.verdict, Problem);
    assert!(found.message.contains("\"rest\"") && found.message.contains("\"mysql\""));
    assert!(found.remedy.as_ref().unwrap().contains("--accept-new-source"));
}

#[test]
fn a_missing_permission_is_not_described_as_one_of_a_database() {
    let mut found = good();
    found.missing = vec![lack(
        MissingKind::Permission,
        true,
        Some("select Magento_Sales::sales_invoice"),
    )];
    let facts = SourceFacts {
        kind: SourceKind::Rest,
        ..facts(found)
    };
    let finding = &of(&facts, Check::Schema)[0];
    let remedy = finding.remedy.as_ref().unwrap();
    assert_eq!(remedy, "in the shop's Admin: select Magento_Sales::sales_invoice");
    assert!(!format!("{}{remedy}", finding.message).contains("database"));
}

#[test]
fn a_silent_source_skips_the_other_checks() {
    for examined in [None, Some(Err(("it is down".to_owned(), "start it".to_owned())))] {
        let silent = SourceFacts {
            examined,
            ..facts(good())
        };
        let verdicts: Vec<_> = verdict(&silent).iter().map(|finding| finding.verdict).collect();
        assert_eq!(
            verdicts,
            [Problem, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped]
        );
    }
}

#[test]
fn a_missing_right_comes_with_its_grant_and_a_missing_extra_is_a_note() {
    let grant = "GRANT SELECT ON `shop`.`sales_invoice` TO 'feed'@'%';";
    let mut found = good();
    found.missing = vec![
        lack(MissingKind::Right("SELECT"), true, Some(grant)),
        lack(MissingKind::Table, false, None),
        lack(MissingKind::Columns(vec!["a".into(), "b".into()]), false, None),
    ];
    let findings = of(&facts(found), Check::Schema);
    assert_eq!(findings[0].verdict, Problem);
    assert!(findings[0].remedy.as_deref().unwrap().contains(grant));
    assert_eq!((findings[1].verdict, findings.len()), (Note, 2), "{findings:?}");
    assert!(
        findings[1]
            .message
            .contains("sales_invoice, sales_invoice.a/b; invoices are not sent")
    );
}

#[test]
fn missing_triggers_are_named_or_detected_by_their_effect() {
    let report = TriggerReport {
        expected: 54,
        log_exists: true,
        missing: (0..7).map(|n| format!("trg_{n}")).collect(),
        ..TriggerReport::default()
    };
    for (state, expected) in [
        (TriggerState::Ours(report), Problem),
        (TriggerState::Unseen { stale: None }, Unknown),
        (
            TriggerState::Unseen {
                stale: Some(UtcMillis(1)),
            },
            Problem,
        ),
        (TriggerState::Instance(0), Problem),
        (TriggerState::Instance(3), Fine),
    ] {
        let mut found = good();
        found.triggers = Some(state);
        let finding = of(&facts(found), Check::Capture).remove(0);
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }
}

#[test]
fn an_exposed_connection_is_a_warning() {
    for (protection, expected) in [
        (Protection::Local { is_encrypted: true }, Fine),
        (Protection::Local { is_encrypted: false }, Fine),
        (Protection::Verified, Fine),
        (Protection::Unverified, Warning),
        (Protection::Plain, Warning),
    ] {
        let mut found = good();
        found.protection = Some(protection);
        let facts = facts(found);
        assert_eq!(one(&facts, Check::Encryption), expected, "{protection:?}");
    }
}

#[test]
fn a_position_ahead_or_behind_is_reported() {
    for (position, expected) in [
        (TablePosition::by_key("a", 9, 4), Warning),
        (TablePosition::by_key("a", 9, 9 + MANY_ROWS), Fine),
        (TablePosition::by_key("a", 9, 10 + MANY_ROWS), Warning),
        (
            TablePosition::by_time("a", 0, STUCK_MS / 1000 + 1, 9_999),
            Warning,
        ),
        (TablePosition::by_time("a", 0, 60, 9_999), Fine),
    ] {
        let mut found = good();
        found.positions = vec![position];
        assert_eq!(
            one(&facts(found.clone()), Check::Position),
            expected,
            "{:?}",
            found.positions
        );
    }
}

#[test]
fn another_database_is_a_problem() {
    let mut found = good();
    found.fingerprint = "orders1:bb".into();
    assert_eq!(one(&facts(found), Check::Identity), Problem);
}

#[test]
fn websites_that_are_off_unknown_or_misspelt_are_named() {
    let mut found = good();
    found.websites.push("uk".into());
    let mut facts = facts(found);
    assert_eq!(one(&facts, Check::Websites), Note, "it has no orders");
    facts.website_unknown = 7;
    assert_eq!(one(&facts, Check::Websites), Warning);
    facts.websites.insert("uk".into(), false);
    (facts.website_off, facts.website_unknown) = (7, 0);
    let off = of(&facts, Check::Websites).remove(0);
    assert!(
        off.message.contains("switched off") && off.verdict == Warning,
        "{off:?}"
    );
    facts.websites.insert("ukk".into(), true);
    let misspelt = of(&facts, Check::Websites).remove(1);
    assert!(
        misspelt.message.contains("no website ukk; it has base, uk"),
        "{misspelt:?}"
    );
    assert_eq!(misspelt.verdict, Warning);
    facts.websites.remove("uk");
    let meant = of(&facts, Check::Websites).remove(0);
    assert_eq!(meant.verdict, Problem);
    assert!(meant.message.ends_with("did you mean uk?"), "{meant:?}");
    assert!(
        meant
            .remedy
            .unwrap()
            .starts_with("rename the table [websites.ukk] to [websites.uk]"),
        "the table that is wrong"
    );
    assert_eq!(of(&facts, Check::Websites).len(), 1, "one cause, one finding");
}
