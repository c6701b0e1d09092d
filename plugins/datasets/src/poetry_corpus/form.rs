//! The form of a Chinese poem, as its lines tell.

/// What ends a verse.
const ENDS: [char; 14] = ['，', '。', '！', '？', '；', '、', '：', ',', '.', '!', '?', ';', ':', '\n'];

/// The form by the number and the length of the verses: 绝句 has four, 律诗 eight; 杂言 if their lengths differ, and 新诗 if
/// a verse is longer than nine characters or not in Chinese. None if there is no verse.
pub fn form(lines: &[String]) -> Option<&'static str> {
    let verses = lines.iter().flat_map(|line| line.split(ENDS));
    let lengths: Vec<_> = verses.filter_map(length).collect();
    let &first = lengths.first()?;
    if lengths.iter().any(|&n| n > 9) {
        return Some("新诗");
    }
    Some(match (lengths.iter().all(|&n| n == first), first, lengths.len()) {
        (true, 4, _) => "四言",
        (true, 5, 4) => "五言绝句",
        (true, 5, 8) => "五言律诗",
        (true, 5, _) => "五言",
        (true, 6, _) => "六言",
        (true, 7, 4) => "七言绝句",
        (true, 7, 8) => "七言律诗",
        (true, 7, _) => "七言",
        _ => "杂言",
    })
}

/// The characters of a verse, quotes and spaces aside; endless if it is not in Chinese.
fn length(verse: &str) -> Option<usize> {
    let chinese = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' | '〇' | '□');
    let counted = || verse.chars().filter(|c| c.is_alphanumeric() || chinese(*c));
    match counted().count() {
        0 => None,
        n => Some(if counted().all(chinese) { n } else { usize::MAX }),
    }
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn verses_are_counted() {
        let of = |lines: &[&str]| form(&lines.iter().map(|line| line.to_string()).collect::<Vec<_>>());
        let five = "云下小桥新，风来柳自春。";
        let seven = "云下小桥流水新，风来柳色自成春。";
        assert_eq!(of(&[five, five]), Some("五言绝句"));
        assert_eq!(of(&[five; 4]), Some("五言律诗"));
        assert_eq!(of(&[five; 3]), Some("五言"));
        assert_eq!(of(&["云下小桥新", "风来柳自春", "云下小桥新", "“风来柳自春。”"]), Some("五言绝句"));
        assert_eq!(of(&[&seven.repeat(2)]), Some("七言绝句"));
        assert_eq!(of(&[seven; 4]), Some("七言律诗"));
        assert_eq!(of(&[five, seven]), Some("杂言"));
        assert_eq!(of(&["我在清晨的窗前等一阵不会来的雨"]), Some("新诗"));
        assert_eq!(of(&["A bridge, new"]), Some("新诗"));
        assert_eq!(of(&["……", ""]), None);
    }
}
