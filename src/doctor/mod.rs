//! The checks of `orderfeed doctor`: everything an on-call person would check, at once.
//!
//! Each family of checks is a pure function from facts to findings, which holds the judgement and the messages; `collect`
//! gathers the facts. Nothing here changes anything or holds a lock: the store is opened for reading, statements that would
//! write are only explained, and a running daemon answers over its own socket.
//!
//! Independent checks run at the same time, each with a time limit, so that a database or a disk that hangs costs only its
//! own checks. A check whose precondition failed is `skipped`, with the reason.
//!
//! | module | purpose |
//! |---|---|
//! | [`finding`], [`check`], [`report`] | one finding; the list of checks; the report over all of them |
//! | [`configuration`], [`files`], [`daemon`], [`schedules`] | checks of the installation |
//! | [`store`], [`index`], [`delivery`] | checks of what the store holds |
//! | [`source`], [`edge`], [`clocks`] | checks of the systems around it |
//! | [`collect`] | collects the facts in parallel, within time limits |

pub mod check;
pub mod clocks;
pub mod collect;
pub mod configuration;
pub mod daemon;
pub mod delivery;
pub mod edge;
pub mod files;
pub mod finding;
pub mod index;
pub mod report;
pub mod schedules;
pub mod source;
pub mod store;
