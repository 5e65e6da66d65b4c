//! The command line, by running the real program: what it prints where, and how it ends.

mod changes;
mod frame;
mod looking;

use std::path::PathBuf;
use std::process::{Command, Output};

use orderfeed::commerce::source::{Change, ChangeOp};
use orderfeed::store::cron::CronRun;
use orderfeed::store::outbox::{BatchLimits, Class, EnqueueMode, NewEvent, OrderEvents, Refusal};
use orderfeed::store::views::ViewMode;
use orderfeed::store::{Durability, Store};
use orderfeed_model::clock::UtcMillis;

use crate::support::leaks;

/// Limits of the test's outbox.
const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};

/// A directory with a configuration, and perhaps a store.
struct Place(tempfile::TempDir);

impl Place {
    /// With a valid configuration and no store.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let text = "[services_connector]\norganization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"\n\
                    production.data_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
                    [edge]\nurl = \"http://127.0.0.1:9\"\nauth = \"none\"\n\
                    [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"commerce.db\"\n\
                    [websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true\n\
                    [store]\npath = \"orderfeed.db\"\n";
        std::fs::write(place.config(), text).unwrap();
        place
    }

    /// With a store that a daemon has used: an index, three changes of two orders, one dead letter of `base`.
    async fn with_store() -> Self {
        let place = Self::new();
        place.open().await;
        place
    }

    async fn open(&self) -> Store {
        let store = Store::open(&self.store()).unwrap();
        store
            .write(Durability::Durable, |w| {
                w.init_view(ViewMode::Schedule, at())?;
                w.append_changes(&[7, 7, 8].map(change), at())?;
                let website = w.website_id("base")?;
                w.enqueue(&[dead_letter(website)], EnqueueMode::Insert, LIMITS, at())?;
                w.record_cron_run(&CronRun {
                    id: 0,
                    job: "resend_failed_items".to_owned(),
                    status: "success".to_owned(),
                    message: "made up".to_owned(),
                    scheduled_at: at(),
                    executed_at: Some(at()),
                    finished_at: Some(at().plus_millis(1500)),
                })
            })
            .await
            .unwrap();
        store
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("orderfeed.toml")
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("orderfeed.db")
    }

    /// Runs `orderfeed ARGS` with the place's configuration.
    fn run(&self, args: &[&str]) -> Ran {
        let mut command = program();
        command.env("ORDERFEED_CONFIG", self.config()).args(args);
        ran(command.output().unwrap())
    }
}

fn at() -> UtcMillis {
    UtcMillis::parse_rfc3339("2026-11-22T07:00:00Z").unwrap()
}

fn change(order: i64) -> Change {
    Change {
        order,
        table: "sales_order",
        op: ChangeOp::Update,
    }
}

fn dead_letter(website: i64) -> OrderEvents {
    let refusal = Refusal {
        code: "too_large".to_owned(),
        detail: "70000 bytes\n\u{1b}[31mforged".to_owned(),
    };
    let event = NewEvent {
        kind: 1,
        document: 7,
        not_before: at(),
        body: Err(refusal),
    };
    OrderEvents {
        order: 7,
        website,
        class: Class::Live,
        changed_at: at(),
        person: None,
        backfill: None,
        events: vec![event],
    }
}

/// The program without the environment of whoever runs the tests.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
    command.env_clear();
    command
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Stdout of a command that ended well.
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Stderr of a command that ended with `code` and printed no data.
    fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        self.stderr
    }
}

fn ran(output: Output) -> Ran {
    leaks::assert_none("stderr", &String::from_utf8_lossy(&output.stderr));
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
