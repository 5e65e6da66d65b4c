//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::ops::sentence::{human_bytes, human_duration};
use crate::store::backup::restore;
use crate::store::backup::{self, Existing, StoreContents};
use crate::store::{StoreError, StoreLock};

/// `backup`
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// The copy; it must not exist yet
    pub file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Make no copy; check the one that is there
    #[arg(long, conflicts_with = "force")]
    pub check: bool,
    /// What the copy holds as JSON
    #[arg(long)]
    pub json: bool,
}

/// `restore`
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// A copy that `orderfeed backup` made
    pub file: PathBuf,
    /// What the store holds then as JSON
    #[arg(long)]
    pub json: bool,
}

/// A copy, for `--json`.
#[derive(Debug, Serialize)]
struct Copied<'a> {
    file: &'a Path,
    #[serde(flatten)]
    contents: &'a StoreContents,
    duration_ms: i64,
    /// Where the store that was there before lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'a Path>,
}

/// Runs `backup`.
///
/// # Errors
/// Why there is no copy, or why the one that is there cannot be relied on.
pub fn backup(context: &Context, args: &BackupArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let started = context.clock.now();
    let contents = if args.check {
        backup::check_backup(&args.file)?
    } else {
        let existing = if args.force {
            Existing::Replace
        } else {
            Existing::Keep
        };
        let mut meter = Meter::new();
        let reserve = config.store.disk_reserve.0;
        let copied = backup::backup(
            &config.store.path,
            &args.file,
            existing,
            reserve,
            |done, total| {
                meter.show_bytes(done, total);
            },
        );
        meter.clear();
        copied?
    };
    let copied = Copied {
        file: &args.file,
        contents: &contents,
        duration_ms: context.clock.now().millis_since(started),
        kept: None,
    };
    if args.json {
        output::json(&copied)?;
    } else {
        let verb = if args.check {
            "is sound"
        } else {
            "was written and checked"
        };
        output::line(&format!(
            "{} {verb} in {}: {}",
            args.file.display(),
            human_duration(copied.duration_ms),
            spoken(&contents)
        ))?;
    }
    Ok(Exit::Ok)
}

/// Runs `restore`.
///
/// # Errors
/// If a daemon runs, or why the copy cannot be used; the store is then as it was.
pub async fn restore(context: &Context, args: &RestoreArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let (store, started) = (&config.store.path, context.clock.now());
    let same = |path: &Path| path.canonicalize().ok();
    if same(store).is_some() && same(store) == same(&args.file) {
        return Err(UsageError(format!("{} is the store itself", store.display())).into());
    }
    let held = StoreLock::acquire(store, "orderfeed restore").map_err(stop_first)?;
    let mut meter = Meter::new();
    let restored = restore::restore(&args.file, store, &held, started, |done, total| {
        meter.show_bytes(done, total);
    })
    .await;
    meter.clear();
    let restored = restored?;
    if args.json {
        output::json(&Copied {
            file: store,
            contents: &restored.contents,
            duration_ms: context.clock.now().millis_since(started),
            kept: restored.kept.as_deref(),
        })?;
        return Ok(Exit::Ok);
    }
    output::line(&format!(
        "{} was restored: {}",
        store.display(),
        spoken(&restored.contents)
    ))?;
    if let Some(kept) = &restored.kept {
        output::line(&format!("The store that was there lies at {}", kept.display()))?;
    }
    output::line(
        "Start the daemon: it sends what was pending again, with the same bytes, and a full reindex finds what happened since",
    )?;
    Ok(Exit::Ok)
}

fn stop_first(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Locked { .. } => {
            anyhow::Error::from(error).context("a store is not restored under a running daemon")
        }
        other => other.into(),
    }
}

fn spoken(contents: &StoreContents) -> String {
    let StoreContents {
        bytes,
        schema,
        orders,
        events,
        pending_events,
        changelog_version,
        ..
    } = contents;
    format!(
        "{}, {orders} orders, {events} events ({pending_events} pending), changelog version {changelog_version}, schema \
         {schema}",
        human_bytes(*bytes)
    )
}
