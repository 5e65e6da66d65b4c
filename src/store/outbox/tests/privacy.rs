//! Suppression and erasure remove the events of the persons concerned; bytes, order and fate of all others stay the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::suppression::Person;

/// In these tests a body begins with `{"xdm":"<person>/`.
fn person_of(json: &[u8]) -> Option<Person> {
    let number = *json.strip_prefix(b"{\"xdm\":\"")?.first()?;
    (number != b'-').then_some([number; 32])
}

fn of(person: u8, number: OrderId, class: Class, kinds: &[KindCode]) -> OrderEvents {
    let mut order = order(number, class, kinds);
    for event in &mut order.events {
        let text = format!("{}/{number}/{}", char::from(person), event.kind);
        let hash = format!("{person:02x}").repeat(32);
        let body = format!(r#"{{"xdm":"{text}","identityMap":{{"Email_LC_SHA256":[{{"id":"{hash}"}}]}}}}"#);
        event.body = Ok(body.into_bytes());
        event.person = Some([person; 32]);
    }
    order
}

async fn list(store: &Store, persons: &[u8]) {
    let persons: Vec<Person> = persons.iter().map(|person| [*person; 32]).collect();
    write(store, move |w| w.add_suppressions(&persons, "", NOW)).await;
}

async fn screen(store: &Store, id: BatchId) -> u64 {
    write(store, move |w| w.screen_batch(id, NOW)).await
}

async fn erase(store: &Store, id: BatchId, person: u8) -> PersonEvents {
    write(store, move |w| w.erase_from_batch(id, &[[person; 32]], NOW)).await
}

/// Makes the store look as an earlier version left it: persons are in the JSON alone.
async fn forget_persons(store: &Store) {
    write(store, |w| {
        let sql = "DELETE FROM outbox_person; UPDATE outbox_parked SET person = NULL;
                   INSERT OR REPLACE INTO meta SELECT 'persons_unknown_upto', CAST(seq AS TEXT) FROM sqlite_sequence
                   WHERE name = 'outbox_batch'";
        Ok(w.connection.execute_batch(sql)?)
    })
    .await;
}

async fn convert(store: &Store, limit: usize) -> bool {
    write(store, move |w| w.convert_persons(limit)).await
}

async fn batches_of(store: &Store, person: u8) -> Result<Vec<BatchId>, StoreError> {
    let read = move |r: &crate::store::Reader<'_>| {
        let (mut all, mut after) = (Vec::new(), 0);
        while let Some((found, upto)) = r.batches_of(&[[person; 32]], after)? {
            all.extend(found);
            after = upto;
        }
        Ok(all)
    };
    store.read(read).await
}

async fn states(store: &Store, order: OrderId) -> Vec<EventState> {
    let events = store.read(move |r| r.events_of(order)).await.unwrap();
    events.into_iter().map(|event| event.state).collect()
}

#[tokio::test]
async fn new_events_of_a_listed_person_are_final_at_once_and_for_ever() {
    let (_dir, store) = testing::fresh();
    list(&store, b"a").await;
    let orders = || vec![of(b'a', 1, Class::Live, &[1, 2]), of(b'b', 2, Class::Live, &[1])];
    let entered = enqueue(&store, orders()).await;
    assert_eq!((entered.events, entered.suppressed), (1, 2));
    assert_eq!(states(&store, 1).await, [EventState::Suppressed; 2]);
    write(&store, |w| w.remove_suppressions(&[[b'a'; 32]])).await;
    assert_eq!(enqueue(&store, orders()).await, Enqueued::default());
    let later = enqueue(&store, vec![of(b'a', 1, Class::Live, &[1, 2, 3])]).await;
    assert_eq!(later.events, 1, "only what is new goes again");
}

