//! Sentences of the program with commands and settings in backticks.

/// A part of a text: prose, or a word in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub is_code: bool,
}

/// Splits a text at its backticks.
pub fn pieces(text: &str) -> Vec<Piece> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(index, part)| Piece {
            text: part.to_owned(),
            is_code: index % 2 == 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_backticks_are_code() {
        let pieces = pieces("run `orderfeed status`, then wait");
        let words: Vec<(&str, bool)> = pieces
            .iter()
            .map(|piece| (piece.text.as_str(), piece.is_code))
            .collect();
        assert_eq!(
            words,
            [
                ("run ", false),
                ("orderfeed status", true),
                (", then wait", false)
            ]
        );
    }
}
