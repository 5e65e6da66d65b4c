//! Writes the text format of OpenMetrics 1.0: families with type, unit and help, each with its samples.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
//!
//! A client that accepts only `text/plain` gets the older format of Prometheus, which names a counter with its suffix and has
//! neither infos nor units: <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    OpenMetrics,
    /// Prometheus's own, 0.0.4.
    Plain,
}

impl Format {
    /// Returns the format for an `Accept` header.
    pub fn wanted(accept: Option<&str>) -> Self {
        match accept {
            // Prometheus itself accepts both, and lists OpenMetrics first.
            Some(accept) if accept.contains("text/plain") && !accept.contains("openmetrics") => Self::Plain,
            _ => Self::OpenMetrics,
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    /// Only grows; its samples end in `_total`.
    Counter,
    /// Facts in labels; its sample ends in `_info`.
    Info,
    /// Counts by upper bound.
    Histogram,
}

/// A family of samples. The end of the name is the unit: `_seconds` or `_bytes`.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// Names and values of labels.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text that grows family by family.
#[derive(Debug, Default)]
pub struct Exposition {
    format: Format,
    text: String,
}

/// The family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    metric: Metric,
}

impl Exposition {
    pub fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
        }
    }

    pub fn family(&mut self, metric: Metric) -> Family<'_> {
        let Metric { name, kind, help } = metric;
        let (plain, text) = (self.format == Format::Plain, &mut self.text);
        let word = match kind {
            Kind::Info if !plain => "info",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let suffix = if plain { kind.suffix() } else { "" };
        line(text, format_args!("# TYPE {name}{suffix} {word}"));
        if let Some(unit) = ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit))
            && !plain
        {
            line(text, format_args!("# UNIT {name} {unit}"));
        }
        line(text, format_args!("# HELP {name}{suffix} {}", escaped(help)));
        Family { text, metric }
    }

    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Kind {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

impl Family<'_> {
    /// Writes a sample that counts something.
    pub fn count(&mut self, labels: Labels<'_>, value: u64) -> &mut Self {
        self.sample(self.metric.kind.suffix(), labels, &value.to_string())
    }

    /// Writes a sample in seconds.
    pub fn seconds(&mut self, labels: Labels<'_>, millis: i64) -> &mut Self {
        self.sample(self.metric.kind.suffix(), labels, &seconds(millis))
    }

    /// Writes the samples of a histogram with bounds and sum in milliseconds. `counts` has one entry more than `bounds`, for
    /// what is above the last bound.
    pub fn buckets(&mut self, labels: Labels<'_>, bounds: &[u64], counts: &[u64], sum: u64) {
        let mut total = 0;
        for (index, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(index).map(|bound| seconds(signed(*bound)));
            let bound = bound.as_deref().unwrap_or("+Inf");
            let labels = [labels, &[("le", bound)]].concat();
            self.sample("_bucket", &labels, &total.to_string());
        }
        self.sample("_count", labels, &total.to_string());
        self.sample("_sum", labels, &seconds(signed(sum)));
    }

    fn sample(&mut self, suffix: &str, labels: Labels<'_>, value: &str) -> &mut Self {
        self.text.push_str(self.metric.name);
        self.text.push_str(suffix);
        for (index, (name, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            // Writing to a String does not fail.
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { " " } else { "} " };
        line(self.text, format_args!("{after}{value}"));
        self
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{content}");
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Formats milliseconds as seconds, exactly. The text of a bound is part of a series' identity, so it must never change.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &'static str, kind: Kind, help: &'static str) -> Metric {
        Metric { name, kind, help }
    }

    #[test]
    fn families_have_type_unit_and_help_and_samples_their_suffix() {
        let mut text = Exposition::default();
        text.family(metric("a_bytes", Kind::Counter, "Bytes of a."))
            .count(&[("file", "x\"\\\ny")], 7);
        text.family(metric("b_seconds", Kind::Gauge, "Time."))
            .seconds(&[], -1_234_005);
        let expected = "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes Bytes of a.\n\
                        a_bytes_total{file=\"x\\\"\\\\\\ny\"} 7\n\
                        # TYPE b_seconds gauge\n# UNIT b_seconds seconds\n# HELP b_seconds Time.\n\
                        b_seconds -1234.005\n# EOF\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_client_that_accepts_only_plain_text_gets_the_format_that_promtool_checks() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for accept in [None, Some("*/*"), Some(prometheus)] {
            assert_eq!(Format::wanted(accept), Format::OpenMetrics, "{accept:?}");
        }
        assert_eq!(Format::wanted(Some("text/plain")), Format::Plain);
        let mut text = Exposition::new(Format::Plain);
        text.family(metric("a_bytes", Kind::Counter, "Bytes of a."))
            .count(&[], 7);
        text.family(metric("b", Kind::Info, "Versions."))
            .count(&[("x", "y")], 1);
        let expected = "# TYPE a_bytes_total counter\n# HELP a_bytes_total Bytes of a.\na_bytes_total 7\n\
                        # TYPE b_info gauge\n# HELP b_info Versions.\nb_info{x=\"y\"} 1\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn buckets_add_up_to_the_count() {
        let mut text = Exposition::default();
        text.family(metric("c_seconds", Kind::Histogram, "Latency."))
            .buckets(&[], &[5, 1000], &[1, 2, 3], 9_001);
        let text = text.finish();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "c_seconds_bucket{le=\"0.005\"} 1",
            "c_seconds_bucket{le=\"1.000\"} 3",
            "c_seconds_bucket{le=\"+Inf\"} 6",
            "c_seconds_count 6",
            "c_seconds_sum 9.001",
        ];
        assert_eq!(samples, expected);
    }
}
