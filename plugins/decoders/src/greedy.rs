//! `greedy`: always the likeliest token.

use crate::chains::{Chains, highest};
use framework_sdk::prelude::*;

options! {
    /// Selects the most likely token in every step; among equals, the one with the lowest id.
    pub struct Greedy {}
}

impl Decoder for Greedy {
    fn traits(&self) -> DecoderTraits {
        DecoderTraits::default().best(1)
    }

    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Session(Chains::new(&request))))
    }
}

struct Session(Chains);

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        self.0.step(scores, |_, row| Ok(highest(row)?.0))
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(self.0.finish())
    }
}

register!(decoder "greedy" => Greedy, example = "");

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    /// After token t comes t + 1, and 1 after 4; 0 never does.
    fn table() -> Vec<Vec<f32>> {
        let next = |t: usize| if t == 4 { 1 } else { t + 1 };
        (0..5).map(|t| (0..5).map(|u| if u == next(t) { 1.0 } else { -1.0 }).collect()).collect()
    }

    fn decode(table: &[Vec<f32>], prompts: &[&[u32]], eos: &[u32]) -> Result<Vec<Vec<u32>>> {
        let prompts = prompts.iter().map(|p| p.to_vec()).collect();
        let request = DecodeRequest::new(prompts, eos.to_vec(), 5, 0);
        test::decode("greedy", "", table, &request)
    }

    #[test]
    fn follows_the_highest_scores() {
        assert_eq!(decode(&table(), &[&[4, 0]], &[]).unwrap(), [[1, 2, 3, 4, 1]]);
    }

    #[test]
    fn each_prompt_ends_for_itself() {
        let answers = decode(&table(), &[&[0], &[2], &[3]], &[3, 0]).unwrap();
        assert_eq!(answers, [vec![1, 2, 3], vec![3], vec![4, 1, 2, 3]]);
    }

    #[test]
    fn of_equal_scores_the_lowest_token_wins() {
        assert_eq!(decode(&[vec![1.0, 2.0, 2.0], vec![3.0, 3.0, 3.0]], &[&[0]], &[0]).unwrap(), [[1, 0]]);
    }

    #[test]
    fn scores_that_are_no_numbers_are_an_error() {
        let error = decode(&vec![vec![0.0, f32::NAN]; 2], &[&[0]], &[]).unwrap_err().message;
        assert!(error.starts_with("prompt 1: the score of token 1 is NaN"), "{error}");
        let error = decode(&[vec![f32::NEG_INFINITY]], &[&[0]], &[]).unwrap_err().message;
        assert!(error.starts_with("prompt 1: no token is left to choose"), "{error}");
    }
}
