//! What an order is ([`order`]) and where orders come from ([`source`]).
//!
//! `order` and `amount` are plain data: no SQL, no HTTP, no tokio. A source reads orders whole, many at a time, and
//! says which orders changed.

pub mod amount;
pub mod order;
pub mod source;
