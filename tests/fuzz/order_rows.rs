//! Rows of Commerce's tables made from bytes: plausible where it matters (matching ids, existing kinds) and arbitrary
//! elsewhere. Values that name or locate a person contain a mark.

use orderfeed::commerce::read::rows::{RowRequest, RowValue};

use super::feed::Feed;

/// Part of every value that names or locates a person, in lower case.
pub const MARK: &str = "qxpiiq";

/// Columns that name or locate a person, or contain text written by one.
const PERSONAL: [&str; 15] = [
    "customer_email",
    "customer_note",
    "protect_code",
    "firstname",
    "lastname",
    "company",
    "street",
    "city",
    "region",
    "postcode",
    "telephone",
    "po_number",
    "track_number",
    "additional_information",
    "remote_ip",
];
const STATES: [&str; 8] = [
    "new",
    "processing",
    "complete",
    "closed",
    "canceled",
    "CANCELED",
    "holded",
    "payment_review",
];
const STATUSES: [&str; 6] = [
    "pending",
    "canceled",
    "closed",
    "processed_closed",
    "approved",
    "",
];
const KINDS: [&str; 6] = [
    "simple",
    "configurable",
    "bundle",
    "virtual",
    "downloadable",
    "giftcard",
];
const MOMENTS: [&str; 8] = [
    "2026-11-22 07:00:00",
    "2026-11-22 07:00:01.5",
    "0000-00-00 00:00:00",
    "9999-12-31 23:59:59",
    "0000-01-01 00:00:00",
    "2026-03-29 02:30:00",
    "2026-11-25 10:00:01",
    "1969-12-31 23:59:59",
];
const NUMBERS: [&str; 9] = [
    "0.0000",
    "1.0000",
    "2.0000",
    "-1.5000",
    "19.9900",
    "0.00005",
    "99999999999999999999.9999",
    "999999999999999999999999999999",
    "2147483648.0000",
];
/// Invalid values for columns of numbers or times.
const NONSENSE: [&str; 5] = ["1e400", "NaN", "", "2026-02-30 00:00:00", "1,5"];
const TEXTS: [&str; 12] = [
    "USD",
    "usd",
    "US",
    "billing",
    "shipping",
    "checkmo",
    "authorization",
    "capture",
    "\u{202e}\u{0}\u{1b}[31m\"\\",
    "\u{1F600}é\u{fffd}",
    "flatrate_flatrate",
    "1Z999",
];
/// Product options with a shopper's choices and texts. `?` is replaced by the mark.
const OPTIONS: [&str; 6] = [
    r#"{"shipment_type":"1"}"#,
    r#"{"shipment_type":0,"bundle_options":{"9":{"label":"Strap","value":[{"title":"6 foot"}]}}}"#,
    r#"{"attributes_info":[{"label":"Color","value":"Black"}],"info_buyRequest":{"options":{"1":"?"}}}"#,
    r#"{"options":[{"label":"?","value":"?","print_value":"?","option_type":"field"},{"label":"Wrap","value":7,"option_type":"radio"}]}"#,
    r#"{"options":{"0":{"label":"?","value":"?","option_type":"area"}},"giftcard_recipient_name":"?"}"#,
    r#"a:1:{s:7:"options";s:1:"?";}"#,
];

/// Generates the requested rows.
pub struct Rows<'a> {
    feed: Feed<'a>,
    /// True if columns may hold invalid values. Few orders can be read then.
    wild: bool,
}

impl<'a> Rows<'a> {
    pub fn new(mut feed: Feed<'a>) -> Self {
        let wild = feed.byte() % 4 == 3;
        Self { feed, wild }
    }

    /// Returns the ids of one to three orders.
    pub fn ids(&mut self) -> Vec<i64> {
        (0..=self.feed.below(3)).map(|_| self.id()).collect()
    }

