//! Cron expressions and the decision when a job is due. Pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::config::values::Unfit;

/// A cron expression of 5 fields, or 6 with seconds first, together with the text it was written as.
#[derive(Clone)]
pub struct CronExpr {
    text: Arc<str>,
    cron: Arc<Cron>,
}

impl CronExpr {
    /// The expression as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpr({:?})", self.text)
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpr {}

impl FromStr for CronExpr {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        match parser.parse(text) {
            Ok(cron) => Ok(Self {
                text: text.into(),
                cron: Arc::new(cron),
            }),
            Err(_) => Err(Unfit::new(
                "is not a cron expression",
                "5 fields, or 6 with seconds first",
            )),
        }
    }
}
