//! Answers and the steps that follow from them.

use std::time::Duration;

use crate::config;
use crate::delivery::http::destination::Attempt;
use crate::delivery::http::tokens::TokenError;
use crate::delivery::rules::{Accepted, Blame, Decision, EdgeRefusal, Halt, RetryLater, RetryScope, Split};
use crate::delivery::sender::answer::{Answer, RequestOutcome};
use crate::delivery::sender::control::Control;
use crate::delivery::sender::control::decide::Step;
use crate::delivery::sender::control::health::{Health, Permit};
use crate::delivery::sender::settle::Settlement;
use crate::store::outbox::{Class, PendingBatch};
use orderfeed_model::clock::UtcMillis;

const NOW: UtcMillis = UtcMillis(1_000_000);

fn control() -> Control {
    Control::new(Health::new(1), config::Config::default().delivery, || u64::MAX)
}

fn batch(id: i64, events: usize) -> PendingBatch {
    PendingBatch {
        id,
        website: 1,
        class: Class::Live,
        events,
        bytes: 100 * events,
        attempts: 0,
        last_status: None,
        changed_at: NOW,
    }
}

fn sent(batches: Vec<PendingBatch>, decision: Decision) -> Answer {
    let kinds = batches
        .iter()
        .map(|batch| vec![(1, batch.events as u64)])
        .collect();
    let attempt = Attempt {
        code: decision.code().map(str::to_owned),
        decision,
        status: Some(200),
        request_id: "r".to_owned(),
        title: None,
        note: None,
        latency: Duration::from_millis(5),
        skew_ms: None,
    };
    Answer {
        batches,
        epoch: 0,
        outcome: RequestOutcome::Sent(Box::new(attempt), kinds),
        superseded: false,
    }
}

fn refusal() -> EdgeRefusal {
    EdgeRefusal {
        code: "EXEG-0104-422".to_owned(),
        title: "Unprocessable".to_owned(),
        detail: String::new(),
        blame: Blame::Event,
    }
}

fn retry(scope: RetryScope, after: Option<u64>) -> Decision {
    Decision::Retry(RetryLater {
        after: after.map(Duration::from_secs),
        scope,
        code: "http_503".to_owned(),
    })
}

fn halt() -> Halt {
    Halt {
        code: "EXEG-0003-400".to_owned(),
        reason: "the edge does not accept the datastream".to_owned(),
        remedy: "check it",
        inferred: false,
    }
}

/// Returns what the steps do to the batches, in a word for each.
fn fates(steps: &[Step]) -> Vec<&'static str> {
    let fate = |step: &Step| match step {
        Step::Settle(Settlement::Delivered(..)) => Some("delivered"),
        Step::Settle(Settlement::PerEvent { .. }) => Some("per event"),
        Step::Settle(Settlement::Retry { .. }) => Some("retry"),
        Step::Settle(Settlement::Attempted { .. }) => Some("attempted"),
        Step::Settle(Settlement::Screen { .. }) => Some("screen"),
        Step::Settle(Settlement::Split { .. }) => Some("split"),
        Step::HalveRequest(_) => Some("halve"),
        Step::Release(_) => Some("release"),
        Step::Log(_) | Step::CountRetry | Step::CountAccepted { .. } => None,
    };
    steps.iter().filter_map(fate).collect()
}

#[test]
fn every_answer_has_one_fate_for_its_batches() {
    let two = || vec![batch(1, 3), batch(2, 3)];
    let suppressed = Accepted {
        suppressed: vec![4],
        ..Accepted::default()
    };
    let cases = [
        (two(), Decision::Delivered(Accepted::default()), vec!["delivered"]),
        (
            two(),
            Decision::Delivered(suppressed),
            vec!["delivered", "per event"],
        ),
        (two(), retry(RetryScope::Request, None), vec!["retry"]),
        (
            two(),
            Decision::Split(Split::Events, refusal()),
            vec!["attempted", "halve"],
        ),
        (
            vec![batch(1, 3)],
            Decision::Split(Split::Events, refusal()),
            vec!["split"],
        ),
        (vec![batch(1, 1)], Decision::Park(refusal()), vec!["per event"]),
        (two(), Decision::Halt(halt()), vec!["retry"]),
    ];
    for (batches, decision, expected) in cases {
        let steps = control().decide(sent(batches, decision.clone()), NOW);
        assert_eq!(fates(&steps), expected, "{decision:?}");
    }
}

#[test]
fn a_request_that_was_not_sent_keeps_its_batches_as_they_are() {
    let unsent = |outcome| Answer {
        batches: vec![batch(1, 1)],
        epoch: 0,
        outcome,
        superseded: false,
    };
    assert_eq!(
        fates(&control().decide(unsent(RequestOutcome::Held), NOW)),
        ["release"]
    );
    assert_eq!(
        fates(&control().decide(unsent(RequestOutcome::NeedsScreening), NOW)),
        ["screen"]
    );
    let mut control = control();
    let steps = control.decide(unsent(RequestOutcome::NoToken(TokenError::Refused(halt()))), NOW);
    assert_eq!(
        (fates(&steps), control.health.is_halted()),
        (vec!["release"], true)
    );
}

#[test]
fn a_superseded_destination_can_ask_for_a_pause_but_not_halt() {
    let mut control = control();
    let halting = Answer {
        superseded: true,
        ..sent(vec![batch(1, 1)], Decision::Halt(halt()))
    };
    assert_eq!(fates(&control.decide(halting, NOW)), ["retry"]);
    assert_eq!(control.health.permit(NOW), Permit::Send);
    let pausing = Answer {
        superseded: true,
        ..sent(vec![batch(1, 1)], retry(RetryScope::Datastream, Some(7)))
    };
    control.decide(pausing, NOW);
    assert_eq!(
        control.health.permit(NOW),
        Permit::WaitUntil(NOW.plus_millis(7000))
    );
}

#[test]
fn failures_of_requests_in_flight_together_count_once() {
    let mut control = control();
    for id in 1..=5 {
        control.in_flight.started(&[batch(id, 1)]);
    }
    for id in 1..=5 {
        control.decide(sent(vec![batch(id, 1)], retry(RetryScope::Request, None)), NOW);
    }
    assert_eq!(control.health.row().failures, 1);
    assert_eq!(control.health.permit(NOW), Permit::Send);
}
