//! Formats one event as one line: the message, then its fields as `key=value`, then those of the spans around it. The stable
//! code of a warning or an error (its field `log_code`, catalogued in `docs/OPERATIONS.md`) precedes the message.
//!
//! Nothing that a peer, a shopper or a database wrote can end the line, colour a terminal or turn text around: control
//! characters and the marks that change the direction of text are escaped, in messages, values and span fields.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::ops::journal::{self, EntryHeader};
use crate::ops::recent::RecentLog;
use crate::ops::sentence::with_causes;
use orderfeed_model::clock::Clock;

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `time=… level=info msg="…" key=value`
    Logfmt,
    /// `{"time":…,"level":…,"message":…,…}`
    Json,
    /// For people: short time, level, message, `key=value`.
    Pretty { colour: bool },
    /// An entry of the journal.
    Journal,
}

/// Creates the layer that writes events to the writers of `writer`.
pub(super) fn layer<S, W>(style: Style, clock: Clock, writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(LineFormat { style, clock })
        .fmt_fields(Fields::<false>(style))
        .with_ansi(false)
        // It would use eprintln!, which panics if stderr is closed.
        .log_internal_errors(false)
        .with_writer(writer)
}

/// Creates the layer that keeps events in memory, as JSON, beside those of [`layer`].
pub(super) fn kept_layer<S>(clock: Clock, kept: RecentLog) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let style = Style::Json;
    tracing_subscriber::fmt::layer()
        .event_format(LineFormat { style, clock })
        .fmt_fields(Fields::<true>(style))
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(kept)
        .with_filter(LevelFilter::INFO)
}

struct LineFormat {
    style: Style,
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Collected::default();
        event.record(&mut fields);
        let mut spans = String::new();
        for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                spans.push_str(&fields.fields);
            }
        }
        writer.write_str(&match self.style {
            Style::Journal => journal_entry(event, &fields, &spans),
            _ => self.line(event, &fields, &spans),
        })
    }
}

impl LineFormat {
    fn line(&self, event: &Event<'_>, fields: &Collected, spans: &str) -> String {
        let mut line = self.head(event, fields);
        for (name, value) in &fields.values {
            put_field(&mut line, self.style, name, value);
        }
        line.push_str(spans);
        line.push_str(if self.style == Style::Json { "}\n" } else { "\n" });
        line
    }

    fn head(&self, event: &Event<'_>, fields: &Collected) -> String {
        let (at, level, target) = (
            self.clock.now().rfc3339(),
            event.metadata().level(),
            event.metadata().target(),
        );
        let (message, code) = (fields.message.as_str(), fields.log_code.as_deref());
        match self.style {
            Style::Logfmt => format!(
                "time={at} level={}{} msg={} target={target}",
                level_word(level),
                code.map_or_else(String::new, |code| format!(" log_code={}", logfmt_value(code))),
                logfmt_value(message)
            ),
            Style::Json => {
                let word = level_word(level);
                let message = json_text(message);
                let code = code.map_or_else(String::new, |code| format!(",\"log_code\":{}", json_text(code)));
                format!(
                    "{{\"time\":\"{at}\",\"level\":\"{word}\"{code},\"message\":{message},\"target\":\"{target}\""
                )
            }
            Style::Pretty { colour } => {
                let short = at.split_once('T').map_or(at.as_str(), |(_, time)| time);
                format!("{short} {} {}", pretty_level(level, colour), fields.sentence())
            }
            // Not used: see journal_entry.
            Style::Journal => fields.sentence(),
        }
    }
}

