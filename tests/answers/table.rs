//! The response table through the real daemon, with one website for each row, all in one run. The edge's first
//! answers to a website are scripted; it accepts everything afterwards. The tests assert the final state of the
//! events, and the time (by the edge's clock), content and token of the next request.

use std::collections::BTreeMap;

use orderfeed::store::outbox::EventState;
use orderfeed_emulator::{DatastreamConfig, EmulatorHandle, RequestRow};
use orderfeed_events::{EventKind, event_id};
use serde_json::Value;

use super::rows::{Ends, Row, Script, Token};
use crate::support::daemon::{Daemon, eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Number of orders whose events share the request with the scripted answer.
const TOGETHER: usize = 4;
/// Longest pause that `[delivery.retry]` allows in these tests. A halted sender and a 500 wait exactly as long.
const LONGEST_MS: i64 = 1_000;

/// The website of a row, with its datastream and its orders.
struct Place {
    code: String,
    datastream: String,
    store: i64,
    orders: Vec<i64>,
    /// The order that becomes this website's next change. It belongs to a website without configuration until it is
    /// moved here.
    next: i64,
}

/// All rows in one run.
pub(super) struct Run {
    edge: EmulatorHandle,
    fixture: ShopFixture,
    daemon: Option<Daemon>,
    places: Vec<Place>,
}

impl Run {
    /// Creates the websites and the script, and starts the daemon with `config` layered over its configuration.
    pub(super) async fn start(rows: &[Row], config: &str) -> Self {
        let mut settings = edge::settings();
        let datastreams: Vec<String> = (0..rows.len())
            .map(|row| format!("ab1e0000-0000-4000-8000-{row:012}"))
            .collect();
        let org = settings.datastreams.values().next().unwrap().org.clone();
        for id in &datastreams {
            let ours = DatastreamConfig {
                org: org.clone(),
                ..DatastreamConfig::default()
            };
            settings.datastreams.insert(id.clone(), ours);
        }
        let edge = orderfeed_emulator::Emulator::start(settings).await.unwrap();
        let mut fixture = ShopFixture::new(&edge.server_url(), 0);
        let mut config = format!("{config}[index]\nmode = \"realtime\"\nbatch_size = 2000\n");
        let places = places(&mut fixture, datastreams);
        for place in &places {
            let (code, id) = (&place.code, &place.datastream);
            config.push_str(&format!(
                "[websites.{code}]\ndatastream_id = \"{id}\"\nback_office_events = true\n"
            ));
        }
        fixture.installation.layer("answers", &config);
        fixture.installation.layer("requests", edge::LOG_REQUESTS);
        for (row, place) in rows.iter().zip(&places) {
            edge.script_json(script(row, place, &edge)).unwrap();
        }
        let daemon = fixture.installation.start();
        Self {
            edge,
            fixture,
            daemon: Some(daemon),
            places,
        }
    }

    /// Waits for the final state of all rows and checks each of them.
    pub(super) fn play(mut self, rows: &[Row]) -> EmulatorHandle {
        // An earlier change could already be in flight when the answer starts to block its website.
        eventually("what the first answers call for", || {
            self.have_all_met_an_answer()
        });
        self.change_something();
        eventually("an answer for every event", || {
            // The order matters: events found by the first check are final by the second.
            self.places.iter().all(|place| self.is_there(place)) && self.fixture.installation.pending() == 0
        });
        let stopped = self.daemon.take().map(Daemon::stop);
        assert_eq!(stopped, Some(Some(0)));
        let failures: Vec<String> = rows
            .iter()
            .zip(&self.places)
            .filter_map(|(row, place)| Some((row, place, self.judge(row, place).err()?)))
            .map(|(row, place, why)| format!("{} ({}): {why}", row.name, place.code))
            .collect();
        for (row, place) in rows.iter().zip(&self.places) {
            if failures.iter().any(|failure| failure.starts_with(row.name)) {
                say(&format!("{} {:#?}", row.name, self.requests(place)));
            }
        }
        assert!(
            failures.is_empty(),
            "{} rows:\n{}",
            failures.len(),
            failures.join("\n")
        );
        edge::assert_pauses_kept(&self.edge, &self.fixture.installation.log());
        edge::assert_promises(&self.edge);
        self.edge
    }

    /// Returns true if each website's sender has applied an answer and stored its consequences.
    fn have_all_met_an_answer(&self) -> bool {
        let met = self.fixture.installation.read_store(|reader| {
            for place in &self.places {
                let known = reader.events_of(place.orders[0])?;
                let Some(event) = known.first() else {
                    return Ok(false);
                };
                if event.state == EventState::Pending && reader.attempts_of(event.batch)?.is_empty() {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        met == Some(true)
    }

    /// Changes an order of each website, which the answer to the first request may or may not delay.
    fn change_something(&self) {
        let sql = self.fixture.sql();
        for place in &self.places {
            let moved = "UPDATE sales_order SET store_id = ?1, updated_at = updated_at WHERE entity_id = ?2";
            sql.execute(moved, [place.store, place.next]).unwrap();
        }
    }

    fn is_there(&self, place: &Place) -> bool {
        let all = place.orders.iter().chain([&place.next]);
        all.copied().all(|order| self.state(order).is_some())
    }

    fn state(&self, order: i64) -> Option<EventState> {
        let known = self
            .fixture
            .installation
            .read_store(|reader| reader.events_of(order))?;
        known.first().map(|event| event.state)
    }

    fn requests(&self, place: &Place) -> Vec<RequestRow> {
        let mut rows = self.edge.requests();
        rows.retain(|row| row.datastream.as_deref() == Some(&place.datastream));
        rows
    }

    fn judge(&self, row: &Row, place: &Place) -> Result<(), String> {
        let requests = self.requests(place);
        let [first, second, ..] = requests.as_slice() else {
            return Err("there was no second request".to_owned());
        };
        self.judge_end(row, place)?;
        judge_time(row, &requests)?;
        judge_content(row, &requests)?;
        let is_new = first.token_hash != second.token_hash;
        match row.token {
            Token::Same if is_new => return Err("the next request had another token".to_owned()),
            Token::New if !is_new => return Err("the next request had the refused token".to_owned()),
            _ => {}
        }
        match self.state(place.next) {
            Some(EventState::Delivered) => Ok(()),
            other => Err(format!("the website's next change ended as {other:?}")),
        }
    }

    fn judge_end(&self, row: &Row, place: &Place) -> Result<(), String> {
        let states: Vec<_> = place.orders.iter().map(|order| self.state(*order)).collect();
        let (odd, others) = match row.ends {
            Ends::Delivered | Ends::Halted(_) => (Some(EventState::Delivered), EventState::Delivered),
            Ends::Suppressed => (Some(EventState::Suppressed), EventState::Delivered),
            Ends::AllSuppressed => (Some(EventState::Suppressed), EventState::Suppressed),
            Ends::Parked(_) => (Some(EventState::Parked), EventState::Delivered),
        };
        let expected: Vec<_> = [odd]
            .into_iter()
            .chain(std::iter::repeat_n(Some(others), TOGETHER - 1))
            .collect();
        if states != expected {
            return Err(format!("its events ended as {states:?}"));
        }
        match row.ends {
            Ends::Parked(code) => self.judge_dead_letter(place, code),
            Ends::Halted(code) => self.judge_halt(place, Some(code)),
            _ => self.judge_halt(place, None),
        }
    }

    /// Asserts that `failed list --json` reports the event, its code and its attempts.
    fn judge_dead_letter(&self, place: &Place, code: &str) -> Result<(), String> {
        let args = ["failed", "list", "--json", "--website", &place.code];
        let letters: Value = serde_json::from_str(&self.fixture.installation.run(&args).ok()).unwrap();
        let text = letters.to_string();
        let key = format!("\"key\":\"{0}:placed:{0}\"", place.orders[0]);
        match text.matches("\"code\"").count() == 1 && text.contains(code) && text.contains(&key) {
            true => self.judge_halt(place, None),
            false => Err(format!("failed list says {text}")),
        }
    }

    fn judge_halt(&self, place: &Place, code: Option<&str>) -> Result<(), String> {
        let log = self.fixture.installation.log();
        let of_this = format!("website={} ", place.code);
        let mut lines = log
            .lines()
            .filter(|line| line.contains("Delivery halted") && line.contains(&of_this));
        match (code, lines.next()) {
            (None, None) => Ok(()),
            (Some(code), Some(line)) if line.contains(&format!("code={code} ")) => Ok(()),
            (_, line) => Err(format!("about a halt the log says {line:?}")),
        }
    }
}

/// Checks the time between the last scripted answer and the next request.
fn judge_time(row: &Row, requests: &[RequestRow]) -> Result<(), String> {
    let least = match row.ends {
        Ends::Halted(_) => row.pause_ms.max(LONGEST_MS),
        _ => row.pause_ms,
    };
    // An event refused for good is not sent again, and its website may have no other.
    if least == 0 {
        return Ok(());
    }
    let last = requests
        .iter()
        .rposition(|one| one.fault.is_some())
        .unwrap_or_default();
    let (last, later) = (&requests[last], &requests[last + 1..]);
    // A halt and a Retry-After delay everything; any other failure delays its own request.
    let holds_all = matches!(row.ends, Ends::Halted(_)) || row.script.asks_for_a_pause();
    let same = later.iter().find(|one| one.body_hash == last.body_hash);
    let Some(next) = (if holds_all {
        later.first()
    } else {
        same.or(later.first())
    }) else {
        return Err("nothing came after the last scripted answer".to_owned());
    };
    let waited = next.received_at.millis_since(last.received_at);
    // Both times are rounded to milliseconds.
    match waited + 1 >= least {
        true => Ok(()),
        false => Err(format!("came again after {waited} ms, not {least} ms")),
    }
}

fn judge_content(row: &Row, requests: &[RequestRow]) -> Result<(), String> {
    let bodies: Vec<_> = requests.iter().map(|one| (one.n_events, one.body_hash)).collect();
    let refused: Vec<usize> = requests
        .iter()
        .filter(|one| one.fault.is_some())
        .map(|one| one.n_events)
        .collect();
    let fits = match (&row.script, &row.ends) {
        // Accepted events are not sent again, so the next request is the next change.
        (Script::Once(_), Ends::Delivered | Ends::Suppressed | Ends::AllSuppressed) if row.is_yes => {
            bodies.len() == 2 && bodies[0] != bodies[1]
        }
        // A probe may be one small batch, but it is the same one.
        (Script::Once(_), _) => {
            let same = |(events, body): &(usize, u64)| *events >= TOGETHER && *body == bodies[0].1;
            bodies[1..].iter().any(same)
        }
        // The batch is halved until the refused event is alone, which is never sent again once it is parked.
        (Script::Poison(_), _) => {
            bodies[0].0 >= TOGETHER
                && refused.last() == Some(&1)
                && refused.is_sorted_by(|one, other| one >= other)
        }
    };
    match fits {
        true => Ok(()),
        false => Err(format!("its requests held {bodies:?}, refused were {refused:?}")),
    }
}

/// Returns the script of a row. It applies to requests of the row's website only.
fn script(row: &Row, place: &Place, edge: &EmulatorHandle) -> Value {
    let poison = event_id(&edge::DATA_SPACE, EventKind::Placed, place.orders[0], 0).to_string();
    let only = serde_json::json!({"contains_id": poison});
    let mut step = row.script.step().clone();
    step["match"] = only;
    if matches!(row.script, Script::Poison(_)) {
        step["times"] = 0.into();
    }
    if step.get("redirect").is_some() {
        // The target accepts events without a token, so that a followed redirect would count as delivered.
        step["to"] = format!(
            "{}/ee/v2/collect?datastreamId={}",
            edge.edge_url(),
            place.datastream
        )
        .into();
    }
    Value::Array(vec![step])
}

/// Creates a website for each datastream, and orders for it in the shop.
fn places(fixture: &mut ShopFixture, datastreams: Vec<String>) -> Vec<Place> {
    let orders: Vec<i64> = (0..datastreams.len() * (TOGETHER + 1))
        .map(|_| fixture.place())
        .collect();
    let mut sql = fixture.sql();
    let changes = sql.transaction().unwrap();
    let hidden = 999;
    website(&changes, hidden, "nowhere");
    let mut places = Vec::new();
    for ((row, datastream), orders) in datastreams
        .into_iter()
        .enumerate()
        .zip(orders.chunks(TOGETHER + 1))
    {
        let (code, store) = (format!("row{row:02}"), 1000 + row as i64);
        website(&changes, store, &code);
        let (next, together) = orders.split_last().unwrap();
        for (order, store) in together
            .iter()
            .map(|order| (order, store))
            .chain([(next, hidden)])
        {
            let moved = "UPDATE sales_order SET store_id = ?1, increment_id = 900000000 + entity_id WHERE entity_id = ?2";
            changes.execute(moved, [store, *order]).unwrap();
        }
        places.push(Place {
            code,
            datastream,
            store,
            // History is sent newest first.
            orders: together.iter().rev().copied().collect(),
            next: *next,
        });
    }
    changes.commit().unwrap();
    places
}

/// Inserts a website with one store view. Both have the id `id`.
fn website(sql: &rusqlite::Connection, id: i64, code: &str) {
    let website = "INSERT INTO store_website (website_id, code, name, sort_order, is_default) VALUES (?1, ?2, ?2, 9, 0)";
    sql.execute(website, rusqlite::params![id, code]).unwrap();
    let store = "INSERT INTO store (store_id, code, website_id, group_id, name, is_active) VALUES (?1, ?2, ?1, 1, ?2, 1)";
    sql.execute(store, rusqlite::params![id, code]).unwrap();
}

/// Returns the number of requests by status, for the output of a run.
pub(super) fn by_status(edge: &EmulatorHandle) -> BTreeMap<u16, u64> {
    edge.totals().by_status.into_iter().collect()
}
