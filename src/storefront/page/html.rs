//! The scripts and meta elements of a page: a reader of tags, which need not understand the rest of HTML.

/// An element with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// The byte at which it starts.
    pub(super) position: usize,
    /// True if no element of the body came before it.
    pub(super) in_head: bool,
    attributes: Vec<(String, String)>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns true if the attribute has this value, in any case.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.attribute(name)
            .is_some_and(|own| own.eq_ignore_ascii_case(value))
    }
}

/// Returns the elements `script` and `meta`, without those in comments.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let (mut found, mut at, mut in_head) = (Vec::new(), 0, true);
    while let Some(start) = html[at..].find('<').map(|offset| at + offset) {
        let rest = &html[start..];
        if rest.starts_with("<!--") {
            at = rest.find("-->").map_or(html.len(), |end| start + end + 3);
            continue;
        }
        let name = name_of(&rest[1..]);
        let (attributes, length) = attributes(&rest[1 + name.len()..]);
        at = start + 1 + name.len() + length;
        let ends_head = rest
            .as_bytes()
            .get(..6)
            .is_some_and(|tag| tag.eq_ignore_ascii_case(b"</head"));
        in_head &= !(name == "body" || ends_head);
        match name.as_str() {
            "script" => {
                // Its text is no HTML: what seems to be an element there is none.
                let end = find_ignoring_case(&html[at..], "</script");
                at = end.map_or(html.len(), |end| at + end);
            }
            "meta" => {}
            _ => continue,
        }
        found.push(Element {
            name,
            position: start,
            in_head,
            attributes,
        });
    }
    found
}

fn name_of(text: &str) -> String {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    text[..end].to_ascii_lowercase()
}

/// Returns the position of an ASCII text in another, in any case.
fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes()
        .windows(wanted.len())
        .position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Returns the attributes up to the end of the tag, and the length of that text.
fn attributes(text: &str) -> (Vec<(String, String)>, usize) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        match rest.chars().next() {
            None => return (found, text.len()),
            Some('>') => return (found, text.len() - rest.len() + 1),
            Some(_) => {}
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || "=>/".contains(c))
            .unwrap_or(rest.len());
        // A lone "=" would otherwise never be passed.
        let end = end.max(rest.chars().next().map_or(0, char::len_utf8));
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let value = match rest.strip_prefix('=') {
            Some(after) => {
                let (value, left) = value_of(after.trim_start());
                rest = left;
                value
            }
            None => String::new(),
        };
        found.push((name, value));
    }
}

/// Returns a value with or without quotes, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let quoted = |mark: char| {
        let inner = text.strip_prefix(mark)?;
        let end = inner.find(mark).unwrap_or(inner.len());
        Some((&inner[..end], inner.get(end + 1..).unwrap_or_default()))
    };
    let bare = || {
        let end = text
            .find(|c: char| c.is_whitespace() || c == '>')
            .unwrap_or(text.len());
        text.split_at(end)
    };
    let (value, rest) = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(bare);
    (
        value
            .replace("&amp;", "&")
            .replace("&#39;", "'")
            .replace("&quot;", "\""),
        rest,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_with_their_attributes() {
        let html = "<html><HEAD><!-- <script src=no> --><script async\n src = '/a>b.js'>'<meta>'</SCRIPT><title>x</title></head>\
                    <body><script src=/c.js data-x></script><meta name=\"y\" content=\"a&amp;b\"/>";
        let found = elements(html);
        let names: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.in_head)).collect();
        assert_eq!(names, [("script", true), ("script", false), ("meta", false)]);
        assert_eq!(found[0].attribute("src"), Some("/a>b.js"));
        assert_eq!(found[0].attribute("async"), Some(""));
        assert_eq!(found[1].attribute("src"), Some("/c.js"));
        assert_eq!(found[2].attribute("content"), Some("a&b"));
        assert!(found[2].is("NAME".to_lowercase().as_str(), "Y"));
    }

    #[test]
    fn broken_pages_end() {
        for html in [
            "<",
            "<script",
            "<script src=",
            "<script src='",
            "<!--",
            "<meta = >",
            "<é x=1",
            "<script></scrip",
            "<a =\u{1F600}>",
        ] {
            elements(html);
        }
    }
}
