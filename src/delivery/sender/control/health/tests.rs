//! The requests that a sender may send in each state.

use crate::delivery::sender::control::health::*;

const NOW: UtcMillis = UtcMillis(1_000_000);

fn halt() -> Halt {
    Halt {
        code: "EXEG-0003-400".to_owned(),
        reason: "the edge does not accept the datastream".to_owned(),
        remedy: "check it",
        inferred: false,
    }
}

#[test]
fn retry_after_holds_everything_and_is_never_cut_short() {
    let mut health = Health::new(1);
    health.wait(Duration::from_secs(120), "EXEG-0000-503", NOW);
    health.wait(Duration::from_secs(5), "EXEG-0000-503", NOW);
    let until = NOW.plus_millis(120_000);
    assert_eq!(health.permit(NOW), Permit::WaitUntil(until));
    assert!(
        !health.record_success(NOW.plus_millis(50)),
        "it was in flight already"
    );
    let restored = Health::restore(1, Some(health.row().clone()), NOW.plus_millis(60_000));
    assert_eq!(restored.permit(NOW.plus_millis(60_000)), Permit::WaitUntil(until));
    assert_eq!(restored.permit(until), Permit::Send);
}

#[test]
fn a_pause_of_the_edge_outlives_halts_and_operators() {
    let mut health = Health::new(1);
    health.halt(&halt(), &RetryConfig::default(), NOW);
    let until = NOW.plus_millis(120_000);
    health.apply_pause(Some(until));
    let mut restored = Health::restore(1, Some(health.row().clone()), NOW);
    restored.apply_pause(Some(until));
    assert_eq!(
        restored.permit(NOW),
        Permit::WaitUntil(until),
        "a halted one probes no earlier"
    );
    let mut row = health.row().clone();
    row.state = SenderState::Paused;
    health.apply_operator_state(&row, NOW);
    row.state = SenderState::Running;
    health.apply_operator_state(&row, NOW);
    assert_eq!(health.permit(NOW), Permit::WaitUntil(until), "resumed");
    assert_eq!(health.permit(until), Permit::Send);
}

#[test]
fn one_failure_among_successes_stops_nothing_and_an_outage_stops_everything() {
    let mut health = Health::new(1);
    let retry = RetryConfig::default();
    health.record_failure("network", &retry, u64::MAX, NOW);
    assert_eq!(health.permit(NOW), Permit::Send);
    health.record_failure("network", &retry, u64::MAX, NOW);
    let until = NOW.plus_millis(1000);
    assert_eq!(health.permit(NOW), Permit::WaitUntil(until));
    assert_eq!(health.permit(until), Permit::Probe);
    assert!(health.record_success(until));
    assert_eq!(health.permit(until), Permit::Send);
}

#[test]
fn a_halt_probes_every_minute_and_then_ever_more_slowly() {
    let mut health = Health::new(1);
    let retry = RetryConfig::default();
    let mut now = NOW;
    let mut gaps = Vec::new();
    for _ in 0..6 {
        health.halt(&halt(), &retry, now);
        let Permit::WaitUntil(probe) = health.permit(now) else {
            panic!("it must wait")
        };
        gaps.push(probe.millis_since(now) / 1000);
        assert_eq!(health.permit(probe), Permit::Probe);
        now = probe;
    }
    assert_eq!(gaps, [60, 120, 240, 480, 900, 900]);
}

#[test]
fn a_clock_that_was_set_back_lengthens_no_pause() {
    let hour = Duration::from_secs(3600);
    let mut health = Health::new(1);
    health.wait(Duration::from_secs(120), "EXEG-0000-503", NOW);
    health.clamp_to_clock(NOW, hour);
    assert_eq!(health.permit(NOW), Permit::WaitUntil(NOW.plus_millis(120_000)));
    let yesterday = NOW.plus_millis(-86_400_000);
    let mut restored = Health::restore(1, Some(health.row().clone()), yesterday);
    for health in [&mut health, &mut restored] {
        health.clamp_to_clock(yesterday, hour);
        let until = yesterday.plus_millis(3_600_000);
        assert_eq!(health.permit(yesterday), Permit::WaitUntil(until));
        assert_eq!(health.permit(until), Permit::Send);
    }
    health.halt(&halt(), &RetryConfig::default(), NOW);
    health.clamp_to_clock(yesterday, hour);
    let probe = yesterday.plus_millis(3_600_000);
    assert_eq!(health.permit(yesterday), Permit::WaitUntil(probe));
}

#[test]
fn an_operators_pause_outlives_answers_and_only_a_resume_ends_it() {
    let mut health = Health::new(1);
    let mut row = health.row().clone();
    row.state = SenderState::Paused;
    assert!(health.apply_operator_state(&row, NOW));
    assert!(!health.record_success(NOW));
    health.wait(Duration::from_secs(1), "x", NOW);
    health.halt(&halt(), &RetryConfig::default(), NOW);
    assert_eq!(health.permit(NOW), Permit::Paused);
    row.state = SenderState::Running;
    assert!(health.apply_operator_state(&row, NOW));
    assert_eq!(health.permit(NOW), Permit::Send);
}
