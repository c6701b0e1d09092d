//! What is different in a text, by words.

/// Texts with more words than this are different as a whole: the table for them would be large.
const MOST: usize = 3000;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The part.
    pub text: String,
    /// Whether the other text does not have it there.
    pub different: bool,
}

impl Piece {
    /// A whole text in which nothing is different.
    pub fn whole(text: &str) -> Vec<Piece> {
        vec![Piece { text: text.to_owned(), different: false }]
    }
}

/// A text in pieces: what is not in the longest common subsequence of its words and those of `other` is different.
pub fn against(other: &str, text: &str) -> Vec<Piece> {
    let (theirs, ours) = (words(other), words(text));
    if theirs.len() > MOST || ours.len() > MOST {
        return vec![Piece { text: text.to_owned(), different: other != text }];
    }
    let table = common(&ours, &theirs);
    let width = theirs.len() + 1;
    let (mut i, mut j, mut pieces) = (0, 0, Vec::<Piece>::new());
    while i < ours.len() {
        let same = j < theirs.len() && ours[i] == theirs[j];
        if !same && j < theirs.len() && table[i * width + j + 1] >= table[(i + 1) * width + j] {
            j += 1;
            continue;
        }
        // White space between two pieces belongs to the first, so that marks are not torn.
        let blank = ours[i].trim().is_empty();
        match pieces.last_mut() {
            Some(last) if blank || last.different != same => last.text += ours[i],
            _ => pieces.push(Piece { text: ours[i].to_owned(), different: !same && !blank }),
        }
        j += usize::from(same);
        i += 1;
    }
    pieces
}

/// The lengths of the longest common subsequences of the ends that begin at each pair of words.
fn common(ours: &[&str], theirs: &[&str]) -> Vec<u32> {
    let width = theirs.len() + 1;
    let mut table = vec![0u32; (ours.len() + 1) * width];
    for i in (0..ours.len()).rev() {
        for j in (0..theirs.len()).rev() {
            table[i * width + j] = match ours[i] == theirs[j] {
                true => table[(i + 1) * width + j + 1] + 1,
                false => table[(i + 1) * width + j].max(table[i * width + j + 1]),
            };
        }
    }
    table
}

/// Words, white space, and by themselves punctuation and characters of scripts without spaces.
fn words(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        c if c.is_alphanumeric() && c < '\u{2e80}' => 1,
        _ => 2,
    };
    let (mut words, mut begin, mut before) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        let now = kind(c);
        if at > begin && (before != Some(now) || now == 2) {
            words.push(&text[begin..at]);
            begin = at;
        }
        before = Some(now);
    }
    words.extend((begin < text.len()).then(|| &text[begin..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(other: &str, text: &str) -> String {
        let piece = |piece: Piece| if piece.different { format!("[{}]", piece.text) } else { piece.text };
        against(other, text).into_iter().map(piece).collect()
    }

    #[test]
    fn what_the_other_does_not_have_is_marked() {
        assert_eq!(marked("a b c d", "a x c d"), "a [x ]c d");
        assert_eq!(marked("the cat sat", "the cat sat"), "the cat sat");
        assert_eq!(marked("", "all new"), "[all new]");
        assert_eq!(marked("all", ""), "");
        assert_eq!(marked("春天来了。", "春天走了！"), "春天[走]了[！]");
        assert_eq!(marked("one two", "two one two"), "[two ]one two");
    }

    #[test]
    fn nothing_is_lost() {
        for (other, text) in [("a  b\n", " b a\t"), ("x,y", "x, z."), ("永a", "a永 永")] {
            assert_eq!(against(other, text).into_iter().map(|piece| piece.text).collect::<String>(), text);
        }
    }
}
