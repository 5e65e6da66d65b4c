//! Ids that Commerce assigns again: another order or document under a known id is another fact.

use std::collections::BTreeSet;

use super::*;
use crate::indexer::apply::OrderBatch;
use crate::store::StoreError;
use crate::store::outbox::{EdgeAnswer, EventKey, KnownEvent, Settled};
use orderfeed_events::status_events;
use orderfeed_model::birth::{Birth, Document, DocumentKind};
use orderfeed_model::marks::births;
use orderfeed_model::order::Invoice;

fn invoice(id: i64, created_s: i64) -> Invoice {
    Invoice {
        id,
        number: Some(format!("{id:09}")),
        created_at: UtcMillis::from_secs(created_s),
        ..Invoice::default()
    }
}

/// Another order under the id of `order(id)`, of another shopper.
fn other(id: OrderId) -> Order {
    Order {
        created_at: UtcMillis::from_secs(900_000 + id),
        email: Some(format!("other{id}@example.com")),
        ..order(id)
    }
}

impl Rig {
    fn put(&self, order: Order) {
        self.source.orders.lock().unwrap().insert(order.id, order);
    }

    async fn change(&self, order: Order) -> Indexed {
        let id = order.id;
        self.put(order);
        self.capture(&[id]).await;
        self.update().await.unwrap().indexed
    }

    async fn keys(&self, order: OrderId) -> Vec<EventKey> {
        let known = self.known(order).await;
        known.iter().map(|event| event.key).collect()
    }

    async fn known(&self, order: OrderId) -> Vec<KnownEvent> {
        self.store.read(move |r| r.events_of(order)).await.unwrap()
    }

    /// Returns the `_id` and the person of each stored body, as they are sent.
    async fn bodies(&self) -> BTreeSet<(String, bool)> {
        let bodies = self.store.read(|r| {
            let batches = r.batches_with_body(0, 100)?;
            let bodies: Result<Vec<_>, StoreError> = batches.iter().map(|id| r.batch_body(*id)).collect();
            bodies
        });
        let bodies = bodies.await.unwrap();
        let events = bodies
            .iter()
            .flatten()
            .flat_map(|body| body.events().map(|(_, json)| json.to_vec()));
        let others: Vec<_> = (1..=9)
            .filter_map(|id| orderfeed_events::person(&format!("other{id}@example.com")))
            .map(hex::encode)
            .collect();
        events
            .map(|json| {
                let json = String::from_utf8(json).unwrap();
                let id = json.split("\"_id\":\"").nth(1).unwrap()[..36].to_owned();
                let is_other = others.iter().any(|hash| json.contains(hash));
                (id, is_other)
            })
            .collect()
    }

    async fn deliver_all(&self) {
        let ready = self
            .store
            .read(|r| r.ready_batches(1, NOW, &Default::default(), 99));
        for batch in ready.await.unwrap() {
            let id = batch.id;
            let body = self.store.read(move |r| r.batch_body(id)).await.unwrap();
            let settled = Settled {
                id,
                website: 1,
                kinds: body.unwrap().kinds(),
            };
            let settle = move |w: &mut crate::store::Writer<'_>| {
                w.settle_delivered(&[settled], &EdgeAnswer::default())
            };
            self.store.write(Durability::Durable, settle).await.unwrap();
        }
    }

    async fn reborn(&self) -> u64 {
        self.store.read(|r| r.reborn()).await.unwrap().0
    }
}

#[tokio::test]
async fn another_order_under_a_known_id_has_events_of_its_own() {
    let rig = rig(1).await;
    rig.change(order(1)).await;
    rig.deliver_all().await;
    assert_eq!(rig.change(other(1)).await.events, 1);
    let keys = rig.keys(1).await;
    assert_eq!(keys.iter().map(|key| key.generation).collect::<Vec<_>>(), [0, 1]);
    let context = event_context(&rig.indexer.config());
    let first = status_events(&order(1), &context)[0].id.to_string();
    let bodies = rig.bodies().await;
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies.contains(&(first.clone(), false)));
    assert!(bodies.iter().any(|(id, is_other)| *is_other && *id != first));
    // An edit of the new order, and an erasure by Commerce, are changes of the same order.
    let mut edited = other(1);
    (edited.state, edited.email) = ("processing".to_owned(), Some("anonymous@example.com".to_owned()));
    assert_eq!(rig.change(edited).await.events, 0);
    assert_eq!(rig.reborn().await, 1);
}

