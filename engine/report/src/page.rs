//! A page in one file, without scripts and without anything from elsewhere: it opens from a disk, on a phone, in light and
//! dark, and can be printed.

use crate::{
    difference::Piece,
    plot::{self, Plot},
    text::escaped,
};
use std::fmt::Write;

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// A page with a title, and a line below it.
    pub fn new(title: &str, below: &str) -> Self {
        let body = format!("<header><h1>{}</h1><p>{}</p></header>", escaped(title), escaped(below));
        Self { title: title.to_owned(), body }
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        let _ = write!(self.body, "<h2>{}</h2>", escaped(text));
    }

    /// A sentence or two.
    pub fn paragraph(&mut self, text: &str) {
        let _ = write!(self.body, "<p>{}</p>", escaped(text));
    }

    /// The numbers that matter most, each with its name.
    pub fn figures(&mut self, figures: &[(String, String)]) {
        let one = |(name, value): &(String, String)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value))
        };
        let _ = write!(self.body, "<dl class=\"figures\">{}</dl>", figures.iter().map(one).collect::<String>());
    }

    /// Plots, side by side where there is room; those that show nothing are left out.
    pub fn plots<'a>(&mut self, plots: impl IntoIterator<Item = &'a Plot>) {
        let figure = |plot: &Plot| format!("<figure>{}</figure>", plot.to_element());
        let plots: String = plots.into_iter().filter(|plot| !plot.is_empty()).map(figure).collect();
        let _ = write!(self.body, "<div class=\"plots\">{plots}</div>");
    }

    /// A table; the first column has the names of the rows. Cells are text.
    pub fn table(&mut self, head: &[String], rows: &[Vec<String>]) {
        let cells = |tag: &str, row: &[String]| {
            let cell = |(i, text): (usize, &String)| {
                let tag = if i == 0 { "th" } else { tag };
                format!("<{tag}>{}</{tag}>", escaped(text))
            };
            format!("<tr>{}</tr>", row.iter().enumerate().map(cell).collect::<String>())
        };
        let head = if head.is_empty() { String::new() } else { format!("<thead>{}</thead>", cells("th", head)) };
        let rows: String = rows.iter().map(|row| cells("td", row)).collect();
        let _ = write!(self.body, "<div class=\"wide\"><table>{head}<tbody>{rows}</tbody></table></div>");
    }

    /// A prompt and what was answered, each answer with where it comes from.
    pub fn answers(&mut self, prompt: &str, answers: &[(String, String)]) {
        let whole: Vec<_> = answers.iter().map(|(from, text)| (from.clone(), Piece::whole(text))).collect();
        self.marked_answers(prompt, &whole);
    }

    /// The same, with what is different marked.
    pub fn marked_answers(&mut self, prompt: &str, answers: &[(String, Vec<Piece>)]) {
        let piece = |piece: &Piece| match piece.different {
            true => {
                let text = piece.text.trim_end();
                format!("<mark>{}</mark>{}", escaped(text), &piece.text[text.len()..])
            }
            false => escaped(&piece.text),
        };
        let answer = |(from, pieces): &(String, Vec<Piece>)| {
            let text: String = pieces.iter().map(piece).collect();
            format!("<div><h4>{}</h4><div class=\"text\">{text}</div></div>", escaped(from))
        };
        let answers: String = answers.iter().map(answer).collect();
        let _ = write!(
            self.body,
            "<section class=\"answers\"><h3>{}</h3><div class=\"sides\">{answers}</div></section>",
            escaped(prompt)
        );
    }

    /// A long text that is opened by a click; it is printed in any case.
    pub fn text(&mut self, name: &str, text: &str) {
        let _ =
            write!(self.body, "<details><summary>{}</summary><pre>{}</pre></details>", escaped(name), escaped(text));
    }

    /// The page.
    pub fn finish(self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" href=\"data:,\"><title>{}</title><style>{}{}</style></head><body><main>{}</main></body></html>\n",
            escaped(&self.title),
            include_str!("page.css").replace('\n', ""),
            plot::style(),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let mut page = Page::new("run <1>", "below");
        page.answers("<script>alert(1)</script>", &[("step 1".into(), "a\nb".into())]);
        page.table(&["a".into(), "b".into()], &[vec!["x".into(), "<i>".into()]]);
        page.text("recipe", "name = \"x\"");
        let html = page.finish();
        assert!(html.starts_with("<!doctype html>") && html.contains("<title>run &lt;1&gt;</title>"));
        for bad in ["<script", "http://", "https://", "src=", "url(", "@import", "<i>"] {
            assert!(!html.contains(bad), "{bad}: {html}");
        }
    }
}
