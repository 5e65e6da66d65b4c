//! What an on-call person would check, checked at once: `orderfeed doctor`.
//!
//! Each family of checks is a pure function from facts to findings, with the judgement and the words in one place; the
//! files under `look` collect the facts. Nothing here changes anything or holds a lock: the store is opened for reading,
//! statements that would write are only explained, and a running daemon is asked over its own socket.
//!
//! Everything independent runs at the same time, and every question has a time limit, so that a database or a disk that
//! hangs costs its own checks and nothing else. A check whose precondition failed is `skipped` and says why.
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
