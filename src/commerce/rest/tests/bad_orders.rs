//! Orders that make every page fail which holds them: they are isolated, wherever they are, and hide no other.

use super::*;

#[tokio::test]
async fn one_bad_order_is_isolated_and_read_again_once_it_is_good() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let all = fixture.all_ids().await;
    let bad = all[7];
    fixture.mock.configure(|config| config.poisoned = [bad].into());
    let source = RestSource::new(&configuration(&fixture.mock)).unwrap();
    let walked = Fixture { source, ..fixture };
    assert_eq!(walked.all_ids().await, all);
    let read = walked.source.read_orders(&all).await.unwrap();
    let unreadable: Vec<_> = read
        .iter()
        .filter_map(|read| match read {
            ReadOrder::Unreadable { id, reason } => Some((*id, reason.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!((read.len(), unreadable.len(), unreadable[0].0), (60, 1, bad));
    walked.mock.configure(|config| config.poisoned.clear());
    assert_eq!(whole(walked.source.read_orders(&[bad]).await.unwrap()).len(), 1);
    assert!(locked(&walked.source.poisoned).is_empty());
}

#[tokio::test]
async fn a_shop_whose_oldest_and_newest_orders_are_bad_is_described() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let all = fixture.all_ids().await;
    let (newest, oldest) = (all[0], all[59]);
    let bad: BTreeSet<OrderId> = [newest, oldest, all[58]].into();
    fixture.mock.configure(|config| config.poisoned = bad.clone());
    let source = RestSource::new(&configuration(&fixture.mock)).unwrap();
    let found = source.describe().await.unwrap();
    let database = SqliteSource::open(&fixture.path).unwrap();
    let stored = database.describe().await.unwrap().fingerprint;
    assert!(
        crate::commerce::fingerprint::same_database(&stored, &found.fingerprint),
        "{stored} {}",
        found.fingerprint
    );
    let source = RestSource::new(&configuration(&fixture.mock)).unwrap();
    let range = source.id_range(&OrderFilter::default()).await.unwrap();
    assert_eq!(range, Some((oldest, newest)));
}

#[tokio::test]
async fn a_bad_order_is_searched_only_among_those_of_the_backfill() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let all = fixture.all_ids().await;
    let database = SqliteSource::open(&fixture.path).unwrap();
    let orders = whole(database.read_orders(&all).await.unwrap());
    let (old, bad) = (&orders[..20], orders[19].id);
    let filter = OrderFilter {
        created_before: Some(orders[20].created_at),
        ..OrderFilter::default()
    };
    fixture.mock.configure(|config| config.poisoned = [bad].into());
    let (mut below, mut walked) = (None, Vec::new());
    loop {
        let page = fixture.source.order_ids(&filter, below, 500).await.unwrap();
        let Some(lowest) = page.last().copied() else { break };
        below = Some(lowest);
        walked.extend(page);
    }
    let expected: Vec<OrderId> = old.iter().rev().map(|order| order.id).collect();
    assert_eq!(walked, expected);
    assert_eq!(*locked(&fixture.source.poisoned), [bad].into());
}

#[tokio::test]
async fn addresses_stay_short_with_many_bad_orders() {
    let fixture = Fixture::start(240, MockConfig::default()).await;
    let all = fixture.all_ids().await;
    let bad: BTreeSet<OrderId> = all.iter().copied().step_by(2).collect();
    fixture.mock.configure(|config| config.poisoned = bad.clone());
    let source = RestSource::new(&configuration(&fixture.mock)).unwrap();
    *locked(&source.poisoned) = bad;
    fixture.mock.reset_ledger();
    let walked = Fixture { source, ..fixture };
    assert_eq!(walked.all_ids().await, all);
    let ledger = walked.mock.ledger();
    let left_out = |query: &str| {
        let (_, after) = query.split_once("[condition_type]=nin&").unwrap_or_default();
        after.split('&').next().unwrap_or_default().split(',').count()
    };
    let most = ledger.requests().map(|row| left_out(&row.query)).max();
    assert_eq!(most, Some(50));
}

#[tokio::test]
async fn an_order_that_is_read_again_in_a_half_is_reported_once() {
    let fixture = Fixture::start(20, MockConfig::default()).await;
    let ids = fixture.all_ids().await;
    fixture.mock.configure(|config| config.hidden = [ids[2]].into());
    // Both attempts of the first part.
    let failed = Fault::once(Effect::Masked(500)).on("/V1/invoices").times(2);
    fixture.mock.script([failed]);
    let read = fixture.source.read_orders(&ids).await.unwrap();
    let of_hidden = read.iter().filter(|read| read.id() == ids[2]).count();
    assert_eq!((read.len(), of_hidden), (20, 1));
}
