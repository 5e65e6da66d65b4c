//! Whom a privacy command means: addresses or hashes, from the command line, a file or stdin. Addresses become hashes here
//! and go no further; nothing that is wrong with one repeats it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use crate::cli::exit::UsageError;
use crate::cli::output;
use crate::store::suppression::Person;
use orderfeed_events;

/// Longest line of an input, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;
/// RFC 5321 has 256 for a path; nobody has a longer address.
const LONGEST_ADDRESS: usize = 320;

/// Whom: addresses, a file of them, or a hash.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("who").required(true).multiple(true))]
pub struct WhoArgs {
    /// E-mail addresses; "-" reads them from stdin, one a line. Other users can see a command line: prefer "-" or --file
    #[arg(value_name = "EMAIL", group = "who")]
    pub emails: Vec<String>,
    /// A file with one address or hash a line; empty lines and lines that begin with # are skipped
    #[arg(long, value_name = "FILE", group = "who")]
    pub file: Option<PathBuf>,
    /// The SHA-256 of the trimmed, lower-case address, in hexadecimal
    #[arg(long, value_name = "HEX", group = "who")]
    pub sha256: Vec<String>,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Neither an address nor a hash.
    #[error("is neither an e-mail address nor a SHA-256 of 64 hexadecimal digits")]
    NobodysName,
    /// It has fewer columns.
    #[error("has no such column")]
    NoColumn,
    /// It cannot be meant.
    #[error("is longer than 64 KiB")]
    TooLong,
    /// It is in another encoding.
    #[error("is not UTF-8")]
    NotUtf8,
}

impl WhoArgs {
    /// The persons that are meant, each once.
    ///
    /// # Errors
    /// If an input cannot be read, or names something that is nobody: by its place, without repeating it.
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
            output::talk(
                "Other users of this machine can see a command line; give addresses by `-` or `--file` instead",
            );
        }
        if let Some(path) = &self.file {
            let (name, input) = open(path)?;
            read_all(input, &name, &mut persons)?;
        }
        for hash in &self.sha256 {
            let wrong = || UsageError("a --sha256 has 64 hexadecimal digits".to_owned());
            persons.push(orderfeed_events::from_hex(&hash.trim().to_lowercase()).ok_or_else(wrong)?);
        }
        persons.sort_unstable();
        persons.dedup();
        Ok(persons)
    }
}

/// Opens an input for reading line by line, `-` is stdin; with the name that it has in messages.
///
/// # Errors
/// If it cannot be opened.
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
    for line in Lines::of(input) {
        let line = line?;
        let found = line.text.and_then(|text| person(&text));
        persons.push(found.map_err(|bad| UsageError(format!("line {} of {name} {bad}", line.number)))?);
    }
    Ok(())
}

/// The person that a text names, by address or hash.
///
/// # Errors
/// If it names nobody.
pub fn person(text: &str) -> Result<Person, BadLine> {
    let by_hash = || orderfeed_events::from_hex(&text.trim().to_lowercase());
    address(text).or_else(by_hash).ok_or(BadLine::NobodysName)
}

/// Whatever has the form of an address; whether somebody reads there is not ours to know.
fn address(text: &str) -> Option<Person> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let fine = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    (fine(local) && fine(domain) && text.len() <= LONGEST_ADDRESS)
        .then(|| orderfeed_events::person(text))
        .flatten()
}

/// A line that says something.
#[derive(Debug)]
pub struct Line {
    /// From 1, all lines counted.
    pub number: u64,
    /// Without its end, or why it is none.
    pub text: Result<String, BadLine>,
}

/// The lines of an input that say something, in bounded memory.
pub struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// From the beginning.
    pub fn of(input: R) -> Self {
        Self { input, number: 0 }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.input)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            if bytes.last() != Some(&b'\n') && read as u64 == LONGEST_LINE {
                self.skip_rest()?;
                let text = Err(BadLine::TooLong);
                return Ok(Some(Line { number, text }));
            }
            let Ok(text) = String::from_utf8(bytes) else {
                let text = Err(BadLine::NotUtf8);
                return Ok(Some(Line { number, text }));
            };
            let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
            if !text.trim().is_empty() && !text.trim_start().starts_with('#') {
                let text = Ok(text.to_owned());
                return Ok(Some(Line { number, text }));
            }
        }
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.input)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut bytes)?;
            if read == 0 || bytes.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// The fields of a line of CSV; quotes may enclose a field, and two of them are one inside.
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
        assert_eq!(person(&orderfeed_events::hex(&jane).to_uppercase()), Ok(jane));
        for nobody in [
            "jane",
            "@example.com",
            "jane@",
            "jane doe@example.com",
            "",
            "ab12",
        ] {
            assert_eq!(person(nobody), Err(BadLine::NobodysName), "{nobody}");
        }
    }

    #[test]
    fn lines_are_counted_and_what_says_nothing_is_passed_over() {
        let long = "x".repeat(200_000);
        let text = format!("\u{feff}# who\r\na@b.c\r\n\n  \n{long}\nd@e.f");
        let lines: Vec<_> = Lines::of(text.as_bytes())
            .map(|line| line.map(|line| (line.number, line.text)).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                (2, Ok("a@b.c".to_owned())),
                (5, Err(BadLine::TooLong)),
                (6, Ok("d@e.f".to_owned()))
            ]
        );
        let line = Lines::of(&b"\xff\n"[..]).next().unwrap().unwrap();
        assert_eq!(line.text, Err(BadLine::NotUtf8));
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
