//! Generated Chinese verse as it is printed.

/// What ends a sentence, and so a line.
const ENDS: [char; 4] = ['。', '！', '？', '；'];
/// What belongs to the sentence before it.
const CLOSING: [char; 6] = ['”', '’', '』', '」', '》', '）'];

/// Lays a text out as verse: no spaces beside Chinese characters, which decoding puts between a WordPiece tokenizer's
/// words; full-width punctuation behind them, once; a line for each sentence. A last sentence that was cut off in the
/// midst of a line is left out.
pub(super) fn lay_out(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(tidy).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(1);
    let sentences = lines.iter().enumerate().flat_map(|(i, line)| {
        let mut sentences = split(line);
        if i == last && sentences.len() > 1 && !sentences.last().is_some_and(|s| closed(s)) {
            sentences.pop();
        }
        sentences
    });
    sentences.collect::<Vec<_>>().join("\n")
}

/// One line, its spaces and punctuation put right.
fn tidy(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let before = out.chars().next_back();
        if c.is_whitespace() {
            let next = chars.peek().copied();
            let beside = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || wide(c));
            let mark = next.is_some_and(|c| full_width(c).is_some()) && before.is_some_and(wide);
            if !(beside(before) || beside(next) || mark) {
                out.push(c);
            }
            continue;
        }
        let c = full_width(c).filter(|_| before.is_some_and(wide)).unwrap_or(c);
        let stop = |c: char| matches!(c, '，' | '、' | '：') || ENDS.contains(&c);
        match before.filter(|&before| stop(before) && stop(c)) {
            // Of several, the one that ends a sentence, and of those the first.
            Some(before) if ENDS.contains(&c) && !ENDS.contains(&before) => {
                out.pop();
                out.push(c);
            }
            Some(_) => {}
            None => out.push(c),
        }
    }
    out
}

fn split(line: &str) -> Vec<String> {
    let (mut sentences, mut chars) = (vec![String::new()], line.chars().peekable());
    while let Some(c) = chars.next() {
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(c);
        }
        let ends = ENDS.contains(&c) || CLOSING.contains(&c) && sentences.last().is_some_and(|s| closed(s));
        if ends && chars.peek().is_some_and(|next| !CLOSING.contains(next)) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// Whether a text ends with a sentence and what belongs to it.
fn closed(text: &str) -> bool {
    text.trim_end_matches(CLOSING).ends_with(ENDS)
}

fn wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}' | '“' | '”' | '‘' | '’' | '…' | '—')
}

fn full_width(c: char) -> Option<char> {
    let marks = [(',', '，'), ('.', '。'), ('!', '！'), ('?', '？'), (';', '；'), (':', '：')];
    marks.iter().find(|(ascii, _)| *ascii == c).map(|(_, full)| *full)
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn words_of_wordpiece_become_verse() {
        let text = "风 来 柳 自 春 ， 云 下 小 桥 新 。 月 白 ！ 花 开 ， 水";
        assert_eq!(lay_out(text), "风来柳自春，云下小桥新。\n月白！");
    }

    #[test]
    fn punctuation_is_chinese_and_not_doubled() {
        assert_eq!(lay_out("云下小桥新 , 风来 . 花开，，水流。。月白，。"), "云下小桥新，风来。\n花开，水流。\n月白。");
        assert_eq!(lay_out("他说：“来。”她笑。"), "他说：“来。”\n她笑。");
        assert_eq!(lay_out("春……去——来"), "春……去——来");
    }

    #[test]
    fn lines_that_are_there_stay() {
        assert_eq!(lay_out("\n没有标点的\n  现代诗 \n\n也是 诗"), "没有标点的\n现代诗\n也是诗");
        assert_eq!(lay_out("云下小桥新，\n风来柳自春。\n月"), "云下小桥新，\n风来柳自春。\n月");
    }

    #[test]
    fn other_writing_is_left_alone() {
        assert_eq!(lay_out("A bridge, new. And 3.5 more"), "A bridge, new. And 3.5 more");
        assert_eq!(lay_out("在 New York 的夜"), "在New York的夜");
        assert_eq!(lay_out(""), "");
    }
}
