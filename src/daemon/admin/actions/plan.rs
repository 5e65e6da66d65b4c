//! The plan of an action: its request, its command line, and the question before it. Pure functions of the form.

use crate::daemon::admin::actions::selected::Selected;
use crate::daemon::admin::form::Form;
use crate::daemon::control::resync::{ResyncOptions, parse_time};
use crate::daemon::control::{ReindexOptions, Request, Status};
use crate::ops::command_line::CommandLine;
use crate::store::views::ViewMode;
use orderfeed_model::clock::UtcMillis;

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

/// An action that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) request: Request,
    /// The equivalent command line.
    pub(crate) command: String,
    /// The names and filters that select its targets, for the log; no free text.
    pub(crate) selection: String,
    pub(crate) question: Question,
    /// The fields of the form that confirms it.
    pub(crate) fields: Vec<(String, String)>,
}

/// The question before an action that is bulk or cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    None,
    Invalidate,
    Reindex,
    RetryParked,
    DiscardParked,
    Resend,
    Resync,
}

/// The reason for which a form is not complete, as a sentence.
type Refusal = String;

/// Returns the plan of the action with this name; `None` if there is no such action. `by` is the operator's name.
pub(crate) fn plan(name: &str, form: &Form, by: &str, now: UtcMillis) -> Option<Result<Plan, Refusal>> {
    let plan =
        match name {
            "index-mode" => index_mode(form),
            "index-invalidate" => Ok(Plan::new(Request::Reset, CommandLine::new("indexer:reset"))
                .asking(Question::Invalidate, form)),
            "index-reindex" => {
                let request = Request::Reindex(ReindexOptions::default());
                Ok(Plan::new(request, CommandLine::new("indexer:reindex")).asking(Question::Reindex, form))
            }
            "index-suspend" => Ok(index_status(Status::Suspended, "suspended", by)),
            "index-resume" => Ok(index_status(Status::Valid, "valid", by)),
            "job-run" => required(form, "job").map(|job| {
                let request = Request::CronRun { job: job.to_owned() };
                Plan::new(request, CommandLine::new("cron run").arg(job)).of("job", job)
            }),
            "delivery-pause" => Ok(delivery("delivery pause", form, |website| {
                Request::PauseDelivery { website }
            })),
            "delivery-resume" => Ok(delivery("delivery resume", form, |website| {
                Request::ResumeDelivery { website }
            })),
            "failed-retry" => retry(form, now),
            "failed-discard" => discard(form, now),
            "order-resend" => resend(form),
            "history-start" => history_start(form),
            "history-stop" => {
                let command = CommandLine::new("saas:resync --feed orders --stop");
                Ok(Plan::new(Request::StopResync, command))
            }
            _ => return None,
        };
    Some(plan)
}

impl Plan {
    fn new(request: Request, command: CommandLine) -> Self {
        Self {
            request,
            command: command.text(),
            selection: String::new(),
            question: Question::None,
            fields: Vec::new(),
        }
    }

    /// Adds a part of the selection.
    fn of(mut self, name: &str, value: &str) -> Self {
        let gap = if self.selection.is_empty() { "" } else { " " };
        self.selection.push_str(&format!("{gap}{name}={value}"));
        self
    }

    fn of_optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.of(name, value),
            None => self,
        }
    }

    fn asking(mut self, question: Question, form: &Form) -> Self {
        self.question = question;
        self.fields = form.fields().to_vec();
        self
    }
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    form.value(name)
        .ok_or_else(|| format!("The field {name} is missing."))
}

fn index_mode(form: &Form) -> Result<Plan, Refusal> {
    let name = required(form, "mode")?;
    let mode = match name {
        "schedule" => ViewMode::Schedule,
        "realtime" => ViewMode::Realtime,
        _ => return Err("The mode is neither schedule nor realtime.".to_owned()),
    };
    let command = CommandLine::new("indexer:set-mode").arg(name);
    Ok(Plan::new(Request::SetMode { mode }, command).of("mode", name))
}

fn index_status(status: Status, name: &str, by: &str) -> Plan {
    let request = Request::SetStatus {
        status,
        by: Some(format!("{by} (web page)")),
    };
    Plan::new(request, CommandLine::new("indexer:set-status").arg(name)).of("status", name)
}

fn delivery(command: &str, form: &Form, request: impl FnOnce(Option<String>) -> Request) -> Plan {
    let website = form.value("website");
    let command = CommandLine::new(command).option("--website", website);
    Plan::new(request(website.map(str::to_owned)), command).of_optional("website", website)
}

fn retry(form: &Form, now: UtcMillis) -> Result<Plan, Refusal> {
    let selected = Selected::read(form, now)?;
    let command = selected.command("failed retry");
    let mut plan = Plan::new(Request::RetryParked(selected.selection()), command);
    plan.selection = selected.description();
    // Events that the operator has seen and named are sent with the same bytes, so there is nothing to ask.
    if !selected.names_events() {
        plan = plan.asking(Question::RetryParked, form);
        selected.fix_time(&mut plan.fields);
    }
    Ok(plan)
}

fn discard(form: &Form, now: UtcMillis) -> Result<Plan, Refusal> {
    let selected = Selected::read(form, now)?;
    let reason = required(form, "reason")?;
    if reason.chars().count() > MAX_REASON {
        return Err(format!(
            "The reason is too long; at most {MAX_REASON} characters."
        ));
    }
    let command = selected
        .command("failed discard")
        .option("--reason", Some(reason));
    let request = Request::DiscardParked {
        selection: selected.selection(),
        reason: reason.to_owned(),
    };
    let mut plan = Plan::new(request, command).asking(Question::DiscardParked, form);
    plan.selection = selected.description();
    selected.fix_time(&mut plan.fields);
    Ok(plan)
}