#[tokio::test]
async fn a_database_that_changes_back_and_forth_makes_no_third_event() {
    let rig = rig(1).await;
    for (which, events) in [(order(1), 1), (other(1), 1), (order(1), 0), (other(1), 0)] {
        assert_eq!(rig.change(which).await.events, events);
    }
    assert_eq!((rig.events(1).await, rig.reborn().await), (2, 1));
}

#[tokio::test]
async fn a_document_that_moves_to_another_order_or_is_made_again_is_another_document() {
    let rig = rig(2).await;
    let with = |order: Order, invoice| Order {
        invoices: vec![invoice],
        ..order
    };
    rig.change(with(order(1), invoice(7, 50))).await;
    // The invoice was lost with the restored database, and its id went to another order.
    assert_eq!(rig.change(with(order(2), invoice(7, 60))).await.events, 2);
    assert_eq!(rig.change(order(1)).await.events, 0);
    // And once more to the first order, at another time.
    assert_eq!(rig.change(with(order(1), invoice(7, 70))).await.events, 1);
    let generations = |keys: Vec<EventKey>| {
        let invoiced = keys.into_iter().filter(|key| key.document == 7);
        invoiced.map(|key| key.generation).collect::<Vec<_>>()
    };
    assert_eq!(generations(rig.keys(1).await), [0, 2]);
    assert_eq!(generations(rig.keys(2).await), [1]);
    assert_eq!(rig.bodies().await.len(), 5, "no two facts share an id");
}

#[tokio::test]
async fn a_forced_resend_sends_the_order_that_has_the_id_now() {
    let rig = rig(1).await;
    rig.change(order(1)).await;
    rig.deliver_all().await;
    rig.put(other(1));
    let forced = OrdersById {
        ids: vec![1],
        resend: true,
    };
    assert_eq!(rig.indexer.index_orders(forced.clone()).await.unwrap().events, 1);
    rig.deliver_all().await;
    let again = rig.indexer.index_orders(forced).await.unwrap();
    assert_eq!((again.events, again.resent), (1, 1));
    let pending: Vec<_> = rig
        .known(1)
        .await
        .into_iter()
        .filter(|event| event.state == EventState::Pending)
        .collect();
    assert_eq!(pending.len(), 1, "the events of the earlier order stay delivered");
    assert_eq!(pending[0].key.generation, 1);
}

#[tokio::test]
async fn the_feed_of_an_earlier_version_adopts_the_marks_without_a_new_event() {
    let rig = rig(3).await;
    for id in 1..=3 {
        let invoiced = Order {
            invoices: vec![invoice(10 + id, 50)],
            ..order(id)
        };
        rig.change(invoiced).await;
    }
    let forget = |w: &mut crate::store::Writer<'_>| w.forget_births_for_test();
    rig.store.write(Durability::Durable, forget).await.unwrap();
    let mark = |document: Document| {
        let known = rig.source.orders.lock().unwrap()[&1].clone();
        let seen = births(&known)
            .into_iter()
            .find(|(one, _)| *one == document)
            .unwrap()
            .1;
        rig.store.read(move |r| r.birth(document, seen))
    };
    let order_1 = Document {
        kind: DocumentKind::Order,
        id: 1,
    };
    let invoice_11 = Document {
        kind: DocumentKind::Invoice,
        id: 11,
    };
    assert!(mark(order_1).await.unwrap().is_new && mark(invoice_11).await.unwrap().is_new);
    // Unchanged, and still it adopts its marks.
    rig.capture(&[1]).await;
    assert_eq!(rig.update().await.unwrap().indexed.events, 0);
    assert!(!mark(order_1).await.unwrap().is_new && !mark(invoice_11).await.unwrap().is_new);
    // Verification adopts those of the others.
    let report = rig
        .indexer
        .verify(VerifyTask::default(), || false, |_| {})
        .await
        .unwrap();
    assert_eq!((report.orders, report.differing.total()), (3, 0));
    assert_eq!(rig.change(other(2)).await.events, 1);
    assert_eq!(rig.reborn().await, 1);
}

