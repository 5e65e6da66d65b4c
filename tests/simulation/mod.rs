//! Thousands of simulated days in virtual time: whatever fails, nothing is lost, nothing is duplicated, and every
//! order's events arrive in order. A failing seed is printed with the command that repeats it.

mod model;
pub mod sim;

/// Number of seeds in CI. The long form is `cargo run --release --example simulate -- --seeds 100000`.
const SEEDS: u64 = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_seed_loses_doubles_or_reorders_an_event() {
    if let Some(seed) = number("ORDERFEED_SIM_SEED") {
        let report = sim::run(seed, true);
        assert_eq!(report.failures, Vec::<String>::new(), "seed {seed}");
        return;
    }
    let (failed, words) = sim::run_many(0, number("ORDERFEED_SIM_SEEDS").unwrap_or(SEEDS));
    sim::say(&words);
    for (seed, report) in &failed {
        let again = format!("ORDERFEED_SIM_SEED={seed} cargo test --test promises simulation::no_seed");
        sim::say(&format!(
            "seed {seed}: {:?}\n  {again} -- --nocapture",
            report.failures
        ));
    }
    assert!(failed.is_empty(), "{} seeds failed", failed.len());
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3, 4] {
        let (one, other) = (sim::run(seed, false), sim::run(seed, false));
        assert_eq!(one, other, "seed {seed}");
    }
    assert_ne!(sim::run(5, false).hash, sim::run(6, false).hash);
}
