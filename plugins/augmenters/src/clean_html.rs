//! `clean-html`: the text of HTML.

use crate::texts::{change, is_wide};
use framework_sdk::prelude::*;
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

options! {
    /// Replaces HTML with the text that a browser would show.
    ///
    /// Removes tags, comments, scripts and styles, resolves character references, and treats white space as HTML does:
    /// headings, paragraphs, list items and table rows become lines of their own, other text flows on, and `<pre>`
    /// keeps its lines. A line break between two Chinese characters leaves no space. Texts without markup are
    /// unchanged.
    pub struct CleanHtml {
        /// The fields to clean, which every record must have. Empty: all fields.
        #[serde(default = "fields")]
        fields: Vec<String>,
        /// HTML elements to remove with their text, by name (`"h1"`) or by class (`".meta"`).
        #[serde(default)]
        drop: Vec<String>,
    }
}

fn fields() -> Vec<String> {
    vec!["content".into()]
}

impl Augmenter for CleanHtml {
    fn validate(&self) -> Result<()> {
        let wrong = |name: &&String| {
            let name = name.strip_prefix('.').unwrap_or(name);
            name.is_empty() || name.contains(|c: char| c.is_whitespace() || "<>.#[]:".contains(c))
        };
        match self.drop.iter().find(wrong) {
            None => Ok(()),
            Some(name) => {
                let message =
                    format!("`drop` has {name:?}; expected an element such as \"h1\" or a class such as \".meta\"");
                Err(PluginError::new(message))
            }
        }
    }

    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let drop: Vec<_> = self.drop.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(change(records, "clean-html", self.fields.clone(), move |html| text(html, &drop)))
    }
}

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
];
/// Elements without an end.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];
/// Elements whose text is not shown.
const HIDDEN: &[&str] = &["head", "iframe", "noscript", "object", "script", "style", "svg", "template", "textarea"];

/// The text of `html`.
pub fn text(html: &str, drop: &[String]) -> String {
    if !html.contains(['<', '&']) {
        return html.to_owned();
    }
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true); // so that what is in scripts and styles is no markup
    let mut out = Lines::default();
    // The element that is left out, and how many of its name are open.
    let mut dropped: Option<(String, usize)> = None;
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let block = BLOCKS.contains(&name.as_str());
                match &mut dropped {
                    // A paragraph ends where another block begins.
                    Some((left_out, _)) if left_out == "p" && block => dropped = None,
                    Some((left_out, open)) => {
                        *open += usize::from(*left_out == name && !tag.self_closing);
                        continue;
                    }
                    None => {}
                }
                if !VOID.contains(&name.as_str()) && is_dropped(&tag, &name, drop) {
                    if block {
                        out.end();
                    }
                    dropped = Some((name, 1));
                    continue;
                }
                if block || name == "br" {
                    out.end();
                }
                out.preformatted += usize::from(name == "pre");
                if matches!(name.as_str(), "td" | "th") {
                    out.space = true;
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                if let Some((left_out, open)) = &mut dropped {
                    *open -= usize::from(*left_out == name);
                    if *open == 0 {
                        dropped = None;
                    }
                    continue;
                }
                if BLOCKS.contains(&name.as_str()) {
                    out.end();
                }
                if name == "pre" {
                    out.preformatted = out.preformatted.saturating_sub(1);
                }
            }
            Token::String(text) if dropped.is_none() => out.add(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    out.end();
    out.text
}

fn is_dropped(tag: &StartTag<()>, name: &str, drop: &[String]) -> bool {
    let classes = tag.attributes.get(&b"class"[..]).map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
    let has = |class: &str| classes.as_deref().is_some_and(|classes| classes.split_whitespace().any(|c| c == class));
    HIDDEN.contains(&name) || drop.iter().any(|d| d.strip_prefix('.').map_or(d == name, has))
}

/// Lines under way.
#[derive(Default)]
struct Lines {
    text: String,
    line: String,
    /// There was white space since the last character, with a line break or without.
    space: bool,
    broken: bool,
    preformatted: usize,
}

