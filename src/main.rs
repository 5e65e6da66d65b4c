//! The program: passes the command line to [`orderfeed::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    orderfeed::cli::main(std::env::args_os()).into()
}