#[tokio::test]
async fn a_forced_resend_leaves_out_listed_persons_and_erased_events() {
    let (_dir, store) = testing::fresh();
    let orders = || {
        vec![
            of(b'a', 1, Class::Live, &[1]),
            of(b'b', 2, Class::Live, &[1]),
            of(b'c', 3, Class::Live, &[1]),
        ]
    };
    enqueue(&store, orders()).await;
    deliver(&store, 1).await;
    list(&store, b"a").await;
    let found = erase(&store, 1, b'b').await;
    assert_eq!((found.events.len(), found.pending), (1, false));
    let again = write(&store, move |w| {
        w.enqueue(&orders(), EnqueueMode::Resend, LIMITS, NOW)
    })
    .await;
    assert_eq!(again.events, 1);
    let waiting = ready(&store).await;
    assert_eq!(body(&store, waiting[0].id).await.entries[0].key.order, 3);
    assert_eq!(states(&store, 2).await, [EventState::Delivered]);
    let key = EventKey {
        order: 2,
        kind: 1,
        document: 2,
        generation: 0,
    };
    assert_eq!(store.read(move |r| r.erased_at(key)).await.unwrap(), Some(NOW));
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_left_releases_those_that_wait_for_it() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![of(b'a', 1, Class::Live, &[1])]).await;
    // The same order under another address: it waits for the first.
    enqueue(&store, vec![of(b'b', 1, Class::Live, &[2])]).await;
    assert_eq!(ready(&store).await.len(), 1);
    list(&store, b"a").await;
    assert_eq!(screen(&store, 1).await, 1);
    let ready = ready(&store).await;
    assert_eq!(ready.iter().map(|batch| batch.id).collect::<Vec<_>>(), [2]);
    assert_eq!(store.read(|r| r.batch_record(1)).await.unwrap(), None);
    assert_eq!(screen(&store, 1).await, 0, "again changes nothing");
    assert_eq!(store.read(|r| r.pending_events()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_erased_parked_event_ends_as_suppressed() {
    let (_dir, store) = testing::fresh();
    enqueue(
        &store,
        vec![of(b'a', 1, Class::Live, &[1]), of(b'b', 2, Class::Live, &[1])],
    )
    .await;
    let refusal = || {
        EventVerdict::Parked(Refusal {
            code: "EXEG-0102-400".to_owned(),
            detail: "quoted".to_owned(),
        })
    };
    let answer = EdgeAnswer {
        at: NOW,
        note: Some("quoted".to_owned()),
        ..EdgeAnswer::default()
    };
    write(&store, move |w| {
        w.settle_each(1, &[(0, refusal()), (1, refusal())], &answer)
    })
    .await;
    let found = store.read(|r| r.parked_of(&[[b'a'; 32]])).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(write(&store, move |w| w.erase_parked(found[0], NOW)).await);
    assert_eq!(states(&store, 1).await, [EventState::Suppressed]);
    assert_eq!(states(&store, 2).await, [EventState::Parked]);
    // The finished batch had the body as well, and the edge's words.
    let found = erase(&store, 1, b'a').await;
    assert_eq!((found.events.len(), found.texts), (1, 1));
    assert_eq!(
        erase(&store, 1, b'a').await,
        PersonEvents::default(),
        "again finds nothing"
    );
}

#[tokio::test]
async fn persons_are_found_by_an_index_across_batches_splits_and_clean_up() {
    let (_dir, store) = testing::fresh();
    for number in 1..=200 {
        let person = if number % 50 == 0 { b'a' } else { b'b' };
        enqueue(&store, vec![of(person, number, Class::Live, &[1, 2])]).await;
    }
    assert_eq!(batches_of(&store, b'a').await.unwrap(), [50, 100, 150, 200]);
    let right = write(&store, |w| w.split_batch(50, 1)).await;
    assert_eq!(
        batches_of(&store, b'a').await.unwrap(),
        [50, 100, 150, 200, right]
    );
    deliver(&store, 100).await;
    write(&store, |w| w.remove_delivered(UtcMillis(i64::MAX), 10)).await;
    assert_eq!(batches_of(&store, b'a').await.unwrap(), [50, 150, 200, right]);
    erase(&store, right, b'a').await;
    assert_eq!(batches_of(&store, b'a').await.unwrap(), [50, 150, 200]);
    assert_eq!(batches_of(&store, b'c').await.unwrap(), Vec::<BatchId>::new());
}

#[tokio::test]
async fn events_of_an_earlier_version_are_converted_in_steps_and_never_missed() {
    let (_dir, store) = testing::fresh();
    for number in 1..=7 {
        enqueue(&store, vec![of(b'a', number, Class::Live, &[1])]).await;
    }
    let refusal = Refusal {
        code: "EXEG-0102-400".to_owned(),
        detail: String::new(),
    };
    let verdicts = [(0, EventVerdict::Parked(refusal))];
    write(&store, move |w| {
        w.settle_each(7, &verdicts, &EdgeAnswer::default())
    })
    .await;
    let body = body(&store, 3).await;
    forget_persons(&store).await;
    assert_eq!(self::body(&store, 3).await, body, "found in the JSON meanwhile");
    enqueue(&store, vec![of(b'a', 8, Class::Live, &[1])]).await;
    assert!(
        batches_of(&store, b'a').await.is_err(),
        "an index that may miss one is not used"
    );
    assert!(convert(&store, 3).await);
    list(&store, b"a").await;
    for id in [1, 3, 5, 8] {
        assert!(
            store.read(move |r| r.holds_suppressed(id)).await.unwrap(),
            "batch {id}"
        );
    }
    assert_eq!(screen(&store, 2).await, 1, "not converted");
    assert_eq!(screen(&store, 6).await, 1, "converted");
    while convert(&store, 3).await {}
    assert_eq!(batches_of(&store, b'a').await.unwrap(), [1, 3, 4, 5, 7, 8]);
    assert_eq!(self::body(&store, 3).await, body);
    assert_eq!(store.read(|r| r.parked_of(&[[b'a'; 32]])).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_parked_event_of_an_earlier_version_keeps_its_person_when_it_is_retried() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![of(b'a', 1, Class::Live, &[1])]).await;
    let refusal = Refusal {
        code: "EXEG-0102-400".to_owned(),
        detail: String::new(),
    };
    let verdicts = [(0, EventVerdict::Parked(refusal))];
    write(&store, move |w| {
        w.settle_each(1, &verdicts, &EdgeAnswer::default())
    })
    .await;
    forget_persons(&store).await;
    let key = EventKey {
        order: 1,
        kind: 1,
        document: 1,
        generation: 0,
    };
    write(&store, move |w| w.retry_parked(key, LIMITS, NOW)).await;
    while convert(&store, 3).await {}
    assert_eq!(batches_of(&store, b'a').await.unwrap(), [1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is listed or erased in whatever order: the others' bytes and order stay, each event has one fate, and
    /// totals and counts agree with it.
    #[test]
    fn events_of_all_others_stay_the_same(
        orders in prop::collection::vec((0u8..5, 1usize..4, any::<bool>()), 1..20),
        steps in prop::collection::vec((0u8..5, 0u8..5), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_dir, store) = testing::fresh();
            write(&store, |w| w.website_id("base")).await;
            let mut bytes = BTreeMap::new();
            for (number, (person, kinds, alone)) in (1..).zip(&orders) {
                let kinds: Vec<KindCode> = (0..*kinds as u8).collect();
                let order = of(b'a' + person, number, Class::Live, &kinds);
                for event in &order.events {
                    bytes.insert((number, event.kind), event.body.clone().unwrap());
                }
                enqueue(&store, vec![order]).await;
                if *alone {
                    // An order without a person.
                    let mut anonymous = self::order(1000 + number, Class::Live, &[1]);
                    anonymous.events[0].body = Ok(json("-"));
                    enqueue(&store, vec![anonymous]).await;
                }
            }
            let mut gone: Vec<u8> = Vec::new();
            for (person, step) in steps {
                let person = b'a' + person;
                let ids: Vec<BatchId> = ready(&store).await.into_iter().map(|batch| batch.id).collect();
                match step {
                    0 => for id in ids { erase(&store, id, person).await; },
                    3 => {
                        forget_persons(&store).await;
                        continue;
                    }
                    4 => {
                        convert(&store, 2).await;
                        continue;
                    }
                    _ => {
                        list(&store, &[person]).await;
                        for id in ids { screen(&store, id).await; }
                    }
                }
                gone.push(person);
            }
            let mut left = 0;
            for batch in ready(&store).await {
                let body = body(&store, batch.id).await;
                prop_assert_eq!(batch.events, body.entries.len());
                prop_assert_eq!(batch.bytes, body.payload.len());
                let mut last = None;
                for (entry, json) in body.events() {
                    let key = entry.key;
                    left += 1;
                    prop_assert!(person_of(json).is_none_or(|person| !gone.contains(&person[0])));
                    if let Some(same) = bytes.get(&(key.order, key.kind)) {
                        prop_assert_eq!(json, same.as_slice());
                    }
                    let place = (key.order, key.kind);
                    prop_assert!(last.is_none_or(|before| before < place));
                    last = Some(place);
                }
            }
            for ((order, _), body) in &bytes {
                let fates = states(&store, *order).await;
                let is_gone = gone.contains(&person_of(body).unwrap()[0]);
                let fate = if is_gone { EventState::Suppressed } else { EventState::Pending };
                prop_assert!(fates.iter().all(|state| *state == fate));
            }
            let anonymous = orders.iter().filter(|(_, _, alone)| *alone).count();
            let suppressed = bytes.values().filter(|body| gone.contains(&person_of(body).unwrap()[0])).count();
            prop_assert_eq!(left, bytes.len() - suppressed + anonymous);
            let totals = store.read(|r| r.outbox_by_website()).await.unwrap();
            let counted: u64 = totals.iter().flat_map(|website| &website.totals).map(|(_, _, events)| events).sum();
            prop_assert_eq!(counted, suppressed as u64);
            Ok(())
        })?;
    }
}
