//! Texts as tokens: words, characters or Chinese words.

mod jieba;
mod mteval;

/// What a text is split into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segmentation {
    /// Words and punctuation, as `mteval-v13a` splits them (`13a` of sacrebleu). For languages with spaces.
    Words,
    /// The same, with each Chinese character by itself (`zh` of sacrebleu).
    Chinese,
    /// Each character by itself (`char` of sacrebleu).
    Characters,
    /// The words of jieba, the most used segmentation of Chinese.
    Jieba,
}

impl Segmentation {
    /// The tokens of a text, without white space.
    pub fn tokens(self, text: &str) -> Vec<String> {
        match self {
            Segmentation::Words => split(&mteval::words(text.trim_end_matches(is_space))),
            Segmentation::Chinese => split(&mteval::chinese(text.trim_end_matches(is_space))),
            Segmentation::Characters => text.chars().filter(|c| !is_space(*c)).map(String::from).collect(),
            Segmentation::Jieba => jieba::words(text),
        }
    }

    /// What fits the texts: [`Segmentation::Chinese`] if most of their letters are Chinese, else [`Segmentation::Words`].
    pub fn fitting<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut chinese, mut letters) = (0usize, 0usize);
        for c in texts.into_iter().flat_map(str::chars).filter(|c| c.is_alphabetic()) {
            letters += 1;
            chinese += usize::from(mteval::is_chinese(c));
        }
        if chinese * 2 > letters { Segmentation::Chinese } else { Segmentation::Words }
    }
}

/// What Python's `str.split` splits at: Unicode's white space and four of ASCII's separators.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A text without white space.
pub(crate) fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !is_space(*c)).collect()
}

fn split(text: &str) -> Vec<String> {
    text.split(is_space).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_letters_decide() {
        assert_eq!(Segmentation::fitting(["《春》 by A."]), Segmentation::Words);
        assert_eq!(Segmentation::fitting(["春天来了 ok", "，，"]), Segmentation::Chinese);
        assert_eq!(Segmentation::fitting([]), Segmentation::Words);
    }
}
