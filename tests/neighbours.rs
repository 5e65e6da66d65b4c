//! Isolation between websites: while one is halted with thousands of pending events, or has every lane in a request
//! without an answer, the other's events are delivered as fast as before. A command that waits for all of them
//! reports the blocked website and the remedy.

use orderfeed::store::outbox::{SenderRow, SenderState};
use orderfeed_emulator::{EmulatorHandle, RequestRow};
use serde_json::json;

use crate::support::daemon::{Daemon, eventually, now, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// The website that is blocked, and the one that must not be affected, as code and index of the datastream.
const TROUBLED: (&str, usize) = ("base", 0);
const CALM: (&str, usize) = ("eu", 1);
/// Number of orders in each measurement of the calm website's latency.
const MEASURED: usize = 30;
/// A store view of a website without configuration. Its orders have no events until they are moved.
const NOWHERE: i64 = 999;
/// Allowed increase of the latency on a busy machine: a factor, and milliseconds (the source is polled every 50).
const FACTOR: i64 = 3;
const SLACK_MS: i64 = 50;

struct Pair {
    edge: EmulatorHandle,
    fixture: ShopFixture,
    shop: rusqlite::Connection,
    /// Orders not moved yet.
    spare: Vec<i64>,
    /// Numbers of the orders moved to the calm website, in order.
    moved: Vec<String>,
}

impl Pair {
    /// Creates a shop with `orders` orders, all of a website without configuration.
    async fn new(orders: usize) -> Self {
        let edge = edge::start().await;
        let fixture = ShopFixture::new(&edge.server_url(), orders);
        fixture
            .installation
            .layer("live", "[index]\nmode = \"realtime\"\nbatch_size = 500\n");
        let shop = fixture.sql();
        shop.execute_batch(&format!(
            "INSERT INTO store_website (website_id, code, name, sort_order, is_default) VALUES ({NOWHERE}, 'no', 'no', 9, 0);
             INSERT INTO store (store_id, code, website_id, group_id, name, is_active) VALUES ({NOWHERE}, 'no', {NOWHERE}, 1, 'no', 1);
             UPDATE sales_order SET store_id = {NOWHERE}, increment_id = 900000000 + entity_id;"
        ))
        .unwrap();
        let mut statement = shop
            .prepare("SELECT entity_id FROM sales_order ORDER BY entity_id")
            .unwrap();
        let spare = statement.query_map([], |row| row.get(0)).unwrap();
        let spare = spare.map(Result::unwrap).collect();
        drop(statement);
        Self {
            edge,
            fixture,
            shop,
            spare,
            moved: Vec::new(),
        }
    }

    /// Moves the next `orders` orders to a website in one transaction, which is a live change of each.
    fn give(&mut self, orders: usize, website: &str) -> Vec<i64> {
        let given = self.spare.split_off(self.spare.len() - orders);
        let sql = "UPDATE sales_order SET store_id = (SELECT min(store_id) FROM store JOIN store_website USING (website_id)
                   WHERE store_website.code = ?1) WHERE entity_id = ?2";
        let change = self.shop.unchecked_transaction().unwrap();
        for order in &given {
            change.execute(sql, rusqlite::params![website, order]).unwrap();
        }
        change.commit().unwrap();
        given
    }

    fn requests(&self, website: (&str, usize)) -> Vec<RequestRow> {
        let datastream = edge::datastream(website.1);
        let mut rows = self.edge.requests();
        rows.retain(|row| row.datastream.as_ref() == Some(&datastream));
        rows
    }

    fn pending(&self, website: &str) -> u64 {
        let pending = self.fixture.installation.read_store(|reader| {
            let id = reader.websites()?.into_iter().find(|(_, code)| code == website);
            let all = reader.pending_by_website()?;
            Ok(all
                .iter()
                .find(|(one, _)| Some(*one) == id.as_ref().map(|(id, _)| *id))
                .map_or(0, |(_, events)| *events))
        });
        pending.unwrap_or_default()
    }

    /// Moves one order to the calm website and waits for its only request, which must be accepted at once. Returns
    /// the time from commit to arrival, in milliseconds.
    fn measure(&mut self) -> i64 {
        let before = self.requests(CALM).len();
        let changed = now();
        let order = self.give(1, CALM.0)[0];
        self.moved.push((900_000_000 + order).to_string());
        let mut arrived = None;
        eventually("its arrival", || {
            let row = self.requests(CALM).get(before).cloned();
            arrived = row.filter(|row| row.status != 0);
            arrived.is_some()
        });
        let arrived = arrived.unwrap();
        assert_eq!(arrived.status, 202, "{arrived:#?}");
        eventually("its answer on record", || self.pending(CALM.0) == 0);
        assert_eq!(self.requests(CALM).len(), before + 1, "one request for an order");
        arrived.received_at.millis_since(changed)
    }

    /// Asserts that the calm website's orders reached the edge in the order of their changes.
    #[track_caller]
    fn assert_calm_kept_order(&self) {
        let datastream = edge::datastream(CALM.1);
        let mut seen: Vec<String> = Vec::new();
        for event in self
            .edge
            .events()
            .into_iter()
            .filter(|event| event.datastream == datastream)
        {
            let number = event.purchase_id.unwrap();
            if seen.last() != Some(&number) {
                seen.push(number);
            }
        }
        assert_eq!(seen, self.moved);
    }
}

fn state(fixture: &ShopFixture, website: &str) -> Option<SenderState> {
    let state = fixture.installation.read_store(|reader| {
        let id = reader.websites()?.into_iter().find(|(_, code)| code == website);
        let senders = reader.senders()?.into_iter();
        let own = |row: &SenderRow| Some(row.website) == id.as_ref().map(|(id, _)| *id);
        Ok(senders.filter(own).map(|row| row.state).next())
    });
    state.flatten()
}

