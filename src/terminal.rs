//! Text for a terminal: lines that fit into it, and headings. Elsewhere text is left as it is, a line for each thing.

use console::{Style, Term};
use textwrap::Options;

/// Lines are no longer than this, however wide the terminal is.
const WIDEST: usize = 120;
/// A terminal that is narrower shows broken lines whatever we do.
const NARROWEST: usize = 40;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Columns; none where it is no terminal.
    width: Option<usize>,
}

impl Terminal {
    /// Standard output.
    pub fn stdout() -> Self {
        let size = Term::stdout().size_checked().filter(|_| console::user_attended());
        Self { width: size.map(|(_, columns)| usize::from(columns).clamp(NARROWEST, WIDEST)) }
    }

    /// Whether it is a terminal.
    pub fn is_one(self) -> bool {
        self.width.is_some()
    }

    /// A text whose lines fit; what is broken goes on `hang` columns from the left.
    pub fn fit(self, text: &str, hang: usize) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let indent = " ".repeat(hang.min(width / 2));
        let lines = text.lines().flat_map(|line| textwrap::wrap(line, Options::new(width).subsequent_indent(&indent)));
        lines.map(|line| line.into_owned()).collect::<Vec<_>>().join("\n")
    }

    /// A heading: bold where that can be shown.
    pub fn heading(self, text: &str) -> String {
        if self.is_one() { Style::new().bold().apply_to(text).to_string() } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_hang() {
        let narrow = Terminal { width: Some(40) };
        let text = "steps        60 in all, 1 an epoch; 31 supervised tokens an epoch\nnext";
        let expected = "steps        60 in all, 1 an epoch; 31\n             supervised tokens an epoch\nnext";
        assert_eq!(narrow.fit(text, 13), expected);
        assert_eq!(
            narrow.fit("             with a beginning of its own, and with more", 13),
            "             with a beginning of its\n             own, and with more"
        );
        assert_eq!(
            narrow.fit("永永永永永永永永永永永永永永永永永永 永永永永", 2),
            "永永永永永永永永永永永永永永永永永永\n  永永永永"
        );
        assert_eq!(Terminal { width: None }.fit(text, 13), text);
    }
}
