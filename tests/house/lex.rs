//! Splits Rust source into comments, string literals and code, each with its line.

/// The kinds of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line of a module's documentation, with its `//!`.
    ModuleDoc,
    /// One line of an item's documentation, with its `///`.
    ItemDoc,
    Comment,
    /// A string literal, with its quotes.
    Text,
    /// A word, `::`, or any other single character.
    Code,
}

/// A piece of source, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    pub kind: Kind,
    /// Line on which it starts, from 1.
    pub line: usize,
    pub source: &'a str,
}

/// Returns the pieces in order. White space, character literals and the quotes of lifetimes are left out.
pub fn pieces(source: &str) -> Vec<Piece<'_>> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < source.len() {
        let (kind, length) = piece_at(source, at);
        let piece = &source[at..(at + length).min(source.len())];
        found.extend(kind.map(|kind| Piece {
            kind,
            line,
            source: piece,
        }));
        line += piece.matches('\n').count();
        at += length;
    }
    found
}

/// Kind and length of the piece at this position.
fn piece_at(source: &str, at: usize) -> (Option<Kind>, usize) {
    let rest = &source[at..];
    let first = rest.chars().next().unwrap_or(' ');
    match first {
        c if c.is_whitespace() => (None, c.len_utf8()),
        '/' if rest.starts_with("//") => (Some(comment_kind(rest)), rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (Some(Kind::Comment), block_comment(rest)),
        '"' => (Some(Kind::Text), text(rest)),
        '\'' => (None, quote(rest)),
        'r' | 'b' | 'c' if raw_text(rest).is_some() => (Some(Kind::Text), raw_text(rest).unwrap_or_default()),
        c if is_word(c) => (Some(Kind::Code), rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        ':' if rest.starts_with("::") => (Some(Kind::Code), 2),
        c => (Some(Kind::Code), c.len_utf8()),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn comment_kind(rest: &str) -> Kind {
    match rest {
        _ if rest.starts_with("//!") => Kind::ModuleDoc,
        _ if rest.starts_with("///") && !rest.starts_with("////") => Kind::ItemDoc,
        _ => Kind::Comment,
    }
}

/// Length of a block comment. They nest.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn text(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a character literal as a whole; for a lifetime, of the quote only.
fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_), Some((from, _))) => {
            rest[from..].find('\'').map_or(rest.len(), |at| from + at + 1)
        }
        (Some(_), Some((end, '\'')), _) => end + 1,
        _ => 1,
    }
}

/// Length of a raw string literal such as `r#"…"#`, if one starts here.
fn raw_text(rest: &str) -> Option<usize> {
    let from_r = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let after_r = from_r.strip_prefix('r')?;
    let inner = after_r.trim_start_matches('#');
    let hashes = after_r.len() - inner.len();
    let body = inner.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = rest.len() - body.len();
    Some(body.find(&end).map_or(rest.len(), |at| opening + at + end.len()))
}

#[test]
fn source_is_split_into_comments_literals_and_code() {
    let source = "//! Head.\n/// Doc.\nfn f<'a>(c: char) { g('\\'', \"a \\\" b\", r#\"c \" d\"#, b'x') } // End.\n/* x /* y */ z */ h::i";
    let found: Vec<(Kind, usize, &str)> = pieces(source)
        .into_iter()
        .filter(|piece| piece.kind != Kind::Code || piece.source == "::")
        .map(|piece| (piece.kind, piece.line, piece.source))
        .collect();
    assert_eq!(
        found,
        [
            (Kind::ModuleDoc, 1, "//! Head."),
            (Kind::ItemDoc, 2, "/// Doc."),
            (Kind::Text, 3, "\"a \\\" b\""),
            (Kind::Text, 3, "r#\"c \" d\"#"),
            (Kind::Comment, 3, "// End."),
            (Kind::Comment, 4, "/* x /* y */ z */"),
            (Kind::Code, 4, "::"),
        ]
    );
}
