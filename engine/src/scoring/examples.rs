//! Prompts with references, from sequences of tokens.

use framework_text::data::{IGNORE, Sequence};

/// What is asked and what is expected, as tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Example {
    /// What comes before the first token that is trained.
    pub prompt: Vec<u32>,
    /// The tokens that are trained from there on, without interruption.
    pub reference: Vec<u32>,
}

/// The examples of the sequences that have a prompt; of conversations, the first turn. Texts that are learned whole, and
/// sequences whose prompt is trained too, have none.
pub fn examples(sequences: &[Sequence]) -> impl Iterator<Item = Example> {
    sequences.iter().filter_map(|sequence| {
        let begin = sequence.labels.iter().position(|label| *label != IGNORE).filter(|begin| *begin > 0)?;
        let trained = sequence.labels[begin..].iter().take_while(|label| **label != IGNORE).count();
        let (prompt, reference) = (&sequence.ids[..begin], &sequence.ids[begin..begin + trained]);
        Some(Example { prompt: prompt.to_vec(), reference: reference.to_vec() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_prompts_and_what_is_trained_after_them() {
        let sequence = |labels: &[i32]| Sequence { ids: (1..).take(labels.len()).collect(), labels: labels.to_vec() };
        let sequences = [
            sequence(&[IGNORE, IGNORE, 3, 4]),
            sequence(&[IGNORE, 2, 3, IGNORE, 5]), // a second turn
            sequence(&[1, 2, 3]),
            sequence(&[IGNORE, IGNORE]),
        ];
        let found: Vec<_> = examples(&sequences).map(|one| (one.prompt, one.reference)).collect();
        assert_eq!(found, [(vec![1, 2], vec![3, 4]), (vec![1], vec![2, 3])]);
    }
}
