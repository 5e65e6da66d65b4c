//! `doctor` names the cause of each fault that an operator may meet, with a remedy, and the log and `status` do so where
//! they can know of it. Nothing is disturbed, and nobody who hangs makes it hang.

mod edge;
mod house;
mod limits;
mod rig;
mod source;
mod watch;
