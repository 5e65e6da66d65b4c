//! Cron expressions in words.

const DAYS: [&str; 8] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Describes an expression of 5 fields, or of 6 with seconds first. Forms without short words are described field by field.
pub fn in_words(expression: &str) -> String {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let (second, rest) = match fields.as_slice() {
        [second, rest @ ..] if rest.len() == 5 => (*second, rest),
        rest => ("0", rest),
    };
    let [minute, hour, day, month, weekday] = rest else {
        return String::new();
    };
    let days = days(day, month, weekday);
    match (second, *minute, *hour) {
        ("0", "*", "*") => format!("every minute{}", on(&days)),
        ("*", "*", "*") => format!("every second{}", on(&days)),
        (second, "*", "*") if step(second).is_some() => {
            format!("every {} seconds{}", step(second).unwrap_or_default(), on(&days))
        }
        ("0", minute, "*") => match (step(minute), number(minute)) {
            (Some(step), _) => format!("every {step} minutes{}", on(&days)),
            (_, Some(minute)) => format!("every hour at minute {minute}{}", on(&days)),
            _ => by_field(second, minute, "*", &days),
        },
        (second, minute, hour) => match (number(second), number(minute), number(hour), step(hour)) {
            (Some(0), Some(minute), Some(hour), _) => {
                let days = if days.is_empty() {
                    "every day".to_owned()
                } else {
                    days
                };
                format!("{days} at {hour:02}:{minute:02}")
            }
            (Some(0), Some(minute), None, Some(step)) => {
                format!("every {step} hours at minute {minute}{}", on(&days))
            }
            _ => by_field(second, minute, hour, &days),
        },
    }
}

fn on(days: &str) -> String {
    match days.is_empty() {
        true => String::new(),
        false => format!(", {days}"),
    }
}

/// Describes the days; empty for every day.
fn days(day: &str, month: &str, weekday: &str) -> String {
    let mut parts = Vec::new();
    if day != "*" {
        parts.push(format!("on day {day} of the month"));
    }
    if weekday != "*" {
        parts.push(match number(weekday).and_then(|day| DAYS.get(day)) {
            Some(name) => format!("every {name}"),
            None => format!("on weekdays {weekday}"),
        });
    }
    let mut text = parts.join(" or ");
    if month != "*" {
        text.push_str(&format!(" in month {month}"));
    }
    text.trim_start().to_owned()
}

fn by_field(second: &str, minute: &str, hour: &str, days: &str) -> String {
    let mut parts = Vec::new();
    for (name, value) in [("hour", hour), ("minute", minute), ("second", second)] {
        if value != "*" && !(name == "second" && value == "0") {
            parts.push(format!("{name} {value}"));
        }
    }
    format!("at {}{}", parts.join(", "), on(days))
}

fn number(field: &str) -> Option<usize> {
    field.parse().ok()
}

fn step(field: &str) -> Option<u32> {
    field.strip_prefix("*/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_have_words() {
        for (expression, words) in [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("30 * * * *", "every hour at minute 30"),
            ("0 */6 * * *", "every 6 hours at minute 0"),
            ("15 3 * * *", "every day at 03:15"),
            ("0 4 * * 1", "every Monday at 04:00"),
            ("0 0 1 * *", "on day 1 of the month at 00:00"),
            ("0 0 1 6 *", "on day 1 of the month in month 6 at 00:00"),
            ("*/10 * * * * *", "every 10 seconds"),
            ("0,30 8-17 * * 1-5", "at hour 8-17, minute 0,30, on weekdays 1-5"),
        ] {
            assert_eq!(in_words(expression), words, "{expression}");
        }
    }

    #[test]
    fn every_default_schedule_has_words() {
        let config = crate::config::Config::default();
        let words = in_words(config.cron.verify_source.as_str());
        assert!(!words.is_empty() && !words.starts_with("at "), "{words}");
    }
}
