//! `[index]`, `[cron]`, `[first_sync]`, `[store]`, `[log]` and `[admin]`.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::config::cron::CronExpr;
use crate::config::model::{Admin, Cron, FirstSync, Index, Log, Store, Verify};
use crate::config::problem::nearest;
use crate::config::reader::Reader;
use crate::config::values::{History, HumanDuration, Unfit};

pub(crate) fn index(reader: &mut Reader<'_>) -> Index {
    let defaults = Index::default();
    Index {
        mode: reader.choice("index.mode", defaults.mode),
        batch_size: reader.int("index.batch_size", defaults.batch_size),
    }
}

pub(crate) fn cron(reader: &mut Reader<'_>) -> Cron {
    let defaults = Cron::default();
    let mut job = |name: &str, default: CronExpr| reader.parsed(&format!("cron.{name}")).unwrap_or(default);
    Cron {
        indexer_update_all_views: job("indexer_update_all_views", defaults.indexer_update_all_views),
        indexer_reindex_all_invalid: job(
            "indexer_reindex_all_invalid",
            defaults.indexer_reindex_all_invalid,
        ),
        indexer_clean_all_changelogs: job(
            "indexer_clean_all_changelogs",
            defaults.indexer_clean_all_changelogs,
        ),
        resend_failed_items: job("resend_failed_items", defaults.resend_failed_items),
        cleanup_delivered_events: job("cleanup_delivered_events", defaults.cleanup_delivered_events),
        verify_source: job("verify_source", defaults.verify_source),
        time_zone: reader
            .read("cron.time_zone", parse_time_zone)
            .unwrap_or(defaults.time_zone),
        history_retention: reader.duration("cron.history_retention", defaults.history_retention),
    }
}

fn parse_time_zone(text: &str) -> Result<Tz, Unfit> {
    text.parse().map_err(|_| {
        let names = TZ_VARIANTS.iter().map(|zone| zone.name());
        // People write the city alone ("Berlin"), which is the end of a name.
        let city = || {
            TZ_VARIANTS.iter().map(|zone| zone.name()).find(|name| {
                name.rsplit('/')
                    .next()
                    .is_some_and(|city| city.eq_ignore_ascii_case(text))
            })
        };
        let expected = match city().or_else(|| nearest(text, names)) {
            Some(name) => format!("a name of the IANA time zone database; did you mean \"{name}\"?"),
            None => "a name of the IANA time zone database such as \"UTC\" or \"Europe/Berlin\"".to_owned(),
        };
        Unfit::new("is not a time zone", expected)
    })
}

pub(crate) fn first_sync(reader: &mut Reader<'_>) -> FirstSync {
    let defaults = FirstSync::default();
    let history = reader.parsed("first_sync.history").unwrap_or(defaults.history);
    if history == History::Last(HumanDuration::default()) {
        let message = "is an empty length of time; expected \"none\" to start without history";
        reader.problem("first_sync.history", message.into());
    }
    FirstSync {
        window: reader.duration("first_sync.window", defaults.window),
        history,
    }
}

pub(crate) fn verify(reader: &mut Reader<'_>) -> Verify {
    let defaults = Verify::default();
    Verify {
        recent: reader.duration("verify.recent", defaults.recent),
        nights: reader.int("verify.nights", defaults.nights),
        budget: reader.duration("verify.budget", defaults.budget),
    }
}

pub(crate) fn store(reader: &mut Reader<'_>) -> Store {
    let defaults = Store::default();
    Store {
        path: reader.path("store.path").unwrap_or(defaults.path),
        body_retention: reader.duration("store.body_retention", defaults.body_retention),
        disk_reserve: reader
            .parsed("store.disk_reserve")
            .unwrap_or(defaults.disk_reserve),
    }
}

pub(crate) fn log(reader: &mut Reader<'_>) -> Log {
    let defaults = Log::default();
    Log {
        format: reader.choice("log.format", defaults.format),
        level: reader.read("log.level", parse_level).unwrap_or(defaults.level),
    }
}

/// `info`, or `info,orderfeed::delivery=debug`: a misspelt level would otherwise be taken for a module's name.
fn parse_level(text: &str) -> Result<String, Unfit> {
    let is_level = |level: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&level);
    let is_target = |target: &str| {
        !target.is_empty()
            && target
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
    };
    let mut parts = text.split(',');
    let fits = parts.next().is_some_and(is_level)
        && parts.all(|part| {
            part.split_once('=')
                .is_some_and(|(target, level)| is_target(target) && is_level(level))
        });
    match fits {
        true => Ok(text.to_owned()),
        false => Err(Unfit::new(
            "is not a log level",
            "error, warn, info, debug or trace, optionally followed by exceptions such as \
             \"info,orderfeed::delivery=debug\"",
        )),
    }
}

pub(crate) fn admin(reader: &mut Reader<'_>) -> Admin {
    Admin {
        listen: reader
            .parsed("admin.listen")
            .unwrap_or_else(|| Admin::default().listen),
    }
}