fn resend(form: &Form) -> Result<Plan, Refusal> {
    let number = required(form, "number")?;
    let options = ResyncOptions {
        by_ids: vec![number.to_owned()],
        force: true,
        ..ResyncOptions::default()
    };
    let command = CommandLine::new("saas:resync --feed orders --force").option("--by-ids", Some(number));
    Ok(Plan::new(Request::Resync(options), command)
        .of("order", number)
        .asking(Question::Resend, form))
}

fn history_start(form: &Form) -> Result<Plan, Refusal> {
    let time = |name: &str| -> Result<Option<UtcMillis>, Refusal> {
        let parsed = form.value(name).map(parse_time).transpose();
        parsed.map_err(|expected| format!("The field {name} is not a time: {expected}."))
    };
    let options = ResyncOptions {
        from: time("from")?,
        to: time("to")?,
        website: form.value("website").map(str::to_owned),
        ..ResyncOptions::default()
    };
    if options.from.is_none() && options.to.is_none() {
        return Err("Give the first day, the last day, or both.".to_owned());
    }
    if matches!((options.from, options.to), (Some(from), Some(to)) if from >= to) {
        return Err("The first day must be before the last one.".to_owned());
    }
    let shown = |at: Option<UtcMillis>| at.map(|at| at.rfc3339());
    let (from, to) = (shown(options.from), shown(options.to));
    let website = options.website.clone();
    let command = CommandLine::new("saas:resync --feed orders")
        .option("--from", from.as_deref())
        .option("--to", to.as_deref())
        .option("--website", website.as_deref());
    Ok(Plan::new(Request::Resync(options), command)
        .of_optional("from", from.as_deref())
        .of_optional("to", to.as_deref())
        .of_optional("website", website.as_deref())
        .asking(Question::Resync, form))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn planned(name: &str, body: &str) -> Result<Plan, String> {
        plan(name, &Form::parse(body.as_bytes()), "admin", NOW).unwrap()
    }

    #[test]
    fn each_action_has_the_command_that_does_the_same() {
        for (name, body, command) in [
            ("index-mode", "mode=schedule", "indexer:set-mode schedule"),
            ("index-invalidate", "", "indexer:reset"),
            ("index-reindex", "", "indexer:reindex"),
            ("index-suspend", "", "indexer:set-status suspended"),
            ("index-resume", "", "indexer:set-status valid"),
            ("job-run", "job=verify_source", "cron run verify_source"),
            ("delivery-pause", "website=base", "delivery pause --website base"),
            ("delivery-resume", "", "delivery resume"),
            (
                "failed-retry",
                "key=1:placed:1&key=2:invoiced:3",
                "failed retry 1:placed:1 2:invoiced:3",
            ),
            (
                "failed-discard",
                "key=1:placed:1&reason=a+test",
                "failed discard 1:placed:1 --reason 'a test'",
            ),
            (
                "order-resend",
                "number=000000101",
                "saas:resync --feed orders --force --by-ids 000000101",
            ),
            (
                "history-start",
                "from=2026-11-01&website=base",
                "saas:resync --feed orders --from 2026-11-01T00:00:00.000Z --website base",
            ),
            ("history-stop", "", "saas:resync --feed orders --stop"),
        ] {
            let plan = planned(name, body).unwrap();
            assert_eq!(plan.command, format!("orderfeed {command}"), "{name}");
        }
        assert!(plan("drop-store", &Form::default(), "admin", NOW).is_none());
    }

    #[test]
    fn a_filter_is_confirmed_for_the_events_that_were_counted() {
        let body = "website=base&kind=placed&code=EXEG-0102-400&older=1h&next=%2Ffailed";
        let plan = planned("failed-retry", body).unwrap();
        let until = NOW.plus_millis(-3_600_000).rfc3339();
        assert_eq!(plan.question, Question::RetryParked);
        assert!(
            plan.fields.contains(&("until".to_owned(), until.clone())),
            "{plan:?}"
        );
        assert!(!plan.fields.iter().any(|(name, _)| name == "older"));
        let end = format!("--website base --code EXEG-0102-400 --kind placed --until {until}");
        assert!(plan.command.ends_with(&end), "{}", plan.command);
        let again = format!("website=base&until={until}&confirm=yes");
        let Request::RetryParked(selection) = planned("failed-retry", &again).unwrap().request else {
            panic!("another request");
        };
        assert_eq!(selection.filter.until, Some(NOW.plus_millis(-3_600_000)));
    }

    #[test]
    fn the_reason_of_a_discard_is_not_part_of_the_log() {
        let plan = planned("failed-discard", "key=1:placed:1&reason=Jane+Doe+asked").unwrap();
        assert_eq!(plan.selection, "keys=1:placed:1");
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_its_field() {
        for (name, body, expected) in [
            ("index-mode", "mode=never", "neither schedule nor realtime"),
            ("job-run", "", "job is missing"),
            ("failed-retry", "key=1:placed", "names no event"),
            ("failed-retry", "next=%2Ffailed", "No event is selected"),
            ("failed-retry", "kind=billed", "no event kind"),
            ("failed-retry", "older=soon", "not a duration"),
            ("failed-discard", "key=1:placed:1", "reason is missing"),
            ("order-resend", "number=+", "number is missing"),
            ("history-start", "", "the first day, the last day"),
            ("history-start", "from=yesterday", "from is not a time"),
            (
                "history-start",
                "from=2026-11-02&to=2026-11-01",
                "before the last",
            ),
        ] {
            let refusal = planned(name, body).unwrap_err();
            assert!(refusal.contains(expected), "{name}: {refusal}");
        }
    }
}
