//! The machine's clock, compared with those of its peers and with times in the store. Peers report whole seconds, and
//! their answers take time, so a few seconds mean nothing.

use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, Verdict};
use crate::ops::sentence::human_duration;

/// A difference that is a warning, and one at which things go wrong.
const WARNING_MS: i64 = 10_000;
const PROBLEM_MS: i64 = 60_000;

const REMEDY: &str =
    "see `timedatectl` and `chronyc tracking`, switch time synchronisation on (`timedatectl set-ntp true`)";

/// Clocks of peers minus the machine's, in milliseconds, or the reason for which one is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockFacts {
    pub database: Result<i64, String>,
    pub edge: Result<i64, String>,
    pub tokens: Result<i64, String>,
    /// The newest time in the store.
    pub store: Result<i64, String>,
}

/// Returns the findings of `clock.*`. If the edge agrees with this machine, a database that differs is wrong itself.
pub fn verdict(facts: &ClockFacts) -> Vec<Finding> {
    // The edge and the token service are Adobe's, with synchronised clocks: they decide between the other two.
    let outside = [&facts.edge, &facts.tokens].into_iter().flatten().copied().next();
    vec![
        compared(
            Check::ClockDatabase,
            "the database's",
            "the database server's",
            &facts.database,
            outside,
        ),
        compared(Check::ClockEdge, "the edge's", "the edge's", &facts.edge, None),
        compared(
            Check::ClockTokens,
            "the token service's",
            "the token service's",
            &facts.tokens,
            None,
        ),
        store(&facts.store),
    ]
}

fn compared(
    check: Check,
    whose: &str,
    theirs: &str,
    skew: &Result<i64, String>,
    outside: Option<i64>,
) -> Finding {
    let skew = match skew {
        Ok(skew) => *skew,
        Err(why) => return check.skipped(why.clone()),
    };
    let severity = severity(skew);
    if severity == Verdict::Ok {
        return check.ok(format!("this machine's clock agrees with {whose}"));
    }
    let direction = if skew > 0 { "behind" } else { "ahead of" };
    let by = human_duration(skew.abs());
    let is_theirs = outside.is_some_and(|outside| outside.abs() < WARNING_MS);
    let blame = match is_theirs {
        true => format!(", and the edge agrees with this machine, so {theirs} clock is wrong"),
        false => String::new(),
    };
    let message = format!("this machine's clock is {by} {direction} {whose}{blame}");
    let remedy = match is_theirs {
        true => format!("on the database server: {REMEDY}"),
        false => format!("on this machine: {REMEDY}"),
    };
    match severity {
        Verdict::Problem => check.problem(message, remedy),
        _ => check.warning(message, remedy),
    }
}

fn store(ahead: &Result<i64, String>) -> Finding {
    let check = Check::ClockStore;
    match ahead {
        Err(why) => check.skipped(why.clone()),
        // Times in the past are normal, however old.
        Ok(ahead) if severity((*ahead).max(0)) == Verdict::Ok => {
            check.ok("no time in the store is in the future")
        }
        Ok(ahead) => check.problem(format!(
                "the store holds times {} in the future: this machine's clock was set back, or was wrong before",
                human_duration(*ahead)
            ),
            format!(
                "on this machine: {REMEDY}; schedules wait until the clock has passed their last run, at most one period"
            ),
        ),
    }
}

fn severity(skew: i64) -> Verdict {
    match skew.abs() {
        PROBLEM_MS.. => Verdict::Problem,
        WARNING_MS.. => Verdict::Warning,
        _ => Verdict::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn facts(database: i64, edge: i64) -> ClockFacts {
        ClockFacts {
            database: Ok(database),
            edge: Ok(edge),
            tokens: Err("none is needed".into()),
            store: Ok(-500),
        }
    }

    #[test]
    fn an_hour_is_reported_and_a_second_is_not() {
        let verdicts = |facts: &ClockFacts| -> Vec<Verdict> {
            verdict(facts).iter().map(|finding| finding.verdict).collect()
        };
        use Verdict::{Ok as Fine, Problem, Skipped, Warning};
        assert_eq!(verdicts(&facts(-1_000, 900)), [Fine, Fine, Skipped, Fine]);
        assert_eq!(verdicts(&facts(HOUR, HOUR)), [Problem, Problem, Skipped, Fine]);
        assert_eq!(verdicts(&facts(-15_000, 0)), [Warning, Fine, Skipped, Fine]);
        let set_back = ClockFacts {
            store: Ok(HOUR),
            ..facts(0, 0)
        };
        assert_eq!(verdicts(&set_back)[3], Problem);
    }

    #[test]
    fn the_clock_that_differs_from_the_others_is_wrong() {
        let ours = &verdict(&facts(HOUR, HOUR))[0];
        assert!(
            ours.message.contains("clock is 1h 0m behind the database's"),
            "{ours:?}"
        );
        assert!(ours.remedy.as_deref().unwrap().starts_with("on this machine"));
        let theirs = &verdict(&facts(-HOUR, 0))[0];
        assert!(
            theirs.message.contains("ahead of")
                && theirs.message.contains("database server's clock is wrong")
        );
        assert!(
            theirs
                .remedy
                .as_deref()
                .unwrap()
                .starts_with("on the database server")
        );
    }
}
