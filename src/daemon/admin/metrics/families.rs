//! The table of all families: constant, type, name and help.

use crate::ops::openmetrics::{Kind, Metric};

macro_rules! families {
    ($($family:ident: $kind:ident = $name:literal, $help:literal;)+) => {
        $(pub(super) const $family: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            help: $help,
        };)+
    };
}

families! {
    BUILD: Info = "orderfeed_build", "The program and the SQLite that it was built with.";
    READY: Gauge = "orderfeed_ready",
        "1 once store, source configuration and schedules are up, 0 before and while draining.";
    RELOAD_SUCCESSFUL: Gauge = "orderfeed_config_last_reload_successful",
        "1 if the configuration that was read last is in force, 0 if it was not valid.";
    RELOAD_TIME: Gauge = "orderfeed_config_last_reload_success_timestamp_seconds",
        "When the configuration that is in force was read.";
    CRON_RUNS: Counter = "orderfeed_cron_runs", "Scheduled runs of jobs that ended.";
    CRON_LAST_SUCCESS: Gauge = "orderfeed_cron_last_success_timestamp_seconds",
        "The end of a job's last run that worked.";
    CRON_LAST_FAILURE: Gauge = "orderfeed_cron_last_failure_timestamp_seconds",
        "The end of a job's last run that failed.";
    REQUESTS: Counter = "orderfeed_requests",
        "Requests to the edge by the class of the answer; none: there was no answer.";
    EVENTS: Counter = "orderfeed_events",
        "Events that became final since the start: delivered, suppressed (not used by the edge, or not to be sent), parked.";
    REQUEST_RETRIES: Counter = "orderfeed_request_retries", "Requests that are repeated with the same bytes.";
    REQUEST_UNITS: Counter = "orderfeed_request_units", "Request units used: one for each begun KiB.";
    REQUEST_BYTES: Counter = "orderfeed_request_body_bytes", "Bytes of request bodies.";
    TOKENS_FETCHED: Counter = "orderfeed_tokens_fetched", "Access tokens fetched.";
    TOKEN_FAILURES: Counter = "orderfeed_token_failures", "Access tokens that were asked for in vain.";
    RATE_GATE_WAITS: Counter = "orderfeed_rate_gate_waits", "Times that the rate limit held a request back.";
    REQUEST_UNITS_LIMIT: Gauge = "orderfeed_request_units_per_second_limit",
        "Request units a second that the rate limit lets through; 0: no limit.";
    LANES_IN_USE: Gauge = "orderfeed_lanes_in_use", "Requests in flight.";
    LANES_LIMIT: Gauge = "orderfeed_lanes_limit", "Requests that may be in flight; it adapts to the edge.";
    REQUEST_DURATION: Histogram = "orderfeed_request_duration_seconds",
        "Requests to the edge that were answered, by the time until then.";
    EVENT_LATENCY: Histogram = "orderfeed_event_latency_seconds",
        "Events of live changes by the time from the change noticed to the event accepted.";
    INDEX_BACKLOG: Gauge = "orderfeed_index_backlog_orders", "Orders that changed and wait to be indexed.";
    INDEX_OLDEST_CHANGE_AGE: Gauge = "orderfeed_index_oldest_change_age_seconds",
        "Age of the oldest change that waits to be indexed; 0 if none does.";
    CHANGELOG_VERSION: Gauge = "orderfeed_changelog_version", "The changelog's head.";
    INDEX_VERSION: Gauge = "orderfeed_index_version", "The version up to which is indexed.";
    INDEX_STATE: Gauge = "orderfeed_index_state", "1 for the state that the index is in.";
    INDEX_FAILURES: Gauge = "orderfeed_index_failures",
        "Orders that could not be indexed and are tried again alone.";
    ORDERS_WITHOUT_EVENTS: Gauge = "orderfeed_orders_without_events",
        "Orders of the feed that have no events, whatever the reason; counted every ten minutes.";
    SOURCE_CHECKED: Gauge = "orderfeed_source_checked_timestamp_seconds",
        "When the source last answered what changed.";
    INTAKE_STATE: Gauge = "orderfeed_intake_state",
        "1 for what may flow in: open, history_waits, paused_outbox_full or paused_disk_nearly_full.";
    PENDING_EVENTS: Gauge = "orderfeed_pending_events",
        "Events that wait to be sent, of live changes and of history.";
    PENDING_RETRY_EVENTS: Gauge = "orderfeed_pending_retry_events",
        "Of the events that wait, those that were sent and not accepted.";
    PENDING_OLDEST_AGE: Gauge = "orderfeed_pending_oldest_age_seconds",
        "Time since the oldest change whose events wait was noticed; 0 if none waits.";
    STORED_EVENTS: Gauge = "orderfeed_stored_events",
        "Events by their final state, over the whole life of the store; parked ones may leave it again.";
    SENDER_STATE: Gauge = "orderfeed_sender_state", "1 for the state that a sender is in.";
    SENDER_FAILURES: Gauge = "orderfeed_sender_failures", "Failures in a row.";
    WALK_ORDERS: Gauge = "orderfeed_walk_orders",
        "Orders that a walk over history covers: first_sync, reindex, resync. Absent while none runs.";
    WALK_DONE_ORDERS: Gauge = "orderfeed_walk_done_orders", "Of them, those that are done.";
    STORE_SIZE: Gauge = "orderfeed_store_size_bytes", "The store's files.";
    FIRST_SYNC_STATE: Gauge = "orderfeed_first_sync_state",
        "1 for the state that the first sync of a website is in.";
    FIRST_SYNC_ORDERS: Gauge = "orderfeed_first_sync_orders", "Orders that the first sync covers.";
    FIRST_SYNC_DONE_ORDERS: Gauge = "orderfeed_first_sync_done_orders", "Of them, those that are read.";
    FIRST_SYNC_EVENTS: Gauge = "orderfeed_first_sync_events", "Events that the first sync queued.";
    FIRST_SYNC_SENT_EVENTS: Gauge = "orderfeed_first_sync_sent_events", "Of them, those that are final.";
    FIRST_SYNC_START: Gauge = "orderfeed_first_sync_start_timestamp_seconds", "When the website was enabled.";
    FIRST_SYNC_DEADLINE: Gauge = "orderfeed_first_sync_deadline_timestamp_seconds",
        "When the website's history should be at the edge.";
    FIRST_SYNC_COMPLETE: Gauge = "orderfeed_first_sync_complete_timestamp_seconds",
        "When it was; absent before.";
    FIRST_SYNC_OVERDUE: Gauge = "orderfeed_first_sync_overdue",
        "1 if the deadline has passed and the first sync is not complete.";
    FIRST_SYNC_MISSED: Gauge = "orderfeed_first_sync_missed",
        "1 if the deadline passed before the first sync was complete, whatever came afterwards.";
    FIRST_SYNC_REMAINING: Gauge = "orderfeed_first_sync_remaining_seconds",
        "How long the rest takes at the pace since the start; absent while that is not known.";
    FIRST_SYNC_LIMITED: Gauge = "orderfeed_first_sync_limited",
        "1 for what holds the first sync up, all 0 where nothing was found.";
    STORE_WRITER_QUEUE: Gauge = "orderfeed_store_writer_queue",
        "Transactions that wait for the store's writer.";
    STORE_FREE: Gauge = "orderfeed_store_free_bytes", "Free space on the store's disk.";
    RESIDENT_MEMORY: Gauge = "process_resident_memory_bytes", "Resident memory.";
    START_TIME: Gauge = "process_start_time_seconds", "When the daemon started.";
}
