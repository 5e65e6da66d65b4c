//! As much Rust as is needed to see what a file refers to: tokens without comments and texts, without test modules,
//! and the paths that begin with `crate`, `self`, `super` or the name of a child module.

/// One piece of code: a word, `::`, or any other single character. Texts become the word `""`.
pub type Token = String;

/// What one file says about others.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Names of the modules it declares in files of their own, without those for tests.
    pub children: Vec<String>,
    /// Names of the modules it declares for tests only.
    pub test_children: Vec<String>,
    /// Paths that it hands on to others with `pub use`, each with the name it gets there.
    pub handed_on: Vec<(String, Vec<String>)>,
    /// Paths that it uses itself, as written.
    pub used: Vec<Vec<String>>,
    /// Every word outside of `pub use`.
    pub words: std::collections::BTreeSet<String>,
}

/// Reads one file.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let tokens = without_tests(&tokens(text), &mut parsed.test_children);
    parsed.children = declared(&tokens);
    let (own, handed_on) = split_handed_on(&tokens);
    for statement in handed_on {
        for (name, path) in tree(&statement, &[]) {
            parsed.handed_on.push((name, path));
        }
    }
    parsed.used = paths(&own, &parsed.children);
    parsed.words = own.into_iter().collect();
    parsed
}

/// The text as tokens.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (token, next) = token_at(&chars, at);
        tokens.extend(token);
        at = next;
    }
    tokens
}

fn token_at(chars: &[char], at: usize) -> (Option<Token>, usize) {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    match chars[at] {
        c if c.is_whitespace() => (None, at + 1),
        '/' if next == '/' => (None, until(chars, at, |c| c == '\n')),
        '/' if next == '*' => (None, after_comment(chars, at)),
        '"' => (Some("\"\"".into()), after_text(chars, at)),
        '\'' => (None, after_quote(chars, at)),
        'r' | 'b' | 'c' if raw_hashes(chars, at).is_some() => (Some("\"\"".into()), after_raw(chars, at)),
        c if c.is_alphanumeric() || c == '_' => {
            let end = until(chars, at, |c| !(c.is_alphanumeric() || c == '_'));
            (Some(chars[at..end].iter().collect()), end)
        }
        ':' if next == ':' => (Some("::".into()), at + 2),
        c => (Some(c.to_string()), at + 1),
    }
}

fn until(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len())
        .find(|&i| stop(chars[i]))
        .unwrap_or(chars.len())
}

/// Block comments nest.
fn after_comment(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn after_text(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character literal as a whole; of a lifetime only the quote.
fn after_quote(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), _) => until(chars, from + 3, |c| c == '\'') + 1,
        (Some(_), Some('\'')) => from + 3,
        _ => from + 1,
    }
}

/// How many `#` a raw text that begins here has.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let begins_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let r = if chars[at] == 'r' { at } else { at + 1 };
    if begins_word || chars.get(r) != Some(&'r') {
        return None;
    }
    let quote = until(chars, r + 1, |c| c != '#');
    (chars.get(quote) == Some(&'"')).then_some(quote - r - 1)
}

fn after_raw(chars: &[char], at: usize) -> usize {
    let hashes = raw_hashes(chars, at).unwrap_or_default();
    let mut quote = until(chars, at, |c| c == '"') + 1;
    while quote < chars.len() {
        quote = until(chars, quote, |c| c == '"') + 1;
        let end = (quote + hashes).min(chars.len());
        if chars[quote.min(end)..end].iter().filter(|&&c| c == '#').count() == hashes {
            return end;
        }
    }
    chars.len()
}

/// Leaves out every item under `#[cfg(test)]`; `for_tests` gets the names of modules that are files of their own.
fn without_tests(tokens: &[Token], for_tests: &mut Vec<String>) -> Vec<Token> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !starts_with(&tokens[at..], &TEST) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = end_of_item(tokens, at + TEST.len());
        for_tests.extend(declared(&tokens[at..end]));
        at = end;
    }
    kept
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token == word)
}

/// After the `;` or the closing `}` with which the item that begins here ends.
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

/// The tokens without the `pub use` statements, and the insides of those.
fn split_handed_on(tokens: &[Token]) -> (Vec<Token>, Vec<Vec<Token>>) {
    let (mut own, mut handed_on) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        match pub_use_at(&tokens[at..]) {
            Some(length) => {
                let end = end_of_use(tokens, at);
                handed_on.push(tokens[at + length..end].to_vec());
                at = end;
            }
            None => {
                own.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (own, handed_on)
}

/// The length of `pub use` or `pub(…) use`.
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
fn paths(tokens: &[Token], children: &[String]) -> Vec<Vec<String>> {
    let begins = |at: usize| {
        let word = &tokens[at];
        let is_root = matches!(word.as_str(), "crate" | "super" | "self") || children.contains(word);
        let is_first = at == 0 || tokens[at - 1] != "::";
        is_root && is_first && tokens.get(at + 1).is_some_and(|t| t == "::")
    };
    let starts = (0..tokens.len()).filter(|&at| begins(at));
    starts
        .flat_map(|at| tree(&tokens[at..], &[]))
        .map(|(_, path)| path)
        .collect()
}

/// The paths of one use-tree (or of a path in an expression), each with the name that it gets.
fn tree(tokens: &[Token], before: &[String]) -> Vec<(String, Vec<String>)> {
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

/// What stands between braces, split at the commas of the outermost level.
fn branches(tokens: &[Token], path: &[String]) -> Vec<(String, Vec<String>)> {
    let (mut depth, mut from, mut found) = (0usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                if from < at {
                    found.extend(tree(&tokens[from..at], path));
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