#[tokio::test]
async fn an_id_that_went_to_another_order_since_the_derivation_is_read_again() {
    let rig = rig(1).await;
    let slow = rig.source.read_orders(&[1]).await.unwrap();
    let slow = OrderBatch::live(vec![1], slow, NOW);
    let slow = rig.indexer.prepare(slow).await.unwrap();
    // Beside it, an update indexes the order that has the id by now.
    rig.change(other(1)).await;
    let version = rig.version().await;
    assert_eq!(rig.indexer.commit(slow).await.unwrap().events, 0);
    assert_eq!(rig.bodies().await.len(), 1);
    let head = rig.store.read(|r| r.changelog_head()).await.unwrap();
    assert_eq!(head, version + 1, "it is in the changelog");
    rig.put(order(1));
    assert_eq!(rig.update().await.unwrap().indexed.events, 1);
    let bodies = rig.bodies().await;
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert_eq!(bodies.iter().filter(|(_, is_other)| *is_other).count(), 1);
}

#[tokio::test]
async fn verification_reports_ids_that_were_used_again() {
    let rig = rig(2).await;
    rig.capture(&[1, 2]).await;
    rig.update().await.unwrap();
    // No backfill is about to find it.
    let valid = |w: &mut crate::store::Writer<'_>| w.set_indexer_status(IndexerStatus::Valid, NOW);
    rig.store.write(Durability::Durable, valid).await.unwrap();
    rig.put(other(2));
    let verify = || rig.indexer.verify(VerifyTask::default(), || false, |_| {});
    let report = verify().await.unwrap();
    assert_eq!((report.differing.reused_ids, report.differing.total()), (1, 1));
    rig.capture(&[2]).await;
    rig.update().await.unwrap();
    let report = verify().await.unwrap();
    assert_eq!((report.differing.total(), report.reused_ids), (0, 1));
}

#[tokio::test]
async fn an_older_copy_of_the_source_invalidates_the_index_and_deletions_do_not() {
    let rig = rig(20).await;
    rig.reindex(BackfillOptions::default()).await.unwrap();
    let status = || async {
        let state = rig.store.read(|r| r.indexer_state()).await.unwrap();
        state.unwrap().status
    };
    rig.source.orders.lock().unwrap().remove(&20);
    rig.indexer.check_reused_ids().await.unwrap();
    assert_eq!(status().await, IndexerStatus::Valid);
    // Orders 15 to 20 were lost, and the new ones have passed number 20. Capture sees none of them.
    for id in 15..=22 {
        rig.put(other(id));
    }
    rig.indexer.check_reused_ids().await.unwrap();
    assert_eq!(status().await, IndexerStatus::Invalid);
    let report = rig.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(report.indexed.events, 8);
    rig.indexer.check_reused_ids().await.unwrap();
    assert_eq!(status().await, IndexerStatus::Valid, "once is enough");
}

#[tokio::test]
async fn a_quote_alone_makes_another_order_and_a_missing_column_does_not() {
    let rig = rig(1).await;
    let quoted = |quote_id| Order {
        birth: Birth {
            quote_id,
            ..Birth::default()
        },
        ..order(1)
    };
    for (quote, events) in [(None, 1), (Some(5), 0), (None, 0), (Some(5), 0), (Some(6), 1)] {
        assert_eq!(rig.change(quoted(quote)).await.events, events, "{quote:?}");
    }
}
