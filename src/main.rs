//! Parses the command line and hands over; nothing else.

use std::process::ExitCode;

/// Batches of orders are many small, short-lived pieces on several threads: what this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    orderfeed::cli::main(std::env::args_os()).into()
}
