//! Text within markup.

/// A text with the characters replaced that mean something in HTML and SVG. Characters that neither can have are left out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(super::escaped("<a href=\"x\">&\u{0}\n永"), "&lt;a href=&quot;x&quot;&gt;&amp;\n永");
    }
}
