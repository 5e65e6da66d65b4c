//! A shopper who objects is left alone, and one who asks to be forgotten is: with the real binary, in both profiles,
//! beside a running daemon, without one, and across a kill.

mod erase;
mod rig;
mod suppress;
