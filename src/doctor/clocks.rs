//! What time is it, and who says so? Peers say it in whole seconds, after a journey, so a few seconds mean nothing.

use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, Verdict};
use crate::ops::sentence::human_duration;

/// A difference that somebody should look at, and one at which things go wrong: milliseconds.
const NOTICEABLE_MS: i64 = 10_000;
const WRONG_MS: i64 = 60_000;

const REMEDY: &str =
    "see `timedatectl` and `chronyc tracking`, switch time synchronisation on (`timedatectl set-ntp true`)";

/// The other's clock minus ours in milliseconds; `Err` says why it was not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The source's database.
    pub database: Result<i64, String>,
    /// The edge.
    pub edge: Result<i64, String>,
    /// The token service.
    pub tokens: Result<i64, String>,
    /// How far the newest moment in the store lies in the future.
    pub store: Result<i64, String>,
}

/// Judges them. If the others agree with each other against us, it is our clock; a database that stands alone is its own.
pub fn verdict(facts: &Facts) -> Vec<Finding> {
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
        Err(why) => return Finding::skipped(check, why.clone()),
    };
    let weight = weight(skew);
    if weight == Verdict::Ok {
        return Finding::ok(check, format!("this machine's clock agrees with {whose}"));
    }
    let direction = if skew > 0 { "behind" } else { "ahead of" };
    let by = human_duration(skew.abs());
    // The edge agrees with us: then it is the other one that is wrong.
    let is_theirs = outside.is_some_and(|outside| outside.abs() < NOTICEABLE_MS);
    let blame = match is_theirs {
        true => format!(", and the edge agrees with this machine, so {theirs} clock is wrong"),
        false => String::new(),
    };
    let message = format!("this machine's clock is {by} {direction} {whose}{blame}");
    let remedy = match is_theirs {
        true => format!("on the database server: {REMEDY}"),
        false => format!("on this machine: {REMEDY}"),
    };
    match weight {
        Verdict::Problem => Finding::problem(check, message, remedy),
        _ => Finding::warning(check, message, remedy),
    }
}

fn store(ahead: &Result<i64, String>) -> Finding {
    let check = Check::ClockStore;
    match ahead {
        Err(why) => Finding::skipped(check, why.clone()),
        Ok(ahead) if weight((*ahead).max(0)) == Verdict::Ok => {
            Finding::ok(check, "nothing in the store is from the future")
        }
        Ok(ahead) => Finding::problem(
            check,
            format!(
                "the store holds moments that are {} in the future: this machine's clock was set back, or was wrong before",
                human_duration(*ahead)
            ),
            format!(
                "on this machine: {REMEDY}; schedules wait until the clock has passed their last run, at most one period"
            ),
        ),
    }
}

fn weight(skew: i64) -> Verdict {
    match skew.abs() {
        WRONG_MS.. => Verdict::Problem,
        NOTICEABLE_MS.. => Verdict::Warning,
        _ => Verdict::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn facts(database: i64, edge: i64) -> Facts {
        Facts {
            database: Ok(database),
            edge: Ok(edge),
            tokens: Err("none is needed".into()),
            store: Ok(-500),
        }
    }

    #[test]
    fn an_hour_is_found_and_a_second_is_not() {
        let verdicts = |facts: &Facts| -> Vec<Verdict> {
            verdict(facts).iter().map(|finding| finding.verdict).collect()
        };
        use Verdict::{Ok as Fine, Problem, Skipped, Warning};
        assert_eq!(verdicts(&facts(-1_000, 900)), [Fine, Fine, Skipped, Fine]);
        assert_eq!(verdicts(&facts(HOUR, HOUR)), [Problem, Problem, Skipped, Fine]);
        assert_eq!(verdicts(&facts(-15_000, 0)), [Warning, Fine, Skipped, Fine]);
        let set_back = Facts {
            store: Ok(HOUR),
            ..facts(0, 0)
        };
        assert_eq!(verdicts(&set_back)[3], Problem);
    }

    #[test]
    fn who_stands_alone_is_wrong() {
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
