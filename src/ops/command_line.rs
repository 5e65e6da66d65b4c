//! Command lines of this program that an operator can paste into a shell. Pure.

/// A command line under construction. What a shell would interpret is quoted.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine(String);

impl CommandLine {
    /// Begins with `orderfeed` and the words of a command.
    pub(crate) fn new(command: &str) -> Self {
        Self(format!("orderfeed {command}"))
    }

    pub(crate) fn arg(mut self, value: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&quoted(value));
        self
    }

    pub(crate) fn option(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => Self(format!("{} {name}", self.0)).arg(value),
            None => self,
        }
    }

    pub(crate) fn text(self) -> String {
        self.0
    }
}

/// Returns a text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        // A quote inside ends the quoted part, is escaped, and begins the next one.
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_value_as_one_word() {
        let line = CommandLine::new("failed discard")
            .option("--website", Some("base"))
            .option("--code", None)
            .option("--reason", Some("it's a test; rm -rf"))
            .arg("1042:invoiced:77")
            .arg("")
            .text();
        assert_eq!(
            line,
            r"orderfeed failed discard --website base --reason 'it'\''s a test; rm -rf' 1042:invoiced:77 ''"
        );
    }
}
