//! Every alert has a test and a runbook, and every runbook belongs to an alert.

use std::collections::BTreeSet;

use crate::support::golden;

fn text(path: &str) -> String {
    std::fs::read_to_string(golden::file(path)).unwrap()
}

fn after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim().strip_prefix(word))
        .map(str::trim)
}

#[test]
fn every_alert_names_a_runbook_that_is_there_and_is_tested() {
    let (rules, tests) = (
        text("contrib/prometheus/orderfeed.rules.yml"),
        text("contrib/prometheus/orderfeed.rules.test.yml"),
    );
    let alerts: BTreeSet<&str> = after(&rules, "- alert:").collect();
    assert!(alerts.len() > 10, "the alerts were not found");
    let tested: BTreeSet<&str> = after(&tests, "alertname:").collect();
    assert_eq!(alerts, tested, "alerts, and alerts with a test");
    let operations = text("docs/OPERATIONS.md");
    let headings: BTreeSet<&str> = after(&operations, "### ")
        .filter(|heading| heading.starts_with("Orderfeed"))
        .collect();
    assert_eq!(alerts, headings, "alerts, and runbooks in docs/OPERATIONS.md");
    let named: BTreeSet<&str> = after(&rules, "runbook: docs/OPERATIONS.md#").collect();
    let anchors: BTreeSet<String> = headings.iter().map(|heading| heading.to_lowercase()).collect();
    assert_eq!(named, anchors.iter().map(String::as_str).collect());
}
