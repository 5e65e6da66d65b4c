//! The language of comments, log messages and help texts: plain technical English, with a reason where one is needed.

use std::sync::LazyLock;

use super::graph::{is_within, test_modules};
use super::phrases::Hit;
use super::prose::{Prose, measure, phrases_of_page};
use super::tree::{CODE, module_of, modules, rust_files, text_files};

/// Largest share of doc comments that may open with a question word, in per cent.
const MOST_QUESTIONS: usize = 5;
/// Largest share of doc comments of three words or fewer, in per cent.
const MOST_SHORT: usize = 10;
/// Lowest number of lines of comments that are not documentation, per 1,000 lines of code.
const FEWEST_INLINE: usize = 10;
/// Longest list of findings in a failure.
const MOST_LISTED: usize = 60;

#[test]
fn doc_comments_state_what_the_item_is_or_does() {
    let files = measured();
    let docs: usize = files.iter().map(|(_, prose)| prose.docs).sum();
    let questions = listed(files, |prose| &prose.questions);
    assert!(docs > 1_000, "the doc comments were not found: {docs}");
    assert!(
        questions.len() * 100 <= docs * MOST_QUESTIONS,
        "{} of {docs} doc comments open with What, Who, Whose, Which, Whether, How or When; at most {MOST_QUESTIONS} % may. \
         Begin with a verb (\"Returns\", \"Marks … as delivered\"), a noun phrase (\"Number of\", \"Time of\"), or \
         \"True if\":\n{}",
        questions.len(),
        shortened(&questions)
    );
}

#[test]
fn module_headers_state_their_purpose() {
    let files = measured();
    let questions = listed(files, |prose| &prose.header_questions);
    assert!(
        questions.len() * 100 <= files.len() * MOST_QUESTIONS,
        "{} of {} files open with What, Who, Which, Whether, How or When; at most {MOST_QUESTIONS} % may. Begin with a verb \
         or a noun phrase:\n{}",
        questions.len(),
        files.len(),
        shortened(&questions)
    );
}

#[test]
fn doc_comments_add_something_to_the_name() {
    let files = measured();
    let docs: usize = files.iter().map(|(_, prose)| prose.docs).sum();
    let short = listed(files, |prose| &prose.short);
    assert!(
        short.len() * 100 <= docs * MOST_SHORT,
        "{} of {docs} doc comments have three words or fewer; at most {MOST_SHORT} % may. Delete those that repeat the name, \
         add units, errors or a reason to the others:\n{}",
        short.len(),
        shortened(&short)
    );
}

#[test]
fn comments_and_messages_use_plain_words() {
    let files = measured();
    let found = by_findings(files, |prose| prose.phrases.len()).into_iter();
    assert_none(found.map(|(name, prose)| (name, prose.phrases.as_slice())));
}

#[test]
fn pages_use_plain_words() {
    let files = text_files();
    // The changelog quotes messages as they were.
    let pages = files
        .iter()
        .filter(|(name, _)| name.ends_with(".md") && *name != "CHANGELOG.md");
    let found: Vec<(&str, Vec<Hit>)> = pages
        .map(|(name, text)| (name.as_str(), phrases_of_page(text)))
        .collect();
    assert_none(found.iter().map(|(name, hits)| (*name, hits.as_slice())));
}

fn assert_none<'a>(found: impl Iterator<Item = (&'a str, &'a [Hit])>) {
    let line =
        |name: &str, hit: &Hit| format!("{name}:{}: \"{}\", write: {}", hit.line, hit.phrase, hit.instead);
    let lines: Vec<String> = found
        .flat_map(|(name, hits)| hits.iter().map(move |hit| line(name, hit)))
        .collect();
    assert!(
        lines.is_empty(),
        "{} phrases to avoid, see tests/house/phrases.rs:\n{}",
        lines.len(),
        shortened(&lines)
    );
}

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "output of a test, captured unless it fails"
)]
fn reasons_are_given_where_they_matter() {
    let files = measured();
    let code: usize = files.iter().map(|(_, prose)| prose.code).sum();
    let inline: usize = files.iter().map(|(_, prose)| prose.inline).sum();
    let share = inline * 1_000 / code;
    println!("{inline} lines of comments in {code} lines of code: {share} per 1,000");
    assert!(
        share >= FEWEST_INLINE,
        "only {share} comments per 1,000 lines of code, at least {FEWEST_INLINE}: explain races, crash cases, constraints \
         and surprising order at the line where they matter"
    );
}

/// All files of the program, measured once for all tests.
fn measured() -> &'static [(String, Prose)] {
    static MEASURED: LazyLock<Vec<(String, Prose)>> = LazyLock::new(measure_all);
    &MEASURED
}

fn measure_all() -> Vec<(String, Prose)> {
    let for_tests = test_modules(&modules());
    let is_test = |name: &str| match module_of(name) {
        Some(module) => for_tests.iter().any(|test| is_within(&module, test)),
        None => !name.ends_with("src/main.rs"),
    };
    let files = rust_files(&CODE).into_iter();
    files
        .map(|(name, text)| {
            let prose = measure(&text, is_test(&name));
            (name, prose)
        })
        .collect()
}

/// The files with the most findings first.
fn by_findings(files: &[(String, Prose)], count: impl Fn(&Prose) -> usize) -> Vec<(&str, &Prose)> {
    let mut sorted: Vec<(&str, &Prose)> = files.iter().map(|(name, prose)| (name.as_str(), prose)).collect();
    sorted.sort_by_key(|(_, prose)| std::cmp::Reverse(count(prose)));
    sorted
}

/// One kind of findings as lines of text.
fn listed(files: &[(String, Prose)], kind: impl Fn(&Prose) -> &Vec<(usize, String)>) -> Vec<String> {
    by_findings(files, |prose| kind(prose).len())
        .into_iter()
        .flat_map(|(name, prose)| {
            let found = kind(prose).iter();
            found.map(move |(line, text)| format!("{name}:{line}: {text}"))
        })
        .collect()
}

fn shortened(lines: &[String]) -> String {
    let shown = lines.iter().take(MOST_LISTED).cloned();
    let more = lines.len().saturating_sub(MOST_LISTED);
    let end = (more > 0).then(|| format!("… and {more} more"));
    shown.chain(end).collect::<Vec<_>>().join("\n")
}
