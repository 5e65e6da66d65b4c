//! Rows of the response table. The names follow the edge's list of codes and the delivery rules; a test checks that
//! no code of the list is missing.

use serde_json::{Value, json};

/// One row: an answer of the edge and its expected consequences.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) script: Script,
    pub(super) ends: Ends,
    /// Shortest time until the next request, in milliseconds.
    pub(super) pause_ms: i64,
    pub(super) token: Token,
    /// True if the answer accepts the events, so that nothing is sent again.
    pub(super) is_yes: bool,
}

/// The requests that get the answer.
pub(super) enum Script {
    /// Only the first request.
    Once(Value),
    /// Every request that contains the event of the first order.
    Poison(Value),
}

impl Script {
    pub(super) fn step(&self) -> &Value {
        match self {
            Self::Once(step) | Self::Poison(step) => step,
        }
    }

    /// Returns true if the answer has a valid `Retry-After`.
    pub(super) fn asks_for_a_pause(&self) -> bool {
        ["retry_after", "retry_after_date_s"]
            .iter()
            .any(|name| self.step().get(name).is_some())
    }
}

/// Final state of the events.
pub(super) enum Ends {
    Delivered,
    /// The first is suppressed, the others in the request are delivered.
    Suppressed,
    AllSuppressed,
    /// The first is parked with this code, the others in the request are delivered.
    Parked(&'static str),
    /// The sender halts with this code. A probe then succeeds, and everything is delivered.
    Halted(&'static str),
}

/// The access token of the next request.
pub(super) enum Token {
    Same,
    New,
    /// Any token: the refusal of another row may have replaced it.
    Any,
}

fn row(name: &'static str, script: Script, ends: Ends) -> Row {
    Row {
        name,
        script,
        ends,
        pause_ms: 0,
        token: Token::Same,
        is_yes: false,
    }
}

fn yes(name: &'static str, step: Value, ends: Ends) -> Row {
    Row {
        is_yes: true,
        ..row(name, Script::Once(step), ends)
    }
}

fn again(name: &'static str, step: Value, pause_ms: i64) -> Row {
    Row {
        pause_ms,
        ..row(name, Script::Once(step), Ends::Delivered)
    }
}

fn halt(name: &'static str, step: Value, code: &'static str) -> Row {
    row(name, Script::Once(step), Ends::Halted(code))
}

/// Returns the rows that do not concern tokens.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = yeses();
    rows.extend(not_now());
    rows.extend(never());
    rows.extend(halts());
    rows
}

fn yeses() -> Vec<Row> {
    vec![
        yes("1 202", json!({"status": 202}), Ends::Delivered),
        yes("1 200", json!({"status": 200}), Ends::Delivered),
        yes(
            "1 204, empty",
            json!({"status": 204, "body": ""}),
            Ends::Delivered,
        ),
        yes("1 gzip", json!({"status": 202, "gzip": true}), Ends::Delivered),
        yes(
            "2 0301-200 with an index",
            json!({"status": 202, "warnings": [{"code": "0301-200", "eventIndex": 0}]}),
            Ends::Suppressed,
        ),
        yes(
            "2 0301-200 without an index",
            json!({"status": 202, "warnings": [{"code": "0301-200"}]}),
            Ends::AllSuppressed,
        ),
        yes(
            "3 200, not JSON",
            json!({"status": 200, "body": "fine", "record": true}),
            Ends::Delivered,
        ),
        yes(
            "4 207 0201-503",
            json!({"status": 207, "errors": [{"code": "0201-503", "eventIndex": 0}], "record": true}),
            Ends::Delivered,
        ),
        yes(
            "4 207 0202-502 without an index",
            json!({"status": 207, "errors": [{"code": "0202-502"}], "record": true}),
            Ends::Delivered,
        ),
        yes(
            "0204-200",
            json!({"status": 202, "warnings": [{"code": "0204-200"}]}),
            Ends::Delivered,
        ),
        yes(
            "0303-200",
            json!({"status": 202, "warnings": [{"code": "0303-200"}]}),
            Ends::Delivered,
        ),
        yes(
            "18 202, 5 MB of body",
            json!({"status": 202, "body_bytes": 5_000_000, "record": true}),
            Ends::Delivered,
        ),
    ]
}

fn not_now() -> Vec<Row> {
    vec![
        again(
            "5 429 with seconds",
            json!({"status": 429, "retry_after": "2"}),
            2_000,
        ),
        // A date has whole seconds, so the pause may be up to one second shorter.
        again(
            "5 429 with a date",
            json!({"status": 429, "retry_after_date_s": 3}),
            2_000,
        ),
        again("5 429", json!({"status": 429}), 0),
        again(
            "5 429 with nonsense",
            json!({"status": 429, "retry_after": "soon"}),
            0,
        ),
        again(
            "6 0000-503 with seconds",
            json!({"code": "0000-503", "retry_after": "3"}),
            3_000,
        ),
        again(
            "6 0000-503 with a date",
            json!({"code": "0000-503", "retry_after_date_s": 4}),
            3_000,
        ),
        again("6 0000-503", json!({"code": "0000-503"}), 0),
        again("6 503 with -5", json!({"status": 503, "retry_after": "-5"}), 0),
        again("6 503 with 0", json!({"status": 503, "retry_after": "0"}), 0),
        again("6 0200-504", json!({"code": "0200-504"}), 0),
        again("6 0201-503", json!({"code": "0201-503"}), 0),
        again("6 0202-502", json!({"code": "0202-502"}), 0),
        again("6 0203-502", json!({"code": "0203-502"}), 0),
        again("6 0205-502", json!({"code": "0205-502"}), 0),
        again("6 0300-502", json!({"code": "0300-502"}), 0),
        again("6 0307-502", json!({"code": "0307-502"}), 0),
        again(
            "6 502 of a gateway",
            json!({"status": 502, "body": "<html>Bad gateway</html>", "ctype": "text/html"}),
            0,
        ),
        again("6 507", json!({"status": 507}), 0),
        again("6 408 without a code", json!({"status": 408}), 0),
        again("6 425", json!({"status": 425}), 0),
        again("8 0001-500, then well", json!({"code": "0001-500"}), 1_000),
        again("8 501, then well", json!({"status": 501}), 1_000),
        again("14 reset before reading", json!({"close": "before_read"}), 0),
        again("14 reset after recording", json!({"close": "after_record"}), 0),
        again("14 reset in the answer", json!({"close": "mid_response"}), 0),
        again(
            "18 503, 5 MB of body",
            json!({"status": 503, "body_bytes": 5_000_000}),
            0,
        ),
    ]
}

/// Returns the rows in which an answer exceeds the request timeout. They have a run of their own: with a short
/// timeout, other requests of a busy machine exceed it too.
pub(super) fn slow_rows() -> Vec<Row> {
    vec![
        again("14 no answer in time", json!({"hang_ms": 600_000}), 0),
        again(
            "14 no answer in time, but recorded",
            json!({"hang_ms": 600_000, "record": true}),
            0,
        ),
        again(
            "14 an answer that does not end",
            json!({"status": 503, "body_bytes": 100_000, "slow_bps": 1}),
            0,
        ),
    ]
}

fn never() -> Vec<Row> {
    let refused = [
        ("9 0101-400", "0101-400", "EXEG-0101-400"),
        ("9 0102-400", "0102-400", "EXEG-0102-400"),
        ("9 0103-400", "0103-400", "EXEG-0103-400"),
        ("9 0104-422", "0104-422", "EXEG-0104-422"),
        ("9 0105-400", "0105-400", "EXEG-0105-400"),
        ("9 0304-400", "0304-400", "EXEG-0304-400"),
        ("9 0305-400", "0305-400", "EXEG-0305-400"),
        ("9 0306-400", "0306-400", "EXEG-0306-400"),
        ("9 0308-400", "0308-400", "EXEG-0308-400"),
        ("7 0109-408", "0109-408", "EXEG-0109-408"),
        ("0100-500", "0100-500", "EXEG-0100-500"),
        ("0302-409", "0302-409", "EXEG-0302-409"),
        ("10 0112-413", "0112-413", "too_large"),
        ("8 0001-500, again and again", "0001-500", "EXEG-0001-500"),
        ("6 0202-502, again and again", "0202-502", "EXEG-0202-502"),
    ];
    let poison = |(name, code, parked): (&'static str, &str, &'static str)| {
        row(name, Script::Poison(json!({"code": code})), Ends::Parked(parked))
    };
    let mut rows: Vec<Row> = refused.into_iter().map(poison).collect();
    let unknown = [
        (418, "11 unknown 4xx", "http_418"),
        (413, "10 413 without a code", "too_large"),
    ];
    rows.extend(unknown.map(|(status, name, parked)| {
        row(
            name,
            Script::Poison(json!({"status": status})),
            Ends::Parked(parked),
        )
    }));
    rows
}

fn halts() -> Vec<Row> {
    let coded = [
        ("11 0002-400", "0002-400", "EXEG-0002-400"),
        ("11 0003-400", "0003-400", "EXEG-0003-400"),
        ("11 0004-422", "0004-422", "EXEG-0004-422"),
        ("11 0010-422", "0010-422", "EXEG-0010-422"),
        ("11 0011-422", "0011-422", "EXEG-0011-422"),
        ("11 0012-422", "0012-422", "EXEG-0012-422"),
        ("11 0013-422", "0013-422", "EXEG-0013-422"),
        ("11 0106-400", "0106-400", "EXEG-0106-400"),
        ("11 0107-400", "0107-400", "EXEG-0107-400"),
        ("11 0108-400", "0108-400", "EXEG-0108-400"),
        ("11 0110-400", "0110-400", "EXEG-0110-400"),
        ("11 0111-415", "0111-415", "EXEG-0111-415"),
        ("11 0113-400", "0113-400", "EXEG-0113-400"),
        ("13 0400-403", "0400-403", "EXEG-0400-403"),
        ("12 0501-401", "0501-401", "EXEG-0501-401"),
        ("13 0504-401", "0504-401", "EXEG-0504-401"),
        ("13 0505-401", "0505-401", "EXEG-0505-401"),
        ("13 0506-401", "0506-401", "EXEG-0506-401"),
    ];
    let mut rows: Vec<Row> = coded
        .into_iter()
        .map(|(name, code, halted)| halt(name, json!({"code": code}), halted))
        .collect();
    let bare = [
        ("11 403", 403, "http_403"),
        ("11 404", 404, "http_404"),
        ("11 405", 405, "http_405"),
        ("11 407", 407, "http_407"),
        ("11 410", 410, "http_410"),
        ("11 415", 415, "http_415"),
        ("11 421", 421, "http_421"),
    ];
    rows.extend(bare.map(|(name, status, code)| halt(name, json!({"status": status}), code)));
    let redirects = [
        ("16 301", 301),
        ("16 302", 302),
        ("16 303", 303),
        ("16 307", 307),
        ("16 308", 308),
    ];
    rows.extend(redirects.map(|(name, status)| halt(name, json!({"redirect": status}), "redirect")));
    rows
}

/// Returns the rows that refuse a token, which all websites share.
pub(super) fn token_rows() -> Vec<Row> {
    let renewed = |name, step| Row {
        token: Token::New,
        ..row(name, Script::Once(step), Ends::Delivered)
    };
    vec![
        renewed("12 0500-401", json!({"code": "0500-401"})),
        renewed("12 0502-401", json!({"code": "0502-401"})),
        renewed("12 0503-401", json!({"code": "0503-401"})),
        renewed("12 401 without a code", json!({"status": 401})),
        Row {
            token: Token::Any,
            ..halt(
                "12 0502-401, twice",
                json!({"code": "0502-401", "times": 2}),
                "EXEG-0502-401",
            )
        },
    ]
}
