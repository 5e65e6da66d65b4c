//! Runs the real program: checks stdout, stderr and exit code of its commands.

mod changes;
mod frame;
mod reading;

use std::path::PathBuf;
use std::process::{Command, Output};

use orderfeed::commerce::source::{Change, ChangeOp};
use orderfeed::store::cron::{CronRun, CronStatus};
use orderfeed::store::outbox::{BatchLimits, Class, EnqueueMode, NewEvent, OrderEvents, Refusal};
use orderfeed::store::views::ViewMode;
use orderfeed::store::{Durability, Store};
use orderfeed_model::clock::UtcMillis;

use crate::support::leaks;

const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};

/// A directory with a configuration, and optionally a store.
struct CliFixture(tempfile::TempDir);

impl CliFixture {
    /// Writes a valid configuration and creates no store.
    fn new() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        let text = "[services_connector]\norganization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"\n\
                    production.data_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
                    [edge]\nurl = \"http://127.0.0.1:9\"\nauth = \"none\"\n\
                    [source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"commerce.db\"\n\
                    [websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true\n\
                    [store]\npath = \"orderfeed.db\"\n";
        std::fs::write(fixture.config(), text).unwrap();
        fixture
    }

    /// Creates a store with an index, three changes of two orders, and one parked event of `base`.
    async fn with_store() -> Self {
        let fixture = Self::new();
        fixture.open().await;
        fixture
    }

    async fn open(&self) -> Store {
        let store = Store::open(&self.store()).unwrap();
        store
            .write(Durability::Durable, |w| {
                w.init_view(ViewMode::Schedule, at())?;
                w.append_changes(&[7, 7, 8].map(change), at())?;
                let website = w.website_id("base")?;
                w.enqueue(&[parked(website)], EnqueueMode::Insert, LIMITS, at())?;
                w.record_cron_run(&CronRun {
                    id: 0,
                    job: "resend_failed_items".to_owned(),
                    status: CronStatus::Success,
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

    /// Runs `orderfeed ARGS` with this configuration.
    fn run(&self, args: &[&str]) -> CommandResult {
        let mut command = program();
        command.env("ORDERFEED_CONFIG", self.config()).args(args);
        result(command.output().unwrap())
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

fn parked(website: i64) -> OrderEvents {
    let refusal = Refusal {
        code: "too_large".to_owned(),
        detail: "70000 bytes\n\u{1b}[31mforged".to_owned(),
    };
    let event = NewEvent {
        kind: 1,
        document: 7,
        generation: 0,
        not_before: at(),
        person: None,
        body: Err(refusal),
    };
    OrderEvents {
        order: 7,
        website,
        class: Class::Live,
        changed_at: at(),
        backfill: None,
        events: vec![event],
    }
}

/// Returns the program with an empty environment.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
    command.env_clear();
    command
}

/// The result of a command.
#[derive(Debug)]
struct CommandResult {
    code: i32,
    stdout: String,
    stderr: String,
}

impl CommandResult {
    /// Returns stdout of a command that succeeded.
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Returns stderr of a command that exited with `code` and printed no data.
    fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        self.stderr
    }
}

fn result(output: Output) -> CommandResult {
    leaks::assert_none("stderr", &String::from_utf8_lossy(&output.stderr));
    CommandResult {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
