//! Search, pages, faults, and what releases do differently.

use std::time::Duration;

use serde_json::Value;

use super::client::{Fixture, filters, message, query};
use crate::{Effect, Fault, MockConfig, PageLimits, Release};

#[tokio::test]
async fn criteria_select_sort_and_page() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let window = filters(&[("entity_id", "gteq", "11"), ("entity_id", "lt", "21")], "50");
    let reply = fixture.get(&format!("orders?{window}")).await;
    assert_eq!(reply.ints("entity_id"), (11..21).collect::<Vec<i64>>());
    assert_eq!(reply.json()["total_count"], 10);
    let sorted = query(&[
        ("searchCriteria[sortOrders][0][field]", "entity_id"),
        ("searchCriteria[sortOrders][0][direction]", "DESC"),
        ("searchCriteria[pageSize]", "3"),
        ("searchCriteria[currentPage]", "2"),
        ("fields", "items[entity_id],total_count"),
    ]);
    let reply = fixture.get(&format!("orders?{sorted}")).await;
    assert_eq!(reply.ints("entity_id"), [57, 56, 55]);
    assert_eq!(reply.items()[0].as_object().unwrap().len(), 1);
    let either = query(&[
        (
            "search_criteria[filter_groups][0][filters][0][field]",
            "entity_id",
        ),
        ("search_criteria[filter_groups][0][filters][0][value]", "4,5"),
        (
            "search_criteria[filter_groups][0][filters][0][condition_type]",
            "in",
        ),
        (
            "search_criteria[filter_groups][0][filters][1][field]",
            "entity_id",
        ),
        ("search_criteria[filter_groups][0][filters][1][value]", "9"),
    ]);
    let reply = fixture.get(&format!("orders?{either}")).await;
    assert_eq!(reply.ints("entity_id"), [4, 5, 9]);
    let ledger = fixture.mock.ledger();
    assert_eq!(
        (ledger.total(), ledger.largest_page(), ledger.highest_page()),
        (3, Some(50), Some(2))
    );
    assert_eq!(ledger.by_path()["/V1/orders"], 3);
}

#[tokio::test]
async fn times_and_amounts_compare_as_in_mysql() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let all = fixture.get("orders?searchCriteria=all").await;
    let middle = all.items()[30]["updated_at"].as_str().unwrap().to_owned();
    let expected = all
        .items()
        .iter()
        .filter(|order| order["updated_at"].as_str().unwrap() >= middle.as_str())
        .count();
    let since = filters(&[("updated_at", "gteq", &middle)], "100");
    assert_eq!(
        fixture.get(&format!("orders?{since}")).await.items().len(),
        expected
    );
    let dear = filters(&[("base_grand_total", "gt", "100")], "100");
    let dear = fixture.get(&format!("orders?{dear}")).await;
    let totals: Vec<f64> = all
        .items()
        .iter()
        .map(|order| order["base_grand_total"].as_f64().unwrap())
        .collect();
    assert_eq!(
        dear.items().len(),
        totals.iter().filter(|total| **total > 100.0).count()
    );
}

#[tokio::test]
async fn a_page_past_the_end_depends_on_the_release_and_limits_on_the_settings() {
    let fixture = Fixture::start(
        10,
        MockConfig {
            release: Release::V2_3,
            ..MockConfig::default()
        },
    )
    .await;
    let past = query(&[
        ("searchCriteria[pageSize]", "4"),
        ("searchCriteria[currentPage]", "9"),
    ]);
    assert_eq!(
        fixture.get(&format!("orders?{past}")).await.ints("entity_id"),
        [9, 10]
    );
    fixture.mock.configure(|config| config.release = Release::Newest);
    assert!(fixture.get(&format!("orders?{past}")).await.items().is_empty());
    fixture
        .mock
        .configure(|config| config.limits = Some(PageLimits { usual: 3, most: 8 }));
    let reply = fixture.get("orders?searchCriteria=all").await;
    assert_eq!(
        (reply.items().len(), &reply.json()["search_criteria"]["page_size"]),
        (3, &Value::from(3))
    );
    let reply = fixture.get(&format!("orders?{}", filters(&[], "9"))).await;
    assert_eq!(
        (reply.status, message(&reply)),
        (400, "Maximum SearchCriteria pageSize is %max".to_owned())
    );
    assert_eq!(reply.json()["parameters"]["max"], 8);
}

#[tokio::test]
async fn what_commerce_refuses_is_refused_in_its_words() {
    let fixture = Fixture::start(5, MockConfig::default()).await;
    let unknown = filters(&[("colour", "eq", "1")], "5");
    for (path, status, text) in [
        ("orders", 400, "is required"),
        ("orders?fields=items", 400, "is required"),
        ("orders/99", 404, "The entity that was requested doesn't exist"),
        ("orders/x", 400, "type is invalid"),
        (
            "nothing?searchCriteria=all",
            404,
            "Request does not match any route.",
        ),
        (&format!("orders?{unknown}"), 400, "Report ID: webapi-"),
    ] {
        let reply = fixture.get(path).await;
        assert!(
            reply.status == status && message(&reply).contains(text),
            "{path}: {reply:?}"
        );
    }
    fixture.mock.configure(|config| config.release = Release::V2_3);
    assert_eq!(fixture.get(&format!("orders?{unknown}")).await.status, 500);
    fixture.mock.configure(|config| config.returns = false);
    assert_eq!(
        message(&fixture.get("returns?searchCriteria=all").await),
        "Request does not match any route."
    );
    assert_eq!(
        fixture.get("orders?searchCriteria=all&fields=colour").await.text,
        "[]"
    );
    let store = fixture
        .send("GET", "/rest/atlantis/V1/orders?searchCriteria=all", &[], "")
        .await
        .unwrap();
    assert!(message(&store).starts_with("The store that was requested wasn't found"));
}

