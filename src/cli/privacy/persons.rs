//! Reads the persons of a privacy command: addresses or hashes, from the command line, a file or stdin. Addresses are
//! hashed here and not passed on; no error message repeats one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use hex::FromHex;

use crate::cli::exit::UsageError;
use crate::cli::output;
use crate::store::suppression::Person;

/// Longest accepted line, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Longest accepted address, in bytes. RFC 5321 limits a path to 256.
const MAX_ADDRESS: usize = 320;

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("who").required(true).multiple(true))]
pub struct PersonArgs {
    /// E-mail addresses; "-" reads them from stdin, one per line. Other users can see a command line: prefer "-" or --file
    #[arg(value_name = "EMAIL", group = "who")]
    pub emails: Vec<String>,
    /// File with one address or hash per line; empty lines and lines that start with # are skipped
    #[arg(long, value_name = "FILE", group = "who")]
    pub file: Option<PathBuf>,
    /// SHA-256 of the trimmed, lower-case address, in hexadecimal
    #[arg(long, value_name = "HEX", group = "who")]
    pub sha256: Vec<String>,
}

/// The reason that a line does not name a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("is neither an e-mail address nor a SHA-256 of 64 hexadecimal digits")]
    NotAPerson,
    #[error("has no such column")]
    NoColumn,
    #[error("is longer than 64 KiB")]
    TooLong,
    #[error("is not UTF-8")]
    NotUtf8,
}

impl PersonArgs {
    /// Returns the persons, sorted and without duplicates.
    ///
    /// # Errors
    /// If an input cannot be read, or contains something other than a person. The error gives its position only.
    pub fn persons(&self) -> anyhow::Result<Vec<Person>> {
        let mut persons = Vec::new();
        for (number, email) in (1..).zip(&self.emails) {
            if email == "-" {
                read_all(io::stdin().lock(), "stdin", &mut persons)?;
                continue;
            }
            let found =
                address(email).ok_or(UsageError(format!("argument {number} is not an e-mail address")))?;
            persons.push(found);
        }
        if self.emails.iter().any(|email| email != "-") {
            output::notice(
                "Other users of this machine can see a command line; pass addresses with `-` or `--file` instead",
            );
        }
        if let Some(path) = &self.file {
            let (name, input) = open(path)?;
            read_all(input, &name, &mut persons)?;
        }
        for hash in &self.sha256 {
            let wrong = || UsageError("--sha256 expects 64 hexadecimal digits".to_owned());
            persons.push(Person::from_hex(hash.trim()).map_err(|_| wrong())?);
        }
        persons.sort_unstable();
        persons.dedup();
        Ok(persons)
    }
}

/// Opens an input, where `-` is stdin. Returns it with its name for messages.
pub fn open(path: &Path) -> anyhow::Result<(String, Box<dyn BufRead>)> {
    if path == Path::new("-") {
        return Ok(("stdin".to_owned(), Box::new(io::stdin().lock())));
    }
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|cause| anyhow::Error::new(cause).context(format!("{name} cannot be read")))?;
    Ok((name, Box::new(BufReader::new(file))))
}

fn read_all(input: impl BufRead, name: &str, persons: &mut Vec<Person>) -> anyhow::Result<()> {
    for line in InputLines::of(input) {
        let line = line?;
        let found = line.text.and_then(|text| person(&text));
        // The line is not repeated, because it may be an address with a typing error.
        persons.push(found.map_err(|bad| UsageError(format!("line {} of {name} {bad}", line.number)))?);
    }
    Ok(())
}

pub fn person(text: &str) -> Result<Person, LineError> {
    let hash = || Person::from_hex(text.trim()).ok();
    address(text).or_else(hash).ok_or(LineError::NotAPerson)
}

/// Parses an address. Checks only its form, which includes unusual but valid addresses.
fn address(text: &str) -> Option<Person> {
    let text = text.trim();
    // The last one, because a quoted local part may contain `@`.
    let (local, domain) = text.rsplit_once('@')?;
    let fine = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    (fine(local) && fine(domain) && text.len() <= MAX_ADDRESS)
        .then(|| orderfeed_events::person(text))
        .flatten()
}

/// A line that is neither empty nor a comment.
#[derive(Debug)]
pub struct InputLine {
    /// Number of the line, from 1, including skipped lines.
    pub number: u64,
    pub text: Result<String, LineError>,
}

/// An iterator over the lines of an input that are neither empty nor comments. Its memory is bounded.
pub struct InputLines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> InputLines<R> {
    pub fn of(input: R) -> Self {
        Self { input, number: 0 }
    }

    fn next_line(&mut self) -> io::Result<Option<InputLine>> {
        loop {
            let (bytes, is_complete) = self.read_piece()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let text = if is_complete {
                String::from_utf8(bytes).map_err(|_| LineError::NotUtf8)
            } else {
                // The rest is read in pieces and dropped, so that memory stays bounded.
                while !self.read_piece()?.1 {}
                Err(LineError::TooLong)
            };
            let text = text.map(|text| {
                // Spreadsheets write a byte order mark at the start of a file.
                let text = text.trim_start_matches('\u{feff}');
                text.trim_end_matches(['\n', '\r']).to_owned()
            });
            let is_skipped = |text: &String| text.trim().is_empty() || text.trim_start().starts_with('#');
            if !text.as_ref().is_ok_and(is_skipped) {
                let number = self.number;
                return Ok(Some(InputLine { number, text }));
            }
        }
    }

    /// Reads to the end of the line, but not more than the longest line. Returns false if the line continues.
    fn read_piece(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut bytes)?;
        let is_complete = bytes.last() == Some(&b'\n') || (read as u64) < MAX_LINE;
        Ok((bytes, is_complete))
    }
}

impl<R: BufRead> Iterator for InputLines<R> {
    type Item = io::Result<InputLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// Splits a line of CSV. Quotes may enclose a field; inside, two quotes stand for one.
///
/// The `csv` crate reads records of any length into memory, so it could not replace [`InputLines`].
pub fn fields(line: &str, delimiter: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[field].push('"');
            }
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => fields.push(String::new()),
            c => fields[field].push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_hash_are_the_same_person() {
        let jane = person("  Jane@Example.com ").unwrap();
        assert_eq!(person("jane@example.com"), Ok(jane));
        assert_eq!(person(&hex::encode_upper(jane)), Ok(jane));
        for nobody in [
            "jane",
            "@example.com",
            "jane@",
            "jane doe@example.com",
            "",
            "ab12",
        ] {
            assert_eq!(person(nobody), Err(LineError::NotAPerson), "{nobody}");
        }
    }

    #[test]
    fn skipped_lines_are_counted() {
        let long = "x".repeat(200_000);
        let text = format!("\u{feff}# who\r\na@b.c\r\n\n  \n{long}\nd@e.f");
        let lines: Vec<_> = InputLines::of(text.as_bytes())
            .map(|line| line.map(|line| (line.number, line.text)).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                (2, Ok("a@b.c".to_owned())),
                (5, Err(LineError::TooLong)),
                (6, Ok("d@e.f".to_owned()))
            ]
        );
        let line = InputLines::of(&b"\xff\n"[..]).next().unwrap().unwrap();
        assert_eq!(line.text, Err(LineError::NotUtf8));
    }

    #[test]
    fn quotes_enclose_a_field() {
        assert_eq!(
            fields(r#"1,"Doe, ""J""",a@b.c"#, ','),
            ["1", "Doe, \"J\"", "a@b.c"]
        );
        assert_eq!(fields("a;b", ';'), ["a", "b"]);
    }
}
