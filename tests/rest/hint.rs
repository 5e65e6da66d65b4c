//! `orderfeed hint`: a change arrives long before the next poll.

use orderfeed_mock_commerce::MockConfig;

use super::fixture::RestFixture;
use crate::support::daemon::eventually;
use crate::support::edge;

/// No second poll comes within the test.
const RARELY: &str =
    "[source.rest]\npoll_interval = \"1h\"\nreturns_interval = \"1h\"\ntracks_interval = \"1h\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hinted_change_arrives_before_the_next_poll() {
    let mut rest = RestFixture::start(30, MockConfig::default()).await;
    rest.installation().layer("zz-rarely", RARELY);
    let daemon = rest.installation().start();
    rest.wait_until_served();
    pass_a_round(&rest);
    let before = rest.shop.expected();
    let order = place_with_events(&mut rest);
    assert_nothing_arrives(&rest, before.len());
    let said = hint(&rest, &[&number(&rest, order)], 0);
    assert_eq!(said, "Orders to be read: 1\n");
    rest.wait_until_served();
    edge::assert_holds(&rest.edge, &rest.shop.expected());

    // The entity id names it as well, and a second change is read again.
    let placed = rest.edge.unique_ids();
    let cancel = "UPDATE sales_order SET state = 'canceled', status = 'canceled', updated_at = CURRENT_TIMESTAMP \
                  WHERE entity_id = ?1";
    assert_eq!(rest.shop.sql().execute(cancel, [order]).unwrap(), 1);
    assert_nothing_arrives(&rest, placed);
    let said = hint(&rest, &[&order.to_string(), "no-such-order"], 1);
    assert_eq!(said, "Orders to be read: 1\nNot in the source: 1\n");
    eventually("the event of the cancelled order", || {
        rest.edge.unique_ids() > placed && rest.installation().is_settled()
    });
    assert_eq!(rest.edge.totals().duplicates, 0);
    rest.assert_whole(daemon);
}

/// Places orders until one calls for an event: those of deleted store views do not. Returns its entity id.
fn place_with_events(rest: &mut RestFixture) -> i64 {
    loop {
        let order = rest.shop.place();
        if rest.shop.expected().iter().any(|one| one.order_id == order) {
            return order;
        }
    }
}

fn number(rest: &RestFixture, order: i64) -> String {
    let sql = "SELECT increment_id FROM sales_order WHERE entity_id = ?1";
    rest.shop.sql().query_row(sql, [order], |row| row.get(0)).unwrap()
}

#[track_caller]
fn hint(rest: &RestFixture, orders: &[&str], code: i32) -> String {
    let ran = rest.installation().run(&[&["hint"], orders].concat());
    assert_eq!(ran.code, Some(code), "{ran:?}");
    ran.stdout
}

/// Has the oldest order read by a hint, and waits until that is done. Every poll that was under way is over then.
fn pass_a_round(rest: &RestFixture) {
    let sql = "SELECT increment_id FROM sales_order ORDER BY entity_id LIMIT 1";
    let oldest: String = rest.shop.sql().query_row(sql, [], |row| row.get(0)).unwrap();
    let requests = rest.mock.ledger().total();
    hint(rest, &[&oldest], 0);
    eventually("the oldest order is read again", || {
        rest.mock.ledger().total() > requests && rest.installation().is_settled()
    });
}

/// Asserts that the events at the edge stay as they are while another order is read.
#[track_caller]
fn assert_nothing_arrives(rest: &RestFixture, events: usize) {
    pass_a_round(rest);
    assert_eq!(rest.edge.unique_ids(), events, "an event arrived without a hint");
}