fn journal_entry(event: &Event<'_>, fields: &Collected, spans: &str) -> String {
    let mut own = String::new();
    for (name, value) in &fields.values {
        put_field(&mut own, Style::Journal, name, value);
    }
    // For this style, spans keep their fields one per line, as the journal takes them.
    let fields_of = |lines: &'_ str| -> Vec<(String, String)> {
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let all = [fields_of(&own), fields_of(spans)].concat();
    let mut line = fields.sentence();
    for (name, value) in &all {
        let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
        let _ = match bare {
            true => write!(line, " {name}={value}"),
            false => write!(line, " {name}=\"{}\"", value.replace('"', "\\\"")),
        };
    }
    let named = all.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let about = EntryHeader {
        level: event.metadata().level(),
        target: event.metadata().target(),
        code: fields.log_code.as_deref(),
    };
    journal::entry(&about, &line, named)
}

/// Formats the fields of spans in the style of the lines that they become part of. A span keeps one text for each type of
/// this, so two layers with different styles need two types.
struct Fields<const KEPT: bool>(Style);

impl<'w, const KEPT: bool> FormatFields<'w> for Fields<KEPT> {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut collected = Collected::default();
        fields.record(&mut collected);
        let mut text = String::new();
        for (name, value) in &collected.values {
            put_field(&mut text, self.0, name, value);
        }
        writer.write_str(&text)
    }

    fn add_fields(
        &self,
        current: &'w mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// The message and the fields of an event or a span.
#[derive(Default)]
struct Collected {
    message: String,
    /// Code in the catalogue of `docs/OPERATIONS.md`; messages of libraries have none.
    log_code: Option<String>,
    values: Vec<(&'static str, Value)>,
}

enum Value {
    /// A number or a boolean, which needs no quotes in any style.
    Plain(String),
    Text(String),
}

impl Collected {
    /// Returns the code and the message.
    fn sentence(&self) -> String {
        match &self.log_code {
            Some(code) => format!("{} {}", escaped(code), escaped(&self.message)),
            None => escaped(&self.message),
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Plain(text) | Value::Text(text)) => self.message = text,
            ("log_code", Value::Plain(code) | Value::Text(code)) => self.log_code = Some(code),
            // Fields of records of the `log` crate: file, line, and the target again.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.values.push((name, value)),
        }
    }
}

impl Visit for Collected {
    fn record_f64(&mut self, field: &Field, value: f64) {
        let value = match value.is_finite() {
            true => Value::Plain(value.to_string()),
            false => Value::Text(value.to_string()),
        };
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Plain(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Plain(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Plain(value.to_string()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, Value::Text(with_causes(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(format!("{value:?}")));
    }
}

fn put_field(line: &mut String, style: Style, name: &str, value: &Value) {
    let _ = match (style, value) {
        (Style::Json, Value::Plain(text)) => write!(line, ",{}:{text}", json_text(name)),
        (Style::Json, Value::Text(text)) => write!(line, ",{}:{}", json_text(name), json_text(text)),
        (Style::Journal, Value::Plain(text) | Value::Text(text)) => {
            writeln!(line, "{name}={}", escaped(text))
        }
        (_, Value::Plain(text)) => write!(line, " {name}={text}"),
        (_, Value::Text(text)) => write!(line, " {name}={}", logfmt_value(text)),
    };
}

fn level_word(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn pretty_level(level: &Level, colour: bool) -> String {
    let paint = match *level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        _ => "2",
    };
    match colour {
        true => format!("\u{1b}[{paint}m{level:>5}\u{1b}[0m"),
        false => format!("{level:>5}"),
    }
}

/// Returns a value as it is, or quoted if its end would not be clear.
fn logfmt_value(text: &str) -> String {
    let bare = !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || matches!(c, '"' | '=' | '\\') || is_hostile(c));
    if bare {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c => put_escaped(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    text.chars().for_each(|c| put_escaped(&mut safe, c));
    safe
}

/// Formats a JSON string. It also escapes hostile characters that JSON allows.
fn json_text(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match is_hostile(c) {
            true => {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            false => safe.push(c),
        }
    }
    safe
}

fn put_escaped(text: &mut String, c: char) {
    match is_hostile(c) {
        true => text.extend(c.escape_default()),
        false => text.push(c),
    }
}

/// Returns true for control characters, line and paragraph separators, and the marks that change the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
