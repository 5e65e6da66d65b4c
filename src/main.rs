//! Parses the command line and hands over; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    orderfeed::cli::main(std::env::args_os()).into()
}
