//! `doctor` reports the cause and the remedy of each fault an operator may meet; the log and `status` do so where
//! they can detect it. It changes nothing, and a peer that hangs does not make it hang.

mod bench;
mod edge;
mod fixture;
mod house;
mod limits;
mod source;
mod watch;
