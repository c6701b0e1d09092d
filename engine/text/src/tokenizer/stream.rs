//! Decoding as ids come in.

use super::Tokenizer;
use framework_base::Result;

/// Decodes ids one by one and gives out only complete characters.
///
/// A character may span several tokens, and a token's text may depend on the one before it (the space between words);
/// so a window of ids is decoded, and what it adds to the text already given out is the new piece.
#[derive(Debug, Clone)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    ids: Vec<u32>,
    /// `ids[..given]` has been given out.
    given: usize,
}

impl<'a> TextStream<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, ids: Vec::new(), given: 0 }
    }

    /// Takes the next id and returns the text that is complete with it, which may be empty.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let piece = self.pending()?;
        if piece.is_empty() || piece.ends_with('\u{fffd}') {
            return Ok(String::new());
        }
        // The ids of this piece stay as context for the next one.
        self.ids.drain(..self.given);
        self.given = self.ids.len();
        Ok(piece)
    }

    /// The rest: an incomplete character becomes U+FFFD.
    pub fn finish(self) -> Result<String> {
        self.pending()
    }

    fn pending(&self) -> Result<String> {
        let before = self.tokenizer.decode(&self.ids[..self.given], self.skip_special)?;
        let mut text = self.tokenizer.decode(&self.ids, self.skip_special)?;
        match text.strip_prefix(&before) {
            Some(piece) => Ok(text.split_off(text.len() - piece.len())),
            None => self.tokenizer.decode(&self.ids[self.given..], self.skip_special),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::{
        Tokenizer,
        tests::{folder, trained},
    };

    #[test]
    fn pieces_are_whole_characters_and_add_up() {
        let t = trained();
        for text in ["Hello world", "你好，世界", "a 👩‍👩‍👧 b", "é\u{301}\n\n x"] {
            let ids = t.encode(text, false).unwrap();
            let mut stream = t.stream(false);
            let pieces: Vec<_> = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
            assert!(pieces.iter().all(|p| !p.contains('\u{fffd}')), "{pieces:?}");
            assert_eq!(pieces.concat() + &stream.finish().unwrap(), text);
        }
    }

    #[test]
    fn an_incomplete_character_is_held_back_until_the_end() {
        let t = trained();
        let ids = t.encode("龘", false).unwrap();
        assert_eq!(ids.len(), 3, "a character that the tokenizer was not trained on is its bytes");
        let mut stream = t.stream(false);
        assert_eq!(stream.push(ids[0]).unwrap() + &stream.push(ids[1]).unwrap(), "");
        assert!(stream.finish().unwrap().contains('\u{fffd}'));
    }

    #[test]
    fn spaces_between_words_survive() {
        let dir = folder(r#"{"eos_token": "</s>"}"#);
        let t = Tokenizer::load(dir.path()).unwrap();
        // This tokenizer's decoder joins with spaces and drops the first: `▁a▁b` is `a b`.
        let ids = t.encode("a b a", false).unwrap();
        let mut stream = t.stream(true);
        let text: String = ids.iter().map(|id| stream.push(*id).unwrap()).collect();
        assert_eq!(text, t.decode(&ids, true).unwrap());
    }
}
