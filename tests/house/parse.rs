//! As much Rust as is needed to see which modules a file refers to: the paths that begin with `crate`, `self`,
//! `super`, the name of a child module, or the name of a crate of the workspace. Test code is left out.

use std::collections::BTreeSet;
use std::ops::Range;

use super::lex::{Kind, pieces};

/// A word, `::`, or any other single character. String literals become `""`.
pub type Token = String;

/// References of one file to others.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Names of the modules it declares in files of their own, without those for tests.
    pub children: Vec<String>,
    /// Names of the modules it declares for tests only.
    pub test_children: Vec<String>,
    /// Paths that it re-exports with `pub use`, each with its exported name.
    pub reexports: Vec<(String, Vec<String>)>,
    /// Paths that it uses itself, as written.
    pub used: Vec<Vec<String>>,
    /// Every word outside of `pub use`.
    pub words: BTreeSet<String>,
}

/// Parses one file. `crates` are the names of the workspace's crates.
pub fn parse(text: &str, crates: &BTreeSet<&str>) -> Parsed {
    let all = tokens(text);
    let tests = test_items(&all);
    let test_children = tests.iter().flat_map(|item| declared(&all[item.clone()]));
    let mut parsed = Parsed {
        test_children: test_children.collect(),
        ..Parsed::default()
    };
    let is_test = |at: usize| tests.iter().any(|item| item.contains(&at));
    let tokens: Vec<Token> = (0..all.len())
        .filter(|&at| !is_test(at))
        .map(|at| all[at].clone())
        .collect();
    parsed.children = declared(&tokens);
    let (own, reexports) = split_reexports(&tokens);
    for statement in reexports {
        parsed.reexports.extend(use_tree(&statement, &[]));
    }
    let is_root = |word: &str| {
        matches!(word, "crate" | "super" | "self")
            || crates.contains(word)
            || parsed.children.iter().any(|child| child == word)
    };
    parsed.used = paths(&own, is_root);
    parsed.words = own.into_iter().collect();
    parsed
}

/// Returns the code of the text as tokens, without comments.
pub fn tokens(text: &str) -> Vec<Token> {
    let code = pieces(text).into_iter().filter_map(|piece| match piece.kind {
        Kind::Code => Some(piece.source.to_owned()),
        Kind::Text => Some("\"\"".to_owned()),
        Kind::ModuleDoc | Kind::ItemDoc | Kind::Comment => None,
    });
    code.collect()
}

/// Returns where the items under `#[cfg(test)]` are.
pub fn test_items(tokens: &[Token]) -> Vec<Range<usize>> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut items, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !starts_with(&tokens[at..], &TEST) {
            at += 1;
            continue;
        }
        let end = end_of_item(tokens, at + TEST.len());
        items.push(at..end);
        at = end;
    }
    items
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token == word)
}

/// Position after the `;` or the closing `}` that ends the item that begins here.
fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Names of the modules declared as `mod name;`.
fn declared(tokens: &[Token]) -> Vec<String> {
    let is_declaration = |window: &&[Token]| window[0] == "mod" && window[2] == ";";
    tokens
        .windows(3)
        .filter(is_declaration)
        .map(|window| window[1].clone())
        .collect()
}

/// Separates the `pub use` statements (their insides) from all other tokens.
fn split_reexports(tokens: &[Token]) -> (Vec<Token>, Vec<Vec<Token>>) {
    let (mut own, mut reexports) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match pub_use_at(&tokens[at..]) {
            Some(length) => {
                let end = end_of_use(tokens, at);
                reexports.push(tokens[at + length..end].to_vec());
                at = end;
            }
            None => {
                own.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (own, reexports)
}

/// Length of `pub use` or `pub(…) use`.
fn pub_use_at(tokens: &[Token]) -> Option<usize> {
    let after_scope = match tokens.first().map(String::as_str) {
        Some("pub") if tokens.get(1).is_some_and(|t| t == "(") => {
            2 + tokens.iter().skip(2).position(|t| t == ")")?
        }
        Some("pub") => 0,
        _ => return None,
    };
    (tokens.get(after_scope + 1)? == "use").then_some(after_scope + 2)
}

fn end_of_use(tokens: &[Token], from: usize) -> usize {
    from + tokens[from..]
        .iter()
        .position(|t| t == ";")
        .unwrap_or(tokens.len() - from)
}

/// All paths in code that may lead to another file.
fn paths(tokens: &[Token], is_root: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let begins = |at: usize| {
        let is_first = at == 0 || tokens[at - 1] != "::";
        is_root(&tokens[at]) && is_first && tokens.get(at + 1).is_some_and(|t| t == "::")
    };
    let starts = (0..tokens.len()).filter(|&at| begins(at));
    starts
        .flat_map(|at| use_tree(&tokens[at..], &[]))
        .map(|(_, path)| path)
        .collect()
}

/// The paths of one use tree (or of a path in an expression), each with the name it binds.
fn use_tree(tokens: &[Token], before: &[String]) -> Vec<(String, Vec<String>)> {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => return branches(&tokens[at + 1..], &path),
            Some(word) if is_word(word) && (path.is_empty() || word != "self") => path.push(word.to_owned()),
            _ => {}
        }
        if tokens.get(at + 1).is_none_or(|t| t != "::") {
            break;
        }
        at += 2;
    }
    let renamed = tokens
        .get(at + 1)
        .is_some_and(|t| t == "as")
        .then(|| tokens.get(at + 2))
        .flatten();
    let name = renamed.or(path.last()).cloned().unwrap_or_default();
    vec![(name, path)]
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The use trees between braces, split at the commas of the outermost level.
fn branches(tokens: &[Token], path: &[String]) -> Vec<(String, Vec<String>)> {
    let (mut depth, mut from, mut found) = (0usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                if from < at {
                    found.extend(use_tree(&tokens[from..at], path));
                }
                from = at + 1;
                if token == "}" {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}