    pub fn scopes(&mut self) -> Vec<Vec<RowValue>> {
        let row = |feed: &mut Feed<'_>| {
            let store = RowValue::Int(i64::from(feed.byte() % 3));
            vec![store, any_text(feed), any_text(feed), any_text(feed)]
        };
        (0..self.feed.below(3)).map(|_| row(&mut self.feed)).collect()
    }

    /// Returns the rows of a table.
    pub fn of(&mut self, asked: RowRequest<'_>) -> Vec<Vec<RowValue>> {
        if asked.owners.is_empty() && !self.feed.byte().is_multiple_of(16) {
            return Vec::new();
        }
        let usual = usize::from(asked.table == "sales_order");
        let count = usual + self.feed.below(5);
        (0..count).map(|_| self.row(asked)).collect()
    }

    fn row(&mut self, asked: RowRequest<'_>) -> Vec<RowValue> {
        let owner = match asked.owners {
            [] => self.id(),
            owners => self.feed.pick(owners),
        };
        if asked.table == "labels" {
            let attribute = self.feed.pick(&["reason", "condition", "resolution", "other"]);
            return vec![RowValue::Int(owner), text(attribute), any_text(&mut self.feed)];
        }
        let (key, owner) = match asked.table {
            // The request is for its own id, and it refers to a store.
            "sales_order" => (owner, i64::from(self.feed.byte() % 3)),
            _ => (self.id(), owner),
        };
        let head = [RowValue::Int(key), RowValue::Int(owner)];
        let cells = asked.columns.iter().map(|column| self.cell(column));
        let cells: Vec<_> = cells.collect();
        head.into_iter().chain(cells).collect()
    }

    fn id(&mut self) -> i64 {
        match self.feed.byte() {
            0xff => self.feed.number(),
            byte => i64::from(byte % 12),
        }
    }

    /// Returns a value of the column, occasionally of another type.
    fn cell(&mut self, column: &str) -> RowValue {
        if column == "quote_id" {
            // It takes no bytes: no event contains it, and the seeds keep their meaning.
            return RowValue::Null;
        }
        if PERSONAL.contains(&column) {
            return self.personal(column);
        }
        match (self.feed.byte(), self.wild) {
            (0..8, _) => RowValue::Null,
            (0xf0, true) => RowValue::Int(self.feed.number()),
            (0xf1, true) => RowValue::Real(f64::from_bits(self.feed.number() as u64)),
            (0xf2, true) => any_text(&mut self.feed),
            (0xf3, true) => text(self.feed.pick(&NONSENSE)),
            _ => self.usual(column),
        }
    }

    fn usual(&mut self, column: &str) -> RowValue {
        let feed = &mut self.feed;
        match column {
            "state" => text(feed.pick(&STATES)),
            "status" => text(feed.pick(&STATUSES)),
            "product_type" => text(feed.pick(&KINDS)),
            "product_options" => text(&feed.pick(&OPTIONS).replace('?', MARK)),
            "parent_item_id" if feed.byte().is_multiple_of(2) => RowValue::Null,
            column if column.ends_with("_id") && column != "transaction_id" => {
                RowValue::Int(i64::from(feed.byte() % 12))
            }
            column if column.ends_with("_at") || column == "date_requested" => text(feed.pick(&MOMENTS)),
            column if column.starts_with("is_") || column == "customer_is_guest" => {
                RowValue::Int(i64::from(feed.byte() % 2))
            }
            column if column.starts_with("base_") && column != "base_currency_code" => number(feed),
            column if column.starts_with("qty") || column == "weight" || column == "total_qty_ordered" => {
                number(feed)
            }
            _ => any_text(feed),
        }
    }

    fn personal(&mut self, column: &str) -> RowValue {
        match (self.feed.byte() % 8, column) {
            (0, _) => RowValue::Null,
            (1, _) => text(""),
            (2, "additional_information") => text(&format!(r#"{{"method_title":"Card","cc":"{MARK}"}}"#)),
            (3, _) => text(&format!("  {} ", MARK.to_uppercase())),
            (4, _) => text(&format!("{MARK}\u{1}@{MARK}.example")),
            _ => text(&format!("{MARK}@{MARK}.example")),
        }
    }
}

fn text(text: &str) -> RowValue {
    RowValue::Text(text.into())
}

fn number(feed: &mut Feed<'_>) -> RowValue {
    match feed.byte() % 16 {
        0 => RowValue::Real(f64::from(feed.byte()) / 3.0),
        1 => RowValue::Int(feed.number()),
        _ => text(feed.pick(&NUMBERS)),
    }
}

/// Returns a text of the list, or one made from the input, which never contains the mark.
fn any_text(feed: &mut Feed<'_>) -> RowValue {
    match feed.byte() {
        0xfe => {
            let bytes = feed.bytes();
            let marked = String::from_utf8_lossy(bytes).to_lowercase().contains(&MARK[..3]);
            RowValue::Text(if marked { Vec::new() } else { bytes.to_vec() })
        }
        0xfd => RowValue::Text(feed.pick(&TEXTS).repeat(100).into()),
        byte => text(TEXTS[usize::from(byte) % TEXTS.len()]),
    }
}
