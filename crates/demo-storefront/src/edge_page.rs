//! A page with all that arrived at the edge: the visitors' events, and the daemon's events of the same orders.

use std::collections::BTreeSet;

use crate::options::StorefrontOptions;
use crate::pages;
use crate::pages::escape;
use orderfeed_emulator::EventRow;

/// Most rows on the page.
const MOST_ROWS: usize = 200;

/// Builds the page. `assets/edge.js` refreshes its rows.
pub(crate) fn page(options: &StorefrontOptions) -> String {
    let body = format!(
        "<h1>What arrived at the edge</h1>\n<p>The events of this shop's visitors, and the back-office events of the orders \
         that they placed. Both name the order: a purchase and its back-office event are two events of one order.</p>\n\
         <table><thead><tr><th>Arrived</th><th>Sent by</th><th>Event</th><th>Order</th><th>Datastream</th><th>Result</th></tr>\
         </thead><tbody id=\"rows\">{}</tbody></table>",
        rows(options)
    );
    let head = "<script src=\"/assets/edge.js\" defer></script>";
    pages::page(options, "What arrived at the edge", head, &body)
}

/// Returns the rows of the table, newest first.
pub(crate) fn rows(options: &StorefrontOptions) -> String {
    let of_pages = options.edge.events_where(|row| row.visitor.is_some());
    let orders: BTreeSet<String> = of_pages
        .iter()
        .filter_map(|row| row.purchase_id.clone())
        .collect();
    let is_wanted = |row: &EventRow| {
        let order = row.purchase_id.as_deref();
        row.visitor.is_some() || order.is_some_and(|order| orders.contains(order))
    };
    let mut shown = options.edge.events_where(is_wanted);
    shown.reverse();
    shown.truncate(MOST_ROWS);
    if shown.is_empty() {
        return "<tr><td colspan=\"6\">Nothing yet. Allow measurement on a page of the shop.</td></tr>"
            .to_owned();
    }
    shown.iter().map(|row| line(options, row)).collect()
}

fn line(options: &StorefrontOptions, row: &EventRow) -> String {
    let sender = if row.visitor.is_some() {
        "browser"
    } else {
        "orderfeed"
    };
    let order = match &row.purchase_id {
        Some(number) => format!(
            "<a href=\"{}/orders/{number}\">{number}</a>",
            escape(&options.daemon),
            number = escape(number)
        ),
        None => String::new(),
    };
    format!(
        "<tr><td>{}</td><td>{sender}</td><td>{}</td><td>{order}</td><td>{}</td><td>{:?}</td></tr>\n",
        escape(&row.received_at.rfc3339()),
        escape(row.event_type.as_deref().unwrap_or_default()),
        escape(&row.datastream),
        row.status,
    )
}