/// Measures both in turns, so that other load on the machine slows both equally. Returns the median of each.
fn side_by_side(pair: &mut Pair, control: &mut Pair) -> [i64; 2] {
    let mut millis = [Vec::new(), Vec::new()];
    for _ in 0..MEASURED {
        drop(control.give(1, TROUBLED.0));
        millis[0].push(pair.measure());
        millis[1].push(control.measure());
    }
    millis.map(|mut millis| {
        millis.sort_unstable();
        millis[MEASURED / 2]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_halted_or_hangs_does_not_change_the_latency_of_another() {
    let mut pair = Pair::new(800).await;
    // A control instance without any blocked website.
    let mut control = Pair::new(150).await;
    let daemons = [&pair, &control].map(|pair| pair.fixture.installation.start());
    for pair in [&pair, &control] {
        eventually("the index", || pair.fixture.installation.is_settled());
    }

    let troubled = edge::datastream(TROUBLED.1);
    let enable = |pair: &Pair, enabled| {
        let id = troubled.clone();
        let change = move |config: &mut orderfeed_emulator::EmulatorConfig| {
            config.datastreams.get_mut(&id).unwrap().enabled = enabled;
        };
        pair.edge.configure(change);
    };
    enable(&pair, false);
    pair.give(600, TROUBLED.0);
    let waits = |pair: &Pair| {
        let indexed = pair
            .fixture
            .installation
            .index()
            .is_some_and(|index| index.backlog == 0);
        indexed && state(&pair.fixture, TROUBLED.0) == Some(SenderState::Halted)
    };
    eventually("a halt with a backlog", || waits(&pair));
    let backlog = pair.pending(TROUBLED.0);
    assert!(backlog > 2_000, "{backlog} events wait");
    let halted = side_by_side(&mut pair, &mut control);
    assert_eq!(pair.pending(TROUBLED.0), backlog, "it was halted all the time");
    assert_eq!(state(&pair.fixture, TROUBLED.0), Some(SenderState::Halted));

    // The edge now receives requests and answers none.
    let of_troubled = format!("\"websiteCode\":\"{}\"", TROUBLED.0);
    let hang = json!([{"hang_ms": 600_000, "times": 0, "match": {"contains_id": of_troubled}}]);
    pair.edge.script_json(hang).unwrap();
    let answered = pair.requests(TROUBLED).len();
    enable(&pair, true);
    eventually("a request that hangs", || {
        pair.requests(TROUBLED).len() > answered
    });
    let hung = side_by_side(&mut pair, &mut control);
    let unanswered = pair.requests(TROUBLED).split_off(answered);
    assert!(
        unanswered.iter().all(|row| row.status == 0 || row.status == 422),
        "{unanswered:#?}"
    );
    assert_eq!(pair.pending(TROUBLED.0), backlog, "nothing was accepted");

    say(&format!(
        "neighbours, median in ms and beside it the twin's: of a halted one {halted:?}, of one that hangs {hung:?}"
    ));
    for [beside, alone] in [halted, hung] {
        assert!(
            beside <= FACTOR * alone + SLACK_MS,
            "{beside} ms, the twin {alone} ms"
        );
    }
    daemons.into_iter().for_each(Daemon::kill);
    for pair in [&pair, &control] {
        pair.assert_calm_kept_order();
        edge::assert_promises(&pair.edge);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_resync_reports_the_blocked_websites_and_ends_with_69() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 60);
    let expected = fixture.expected();
    let accept = |index, enabled| {
        edge.configure(|config| {
            config
                .datastreams
                .get_mut(&edge::datastream(index))
                .unwrap()
                .enabled = enabled
        });
    };
    // Both halt first: a website that was not blocked would deliver its history before a command could pause it.
    accept(0, false);
    accept(1, false);
    let resync = || {
        fixture
            .installation
            .run(&["saas:resync", "--feed", "orders", "--wait"])
    };
    let daemon = fixture.installation.start_and_wait();
    eventually("both halts", || {
        ["base", "eu"].map(|website| state(&fixture, website)) == [Some(SenderState::Halted); 2]
    });
    fixture
        .installation
        .run(&["delivery", "pause", "--website", "eu"])
        .ok();
    accept(1, true);

    let ran = resync();
    assert_eq!(ran.code, Some(69), "{ran:?}");
    assert!(ran.stdout.contains("orders in"), "{ran:?}");
    let about = |website: &str| -> Vec<&str> {
        let of = format!(" events of website {website} cannot be sent: ");
        ran.stderr.lines().filter(|line| line.contains(&of)).collect()
    };
    let (halted, paused) = (about("base"), about("eu"));
    assert!(
        halted.len() == 1
            && halted[0].contains("halted (EXEG-0004-422): ")
            && halted[0].contains("check websites.base.datastream_id"),
        "{ran:?}"
    );
    assert!(
        paused.len() == 1 && paused[0].contains("`orderfeed delivery resume --website eu` ends it"),
        "{ran:?}"
    );
    assert_eq!((about("jp"), about("uk")), (vec![], vec![]), "{ran:?}");
    // The command waited for the other websites' events.
    let waiting: u64 = [halted[0], paused[0]]
        .iter()
        .map(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(edge.unique_ids() as u64 + waiting, expected.len() as u64);

    accept(0, true);
    fixture.installation.run(&["delivery", "resume"]).ok();
    let ran = resync();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    edge::assert_holds(&edge, &expected);
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_promises(&edge);
}
