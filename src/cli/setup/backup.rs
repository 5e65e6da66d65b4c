//! `backup` and `restore`.

use std::path::{Path, PathBuf};

use anyhow::Error;
use clap::Args;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::config::Config;
use crate::ops::sentence::{human_bytes, human_duration};
use crate::store::backup::{self, BackupError, Existing, OpenBackup, StoreContents, restore};
use crate::store::{StoreError, StoreLock};

#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// File to write; it must not exist yet
    pub file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Check an existing backup instead of writing one
    #[arg(long, conflicts_with = "force")]
    pub check: bool,
    /// Print the contents of the backup as a JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// File that `orderfeed backup` wrote
    pub file: PathBuf,
    /// Print the contents of the restored store as a JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct CopyResult<'a> {
    file: &'a Path,
    #[serde(flatten)]
    contents: &'a StoreContents,
    duration_ms: i64,
    /// Path of the previous store.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'a Path>,
}

pub fn backup(context: &Context, args: &BackupArgs) -> anyhow::Result<Exit> {
    let started = context.clock.now();
    let (_, contents) = context.config_and(&args.file, |config| match args.check {
        true => backup::check_backup(&args.file),
        false => write(config, args),
    })?;
    let contents = contents?;
    let result = CopyResult {
        file: &args.file,
        contents: &contents,
        duration_ms: context.clock.now().millis_since(started),
        kept: None,
    };
    output::result(args.json, &result, || {
        let verb = match args.check {
            true => "is valid, checked in",
            false => "was written and checked in",
        };
        let took = human_duration(result.duration_ms);
        format!("{} {verb} {took}: {}\n", args.file.display(), summary(&contents))
    })?;
    Ok(Exit::Ok)
}

fn write(config: &Config, args: &BackupArgs) -> Result<StoreContents, BackupError> {
    let existing = match args.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let (source, reserve) = (&config.store.path, config.store.disk_reserve.0);
    let mut meter = Meter::default();
    let copied = backup::backup(source, &args.file, existing, reserve, |done, total| {
        meter.show_bytes(done, total);
    });
    // Before an error is printed.
    meter.clear();
    copied
}

/// Runs `restore`. The store is unchanged if a daemon runs or the backup cannot be used.
pub async fn restore(context: &Context, args: &RestoreArgs) -> anyhow::Result<Exit> {
    let started = context.clock.now();
    let (config, copy) = context.config_and(&args.file, |_| OpenBackup::open(&args.file))?;
    let store = &config.store.path;
    // Also through a symbolic link.
    let same = |path: &Path| path.canonicalize().ok();
    if same(store).is_some() && same(store) == same(&args.file) {
        return Err(UsageError(format!(
            "{} is the store itself, not a backup of it",
            store.display()
        ))
        .into());
    }
    // Held until the end, so that no daemon starts on a store that is being replaced.
    let lock = StoreLock::acquire(store, "orderfeed restore").map_err(|error| match error {
        StoreError::Locked { .. } => Error::from(error).context("stop the daemon before restoring its store"),
        other => other.into(),
    })?;
    let mut meter = Meter::default();
    let restored = restore::restore(copy?, store, &lock, started, |done, total| {
        meter.show_bytes(done, total);
    })
    .await;
    meter.clear();
    let restored = restored?;
    let result = CopyResult {
        file: store,
        contents: &restored.contents,
        duration_ms: context.clock.now().millis_since(started),
        kept: restored.kept.as_deref(),
    };
    output::result(args.json, &result, || {
        let kept = result.kept.map_or_else(String::new, |kept| {
            format!("The previous store was kept as {}\n", kept.display())
        });
        format!(
            "{} was restored: {}\n{kept}Start the daemon: it sends the pending events again, with the same bytes, and a \
             full reindex finds later changes\n",
            store.display(),
            summary(&restored.contents)
        )
    })?;
    Ok(Exit::Ok)
}

fn summary(contents: &StoreContents) -> String {
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
