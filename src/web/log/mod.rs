//! `/log`: the latest lines of the log; `/log/CODE`: the runbook of a code.

mod runbook;

use askama::Template;

use crate::ops::recent::RecentLine;
use crate::web::parts::Stamp;
use crate::web::{Frame, rendered};
pub use runbook::{Runbook, runbook};

/// Most lines on a page; the rest is a matter of filters.
const MOST_LINES: usize = 200;

/// The filter in the page's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// `warn` for warnings and errors, `error` for errors; all lines if empty.
    pub level: String,
    /// A code or its beginning, such as `OF06`.
    pub code: String,
}

#[derive(Template)]
#[template(path = "lines.html")]
struct LogTemplate<'a> {
    frame: &'a Frame,
    filter: &'a LogFilter,
    /// The lines that match, newest first.
    lines: Vec<&'a RecentLine>,
    matching: usize,
    kept: usize,
}

#[derive(Template)]
#[template(path = "runbook.html")]
struct RunbookTemplate<'a> {
    frame: &'a Frame,
    runbook: &'a Runbook,
}

/// Renders the log. `lines` are all that are kept, newest first.
pub fn log_page(frame: &Frame, lines: &[RecentLine], filter: &LogFilter) -> String {
    let matching: Vec<&RecentLine> = lines.iter().filter(|line| filter.matches(line)).collect();
    rendered(LogTemplate {
        frame,
        filter,
        kept: lines.len(),
        matching: matching.len(),
        lines: matching.into_iter().take(MOST_LINES).collect(),
    })
}

/// Renders the runbook of one code.
pub fn runbook_page(frame: &Frame, runbook: &Runbook) -> String {
    rendered(RunbookTemplate { frame, runbook })
}

impl LogFilter {
    fn matches(&self, line: &RecentLine) -> bool {
        let level = match self.level.as_str() {
            "error" => line.level == "error",
            "warn" => line.level != "info",
            _ => true,
        };
        let code = line.code.as_deref().unwrap_or_default();
        level && (self.code.is_empty() || (!code.is_empty() && code.starts_with(&self.code)))
    }
}

impl LogTemplate<'_> {
    fn stamp(&self, line: &RecentLine) -> Stamp {
        Stamp::second(line.at)
    }

    /// Returns the class of a level's mark.
    fn tone(&self, line: &RecentLine) -> &'static str {
        match line.level.as_str() {
            "error" => "bad",
            "warn" => "warn",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::{HOSTILE, frame, operator};
    use orderfeed_model::clock::UtcMillis;

    fn lines() -> Vec<RecentLine> {
        let line = |at, level: &str, code: Option<&str>, message: &str| RecentLine {
            at: UtcMillis(at),
            level: level.to_owned(),
            code: code.map(str::to_owned),
            message: message.to_owned(),
            fields: vec![("website".to_owned(), HOSTILE.to_owned())],
        };
        vec![
            line(3_000, "error", Some("OF06-01"), "Delivery halted"),
            line(2_000, "warn", Some("OF02-09"), "The admin endpoint cannot listen"),
            line(1_000, "info", None, "orderfeed starts"),
        ]
    }

    #[test]
    fn a_filter_hides_what_it_does_not_name() {
        let shown = |level: &str, code: &str| {
            let filter = LogFilter {
                level: level.to_owned(),
                code: code.to_owned(),
            };
            let lines = lines();
            lines.iter().filter(|line| filter.matches(line)).count()
        };
        assert_eq!([shown("", ""), shown("warn", ""), shown("error", "")], [3, 2, 1]);
        assert_eq!(
            [shown("", "OF0"), shown("", "OF02"), shown("error", "OF02")],
            [2, 1, 0]
        );
    }

    #[test]
    fn the_log_links_each_code_to_its_runbook() {
        let page = log_page(&operator("/log"), &lines(), &LogFilter::default());
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_anonymous_viewer_sees_no_field() {
        let page = log_page(&frame("/log"), &lines(), &LogFilter::default());
        assert!(
            page.contains("Delivery halted") && !page.contains("website="),
            "{page}"
        );
        insta::assert_snapshot!(page);
    }

    #[test]
    fn an_empty_log_explains_itself() {
        let filter = LogFilter {
            level: "error".to_owned(),
            ..LogFilter::default()
        };
        insta::assert_snapshot!(log_page(&frame("/log?level=error"), &lines()[2..], &filter));
    }

    #[test]
    fn a_runbook_has_meaning_and_remedy() {
        let found = runbook("OF06-01").unwrap();
        insta::assert_snapshot!(runbook_page(&frame("/log/OF06-01"), &found));
    }
}
