//! Whether a command printed what the page shows.

/// What stands behind a number that is measured.
const MEASURED: [&str; 7] = ["s", "ms", "min", "h", "tokens/s", "rows/s", "examples/s"];

/// Whether two outputs are the same, but for what was measured, `…` and, with `numbers`, all numbers.
pub fn alike(shown: &str, said: &str, numbers: bool) -> bool {
    let normal = |text: &str| {
        let lines: Vec<_> = text.trim_end().lines().map(|line| normal(line, numbers)).collect();
        lines.join("\n")
    };
    let (shown, said) = (normal(shown), format!("{}\n", normal(said)));
    // A line of its own stands for any lines, none of them too.
    let shown = format!("{shown}\n").replace("\n…\n", "\n…");
    let shown = shown.strip_prefix("…\n").map_or(shown.clone(), |rest| format!("…{rest}"));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return said == shown };
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn normal(line: &str, numbers: bool) -> String {
    let words: Vec<_> = line.trim_end().split(' ').collect();
    let bare = |word: &str| word.trim_matches([',', '.', ';', ')', '(']).to_owned();
    let measured = |i: usize| {
        let number = bare(words[i]);
        let duration = number.ends_with(['s', 'm', 'h']) && number.starts_with(|c: char| c.is_ascii_digit());
        let unit = words.get(i + 1).is_some_and(|next| MEASURED.contains(&bare(next).as_str()));
        duration || (unit && number.parse::<f64>().is_ok())
    };
    let word = |i: usize| if measured(i) { "#".to_owned() } else { words[i].to_owned() };
    let line = (0..words.len()).map(word).collect::<Vec<_>>().join(" ");
    if !numbers {
        return line;
    }
    // Numbers of other lengths move columns, too.
    let mut out = String::new();
    for c in line.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if !(matches!(c, '0' | ' ') && out.ends_with(c)) {
            out.push(c);
        }
    }
    out.replace("0.0", "0").replace("0e-0", "0")
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn what_differs_is_seen() {
        assert!(
            alike("a\nb\n", "a\nb\n", false) && !alike("a\nb\n", "a\nc\n", false) && !alike("a\n", "a\nb\n", false)
        );
        assert!(alike("a\n…\nd\n", "a\nb\nc\nd\n", false) && alike("a\n…\nd\n", "a\nd\n", false));
        assert!(!alike("a\n…\nd\n", "a\nb\n", false) && alike("…\nd\n", "d\n", false) && alike("a\n…\n", "a\n", false));
        assert!(alike("loss … in 3 steps\n", "loss 7 -> 2 in 3 steps\n", false));
        assert!(alike("took 3.1 s, 81 tokens/s\n", "took 12 s, 7 tokens/s\n", false));
        assert!(
            !alike("3 steps\n", "4 steps\n", false) && alike("step   12  loss 0.25\n", "step 3  loss 11.5\n", true)
        );
    }
}
