//! Measures the comments of one Rust file.

use std::ops::RangeInclusive;

use super::lex::{Kind, Piece, pieces};
use super::parse::{Token, test_items};
use super::phrases::{Hit, find, words};

/// First words that make a question of a doc comment.
const QUESTION_WORDS: [&str; 9] = [
    "what", "who", "whoever", "whose", "whom", "which", "whether", "how", "when",
];
/// Doc comments with this many words or fewer repeat the name.
const FEW_WORDS: usize = 3;

/// Counts and findings of one file.
#[derive(Debug, Default)]
pub struct Prose {
    /// Number of doc comments of items.
    pub docs: usize,
    /// Those that open with a question word, by line.
    pub questions: Vec<(usize, String)>,
    /// Those of [`FEW_WORDS`] or fewer, by line.
    pub short: Vec<(usize, String)>,
    /// Lines of module documentation that open with a question word.
    pub header_questions: Vec<(usize, String)>,
    pub phrases: Vec<Hit>,
    /// Number of lines with code, without tests.
    pub code: usize,
    /// Number of lines with comments that are not documentation, without tests.
    pub inline: usize,
}

/// Measures a file. In a file of tests there is no code to count, and literals are not searched.
pub fn measure(source: &str, is_test: bool) -> Prose {
    let pieces = pieces(source);
    let tests = if is_test {
        vec![1..=usize::MAX]
    } else {
        test_lines(&pieces)
    };
    let in_test = |line: usize| tests.iter().any(|lines| lines.contains(&line));
    let mut prose = Prose::default();
    for block in blocks(&pieces) {
        prose.add_block(&block);
    }
    let outside = || pieces.iter().filter(|piece| !in_test(piece.line));
    for literal in outside().filter(|piece| piece.kind == Kind::Text) {
        let text = literal_text(literal.source);
        if text.trim().contains(' ') {
            prose.phrases.extend(find(&words(&text, literal.line), true));
        }
    }
    prose.phrases.sort_by_key(|hit| hit.line);
    prose.code = lines(outside().filter(|piece| is_code(piece)));
    prose.inline = lines(outside().filter(|piece| piece.kind == Kind::Comment));
    prose
}

impl Prose {
    fn add_block(&mut self, block: &Block) {
        let first = block.text.lines().next().unwrap_or_default().trim().to_owned();
        match block.kind {
            Kind::ItemDoc => {
                self.docs += 1;
                if block.text.split_whitespace().count() <= FEW_WORDS {
                    self.short.push((block.line, first.clone()));
                }
                if opens_with_a_question(&first) {
                    self.questions.push((block.line, first));
                }
            }
            Kind::ModuleDoc if opens_with_a_question(&first) => {
                self.header_questions.push((block.line, first))
            }
            _ => {}
        }
        self.phrases
            .extend(find(&words(&without_code(&block.text), block.line), false));
    }
}

/// Comments of one kind on consecutive lines.
struct Block {
    kind: Kind,
    line: usize,
    /// Without the comment marks, one line each.
    text: String,
}

fn blocks(pieces: &[Piece]) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for piece in pieces.iter().filter(|piece| !is_code(piece)) {
        let text = match piece.kind {
            Kind::ModuleDoc | Kind::ItemDoc => &piece.source[3..],
            _ => piece.source[2..].trim_end_matches("*/"),
        };
        match found.last_mut() {
            Some(last)
                if last.kind == piece.kind && last.line + last.text.split('\n').count() == piece.line =>
            {
                last.text.push('\n');
                last.text.push_str(text);
            }
            _ => found.push(Block {
                kind: piece.kind,
                line: piece.line,
                text: text.to_owned(),
            }),
        }
    }
    found
}

fn is_code(piece: &Piece) -> bool {
    matches!(piece.kind, Kind::Code | Kind::Text)
}