impl Lines {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' if self.preformatted > 0 => self.end(),
                _ if self.preformatted > 0 => self.line.push(c),
                '\u{a0}' | ' ' | '\t' | '\n' | '\r' | '\u{c}' => {
                    self.space = true;
                    self.broken |= c == '\n';
                }
                _ => {
                    let last = self.line.chars().next_back();
                    let wraps = self.broken && is_wide(c) && last.is_some_and(is_wide);
                    if self.space && !wraps && last.is_some() {
                        self.line.push(' ');
                    }
                    (self.space, self.broken) = (false, false);
                    self.line.push(c);
                }
            }
        }
    }

    /// Ends the line; empty ones are not kept.
    fn end(&mut self) {
        let line = std::mem::take(&mut self.line);
        (self.space, self.broken) = (false, false);
        if line.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line.trim_end());
    }
}

register!(augmenter "clean-html" => CleanHtml, example = r#"
fields = ["content"]
drop = ["h1", ".meta"]
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

    #[track_caller]
    fn shows(html: &str, expected: &str) {
        assert_eq!(text(html, &[]), expected);
    }

    #[test]
    fn text_is_what_a_browser_shows() {
        shows("<p>One <b>two</b>three</p><p>four</p>", "One twothree\nfour");
        shows("<h1>T</h1>\n<div>a\n  b<br/>c</div><br><br>d", "T\na b\nc\nd");
        shows("<ul><li>a<li>b</ul><table><tr><td>1</td><td>2</td></tr><tr><td>3</table>", "a\nb\n1 2\n3");
        shows("<pre>x\n  y</pre>z", "x\n  y\nz");
        shows("a<script>if (a < b) { \"<p>\" }</script><style>p { }</style><!-- c --> d", "a d");
        shows("<html><head><title>t</title></head><body>b</body></html>", "b");
    }

    #[test]
    fn references_and_white_space() {
        shows("1 &lt; 2 &amp;&nbsp;3&#x4e00;&#20108;&hellip;", "1 < 2 & 3一二…");
        shows("<p>春天\n来了 and\nthen</p>", "春天来了 and then");
        shows("<p> &nbsp; </p>", "");
    }

    #[test]
    fn what_is_no_markup_stays() {
        shows("plain\n\n  text", "plain\n\n  text");
        shows("a < b and c > d", "a < b and c > d");
        shows("<p>unclosed <b", "unclosed");
    }

    #[test]
    fn elements_can_be_left_out() {
        let html = "<h1>T</h1><div class='x Meta'>m<div>n</div></div>b<p class=meta>gone<p>c";
        assert_eq!(text(html, &["h1".into(), ".meta".into()]), "b\nc");
        let options = "drop = [\"h1 a\"]";
        let declaration = test::declaration(Kind::Augmenter, "clean-html");
        let error = declaration.build.augmenter("clean-html", &json!({"drop": ["h1 a"]})).err().expect(options);
        assert!(error.message.starts_with("`drop` has \"h1 a\"; "), "{}", error.message);
    }

    #[test]
    fn fields_are_changed_however_deep() {
        let record = json!({"content": "<p>a</p>", "title": "<b>", "list": [{"x": "&amp;"}]});
        let clean =
            |options: &str| Value::Object(test::augmenter("clean-html", options, [record.clone()], 1).remove(0));
        assert_eq!(clean(""), json!({"content": "a", "title": "<b>", "list": [{"x": "&amp;"}]}));
        assert_eq!(clean("fields = []"), json!({"content": "a", "title": "", "list": [{"x": "&"}]}));
    }

    #[test]
    #[should_panic(expected = "record 1: there is no field `content`; the record has `text`")]
    fn a_missing_field_is_an_error() {
        test::augmenter("clean-html", "", [json!({"text": ""})], 1);
    }

    #[test]
    fn hostile_markup_ends() {
        for part in ["<", "<a ", "</", "<!--", "<div>", "&", "<script>", "<p class=\"", "<![CDATA["] {
            text(&part.repeat(100_000), &["p".into()]);
        }
    }
}
