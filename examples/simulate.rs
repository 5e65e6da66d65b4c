//! The long form of the simulation: `cargo run --release --example simulate -- --seeds 100000 [--from 0] [--seed N]`.

#[path = "../tests/simulation/sim/mod.rs"]
mod sim;

use std::process::ExitCode;

fn argument(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}

fn main() -> ExitCode {
    if let Some(seed) = argument("--seed") {
        let report = sim::run(seed, true);
        sim::say(&format!("{report:#?}"));
        return verdict(report.failures.is_empty());
    }
    let (from, seeds) = (
        argument("--from").unwrap_or(0),
        argument("--seeds").unwrap_or(1_000),
    );
    let mut fine = true;
    for begin in (from..from + seeds).step_by(1_000) {
        let (failed, words) = sim::run_many(begin, 1_000.min(from + seeds - begin));
        sim::say(&format!("{begin}: {words}"));
        for (seed, report) in failed {
            fine = false;
            sim::say(&format!(
                "seed {seed}: {:?}\n  cargo run --release --example simulate -- --seed {seed}",
                &report.failures[..1.min(report.failures.len())]
            ));
        }
    }
    verdict(fine)
}

fn verdict(fine: bool) -> ExitCode {
    if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
