//! What an on-call person would check, checked at once: `orderfeed doctor`.
//!
//! Each family of checks is a pure function from facts to findings, with the judgement and the words in one place; the
//! files under `look` collect the facts. Nothing here changes anything or holds a lock: the store is opened for reading,
//! statements that would write are only explained, and a running daemon is asked over its own socket.
//!
//! Everything independent runs at the same time, and every question has a time limit, so that a database or a disk that
//! hangs costs its own checks and nothing else. A check whose precondition failed is `skipped` and says why.
//!
//! | file | question |
//! |---|---|
//! | [`finding`], [`check`], [`report`] | what a finding is; which checks there are; all of them together |
//! | [`configuration`], [`files`], [`daemon`], [`schedules`] | is the house itself in order |
//! | [`store`], [`index`], [`delivery`] | what does the store say |
//! | [`source`], [`edge`], [`clocks`] | what do the neighbours say |
//! | [`look`] | collecting the facts, in parallel, within the time limits |

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
