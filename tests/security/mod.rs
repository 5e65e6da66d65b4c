//! Local users cannot turn the program against its operator: not the owner of the store against root, and not two daemons
//! against one store.

mod directories;
mod fixture;
mod names;
mod root;