#[tokio::test]
async fn faults_replace_cut_and_disturb_answers() {
    let fixture = Fixture::start(8, MockConfig::default()).await;
    let path = "orders?searchCriteria=all&fields=items%5Bentity_id%5D%2Ctotal_count";
    let met = async |effect: Effect| {
        fixture.mock.script([Fault::once(effect)]);
        fixture.get(path).await
    };
    assert_eq!(met(Effect::Html(503)).await.status, 503);
    let limited = met(Effect::TooMany { retry_after: Some(7) }).await;
    assert_eq!(
        (limited.status, limited.headers["retry-after"].to_str().unwrap()),
        (429, "7")
    );
    assert!(serde_json::from_str::<Value>(&met(Effect::CutJson).await.text).is_err());
    assert!(message(&met(Effect::Masked(500)).await).contains("Report ID"));
    assert!(met(Effect::Fatal).await.text.contains("Server internal error"));
    assert_eq!(met(Effect::Redirect).await.status, 302);
    assert_eq!(met(Effect::DoubledRows).await.ints("entity_id").len(), 9);
    assert_eq!(met(Effect::Unsorted).await.ints("entity_id")[0], 8);
    assert_eq!(met(Effect::ShortPage).await.ints("entity_id").len(), 4);
    assert_eq!(met(Effect::WrongCount(3)).await.json()["total_count"], 11);
    assert_eq!(
        met(Effect::Stall(Duration::from_millis(30)))
            .await
            .ints("entity_id")
            .len(),
        8
    );
    fixture.mock.script([Fault::once(Effect::CutConnection)]);
    let header = fixture.signed("/rest/all/V1/orders?searchCriteria=all", "cut", 0);
    let cut = fixture
        .send(
            "GET",
            "/rest/all/V1/orders?searchCriteria=all",
            &[("authorization", header)],
            "",
        )
        .await;
    assert!(cut.is_none());
    let changed = met(Effect::Then(vec![
        "DELETE FROM sales_order WHERE entity_id = 8".to_owned(),
    ]))
    .await;
    assert_eq!(changed.ints("entity_id").len(), 8);
    assert_eq!(fixture.get("orders/8").await.status, 404);
    fixture.mock.configure(|config| config.maintenance = true);
    assert!(
        fixture
            .get(path)
            .await
            .text
            .contains("Service Temporarily Unavailable")
    );
}

#[tokio::test]
async fn bad_orders_break_the_pages_that_hold_them() {
    let fixture = Fixture::start(20, MockConfig::default()).await;
    fixture.mock.configure(|config| {
        config.poisoned.insert(5);
        config.deleted_products.insert(9);
        config.hidden.insert(3);
        config.endless_transactions.insert(1);
    });
    let page = async |from: &str, below: &str| {
        let window = filters(&[("entity_id", "gteq", from), ("entity_id", "lt", below)], "50");
        fixture.get(&format!("orders?{window}")).await
    };
    assert_eq!(page("1", "5").await.ints("entity_id"), [1, 2, 4]);
    assert_eq!(page("4", "6").await.status, 500);
    assert!(message(&page("8", "10").await).starts_with("The product that was requested doesn't exist"));
    assert_eq!(fixture.get("orders/3").await.status, 404);
    let endless = fixture.get("transactions?searchCriteria=all");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), endless)
            .await
            .is_err()
    );
    fixture
        .mock
        .configure(|config| config.website = Some("base".to_owned()));
    let visible = page("10", "21").await.items().len();
    assert!(visible > 0 && visible < 11, "{visible}");
}

#[tokio::test]
async fn an_order_repeats_its_items_and_hides_the_keys_of_its_payment() {
    let fixture = Fixture::start(80, MockConfig::default()).await;
    let orders = fixture.get("orders?searchCriteria=all").await.items();
    for order in &orders {
        let extension = &order["extension_attributes"];
        assert_eq!(extension["shipping_assignments"][0]["items"], order["items"]);
        assert_eq!(
            order["payment"]["additional_information"][0],
            extension["payment_additional_info"][0]["value"]
        );
        assert_eq!(order["payment"]["account_status"], Value::Null);
        assert!(order["items"][0].get("product_options").is_none() && order.get("shipping_method").is_none());
    }
    let child = orders
        .iter()
        .flat_map(|order| order["items"].as_array().unwrap())
        .find(|item| item["parent_item_id"].is_i64());
    assert_eq!(
        child.unwrap()["parent_item"]["item_id"],
        child.unwrap()["parent_item_id"]
    );
    fixture.mock.configure(|config| config.precise_floats = true);
    let precise = fixture.get("orders?searchCriteria=all").await;
    assert!(
        precise.text.contains("000000") || precise.text.contains("999999"),
        "no float was long"
    );
}