/// Number of lines that these pieces are on.
fn lines<'a>(pieces: impl Iterator<Item = &'a Piece<'a>>) -> usize {
    let of_piece = |piece: &Piece| piece.line..=piece.line + piece.source.matches('\n').count();
    let lines: std::collections::BTreeSet<usize> = pieces.flat_map(of_piece).collect();
    lines.len()
}

/// The lines of items under `#[cfg(test)]`.
fn test_lines(pieces: &[Piece]) -> Vec<RangeInclusive<usize>> {
    let code: Vec<&Piece> = pieces.iter().filter(|piece| is_code(piece)).collect();
    let tokens: Vec<Token> = code.iter().map(|piece| piece.source.to_owned()).collect();
    let items = test_items(&tokens).into_iter();
    items
        .map(|item| code[item.start].line..=code[item.end - 1].line)
        .collect()
}

fn opens_with_a_question(text: &str) -> bool {
    let text = text.trim_start_matches(['*', '_', '"', '(']);
    let first = text
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    QUESTION_WORDS.contains(&first.to_lowercase().as_str())
}

/// Finds the phrases to avoid in a page of Markdown.
pub fn phrases_of_page(markdown: &str) -> Vec<Hit> {
    let mut hits = find(&words(&without_code(markdown), 1), false);
    hits.sort_by_key(|hit| hit.line);
    hits
}

/// Replaces what is in backticks, and blocks of code, by marks.
fn without_code(text: &str) -> String {
    let (mut is_block, mut kept) = (false, Vec::new());
    for line in text.split('\n') {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        kept.push(if is_block || is_fence { "" } else { line });
    }
    let kept = kept.join("\n");
    let mut parts = kept.split('`').peekable();
    let (mut prose, mut is_code) = (String::new(), false);
    while let Some(part) = parts.next() {
        // Without a closing backtick the rest is no code.
        match is_code && parts.peek().is_some() {
            true => prose.extend(part.chars().map(|c| if c == '\n' { '\n' } else { '`' })),
            false => prose.push_str(part),
        }
        prose.push('`');
        is_code = !is_code;
    }
    prose
}

/// A literal without its placeholders and escapes. It keeps its lines.
fn literal_text(source: &str) -> String {
    let mut text = String::new();
    let mut chars = source.trim_matches(['r', 'b', '#', '"']).chars().peekable();
    let mut is_placeholder = false;
    while let Some(c) = chars.next() {
        match c {
            '{' => is_placeholder = true,
            '}' => is_placeholder = false,
            _ if is_placeholder => {}
            '\\' => match chars.next() {
                Some('\n') => text.push('\n'),
                _ => text.push('.'),
            },
            c => text.push(c),
        }
    }
    text
}

#[test]
fn a_sample_is_measured() {
    let source = r##"//! Whether it works.

/// Its number.
struct A; // Somebody reads it.

/// What is left. It goes
/// on with `what nobody says`.
fn f() { g("the orders of {said} are told", "told") } /* knows */

/// Returns the sum of both.
fn h() -> usize {
    // The sum
    // is small.
    1 + 1
}

#[cfg(test)]
mod tests {
    // Nobody.
    const A: &str = "it is told";
}
"##;
    let prose = measure(source, false);
    assert_eq!(prose.docs, 3);
    assert_eq!(prose.questions, [(6, "What is left. It goes".to_owned())]);
    assert_eq!(prose.short, [(3, "Its number.".to_owned())]);
    assert_eq!(prose.header_questions, [(1, "Whether it works.".to_owned())]);
    let phrases: Vec<_> = prose
        .phrases
        .iter()
        .map(|hit| (hit.line, hit.phrase.as_str()))
        .collect();
    assert_eq!(
        phrases,
        [
            (4, "somebody"),
            (6, "goes on"),
            (8, "knows"),
            (8, "told"),
            (19, "nobody")
        ]
    );
    assert_eq!((prose.code, prose.inline), (5, 4));
    assert_eq!(measure(source, true).code, 0);
}
