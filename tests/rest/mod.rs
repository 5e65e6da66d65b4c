//! The main job over Commerce's REST API, against a mock that follows the API's own rules: the same events as from the
//! database, once each, through kills, faults and bad orders.

mod bad_orders;
mod cloud;
mod commands;
mod demo;
mod faults;
mod fixture;
mod hint;
mod kind;
mod live;
mod same_events;
mod tls;
