//! Prints a shop of 200 orders as SQL for MariaDB or MySQL: `cargo run -p orderfeed-demo-shop --example shop_sql`.

use std::io::{self, BufWriter, Write};

use orderfeed_demo_shop::history::{self, Span};
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_demo_shop::sql::{Statement, Value};
use orderfeed_demo_shop::tables::schema::{self, Dialect, Edition};
use orderfeed_model::clock::UtcMillis;

const ORDERS: usize = 200;
const FIRST_DAY: UtcMillis = UtcMillis(1_776_384_000_000);
/// 200 days, in milliseconds.
const LENGTH: i64 = 200 * 86_400_000;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "SET NAMES utf8mb4;\nSET foreign_key_checks = 0;")?;
    for statement in schema::session_statements(Dialect::MySql) {
        writeln!(out, "{statement};")?;
    }
    for statement in schema::create_statements(Dialect::MySql, "", Edition::Full) {
        writeln!(out, "{statement};")?;
    }
    let mut shop = Shop::new(ShopOptions::default());
    let opening = shop.open_statements();
    let span = Span {
        orders: ORDERS,
        from: FIRST_DAY,
        to: FIRST_DAY.plus_millis(LENGTH),
    };
    for statement in opening
        .into_iter()
        .chain(history::batches(&mut shop, span).flatten())
    {
        writeln!(out, "{};", inlined(&statement))?;
    }
    out.flush()
}

/// Returns the statement with its parameters inlined. Its text contains no question marks but the placeholders.
fn inlined(statement: &Statement) -> String {
    let mut parts = statement.sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(&statement.params) {
        text += &match value {
            Value::Null => "NULL".to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Text(said) => format!("'{}'", said.replace('\\', "\\\\").replace('\'', "''")),
        };
        text += part;
    }
    text
}
