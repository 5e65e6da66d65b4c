//! The content of a request.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Event {
    xdm: Xdm,
}

/// The checked properties of an event.
#[derive(Deserialize)]
pub struct Xdm {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(rename = "eventType")]
    pub event_type: String,
    commerce: Commerce,
}

#[derive(Deserialize)]
struct Commerce {
    order: Purchase,
}

#[derive(Deserialize)]
struct Purchase {
    #[serde(rename = "purchaseID")]
    number: String,
}

impl Xdm {
    pub fn order(&self) -> Option<i64> {
        self.commerce.order.number.parse().ok()
    }
}

/// Parses the events of a request, each with a hash of its bytes.
pub fn read(body: &[u8]) -> Result<Vec<(Xdm, u64)>, serde_json::Error> {
    let body: Body<'_> = serde_json::from_slice(body)?;
    let one = |raw: &&RawValue| {
        let event: Event = serde_json::from_str(raw.get())?;
        Ok((event.xdm, fnv(raw.get().as_bytes())))
    };
    body.events.iter().map(one).collect()
}

/// Computes an FNV hash, which is the same on every machine.
pub fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
