//! Delivery does the right thing for every answer the edge can give: each event ends where it should, each next request
//! comes when it may, and no byte changes. Real store, real HTTP, the emulator as the edge.

mod clock;
mod halts;
mod line;
mod log;
mod order;
mod responses;
mod rig;
mod stops;
mod storm;
mod tokens;
