//! Delivery handles every answer of the edge correctly: each event reaches its final state, each next request
//! respects the pause, and no byte changes. With a real store and real HTTP; the emulator is the edge.

mod certificates;
mod clock;
mod fixture;
mod halts;
mod line;
mod log;
mod order;
mod pauses;
mod proxy;
mod responses;
mod stops;
mod storm;
mod tokens;
