//! `top-p`: sampling.

use crate::chains::{Chains, highest, random, uniform};
use framework_sdk::prelude::*;
use rand_chacha::ChaCha12Rng;

options! {
    /// Samples each token by its probability, among the tokens that nucleus sampling keeps (Holtzman et al., 2020,
    /// arXiv:1904.09751).
    ///
    /// `temperature`, `top_p`, `top_k` and `min_p`, keys of `[generate]`, set which tokens can be drawn and how likely.
    /// Without them, tokens are drawn from the model's own distribution. Each prompt has random numbers of its own, so
    /// its answer does not depend on the other prompts.
    pub struct TopP {}
}

impl Decoder for TopP {
    fn traits(&self) -> DecoderTraits {
        DecoderTraits::default().sample(true)
    }

    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Session { chains: Chains::new(&request), random: random(&request) }))
    }
}

struct Session {
    chains: Chains,
    /// A generator per prompt.
    random: Vec<ChaCha12Rng>,
}

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        let random = &mut self.random;
        self.chains.step(scores, |prompt, row| draw(row, uniform(&mut random[prompt])))
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(self.chains.finish())
    }
}

/// The token at which the softmax of `scores`, summed up, exceeds `point` in `[0, 1)`.
fn draw(scores: &[f32], point: f64) -> Result<u32> {
    let (likeliest, max) = highest(scores)?;
    let weight = |&score: &f32| f64::from(score - max).exp();
    let mut left = point * scores.iter().map(weight).sum::<f64>();
    for (token, score) in scores.iter().enumerate() {
        left -= weight(score);
        if left < 0.0 {
            return Ok(token as u32);
        }
    }
    Ok(likeliest) // only rounding leads here
}

register!(decoder "top-p" => TopP, example = "");

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

    const EXCLUDED: f32 = f32::NEG_INFINITY;

    fn decode(table: &[Vec<f32>], prompts: Vec<Vec<u32>>, eos: &[u32], steps: usize, seed: u64) -> Vec<Vec<u32>> {
        let request = DecodeRequest::new(prompts, eos.to_vec(), steps, seed);
        test::decode("top-p", "", table, &request).unwrap()
    }

    #[test]
    fn draws_follow_the_distribution() {
        let row = vec![1.0, EXCLUDED, 0.0, -2.0, 2.5];
        let table = vec![row.clone(); row.len()];
        let mut counts = [0_u32; 5];
        let answers = decode(&table, vec![vec![0]; 20], &[], 1000, 7);
        answers.iter().flatten().for_each(|&t| counts[t as usize] += 1);
        assert_eq!(counts[1], 0);
        let total: f64 = row.iter().map(|&s| f64::from(s).exp()).sum();
        let apart = |(&s, &n): (&f32, &u32)| (f64::from(s).exp() / total - f64::from(n) / 20_000.0).abs();
        let variation = row.iter().zip(&counts).map(apart).sum::<f64>() / 2.0;
        assert!(variation < 0.01, "{counts:?} are {variation} away");
    }

    #[test]
    fn seeds_decide_and_prompts_do_not_interfere() {
        let table = vec![vec![0.0; 50]; 50];
        let answers = decode(&table, vec![vec![1], vec![2]], &[], 20, 3);
        assert_eq!(answers, decode(&table, vec![vec![1], vec![2]], &[], 20, 3));
        assert_ne!(answers, decode(&table, vec![vec![1], vec![2]], &[], 20, 4));
        assert_ne!(answers[0], answers[1]);
        // The first prompt ends at once, and the second goes on as before.
        let mut ending = table.clone();
        ending[1] = [&[9.0][..], &[EXCLUDED; 49]].concat();
        let again = decode(&ending, vec![vec![1], vec![2]], &[0], 20, 3);
        assert_eq!(again[0], [0]);
        let end = answers[1].iter().position(|&t| t == 0 || t == 1).map_or(20, |i| i + 1);
        assert!(end > 1 && again[1][..end] == answers[1][..end]);
    }

    #[test]
    fn only_one_candidate_is_always_drawn() {
        let table =
            vec![vec![EXCLUDED, 0.0, EXCLUDED], vec![EXCLUDED, EXCLUDED, -80.0], vec![-1e30, EXCLUDED, EXCLUDED]];
        assert_eq!(decode(&table, vec![vec![0]], &[], 4, 1), [[1, 2, 0, 1]]);
    }

    #[test]
    fn the_ends_of_the_interval_draw_possible_tokens() {
        let scores = [EXCLUDED, 1.0, 1.0, EXCLUDED];
        assert_eq!(draw(&scores, 0.0).unwrap(), 1);
        assert_eq!(draw(&scores, 0.5).unwrap(), 2);
        assert_eq!(draw(&scores, 1.0 - f64::EPSILON / 2.0).unwrap(), 2);
    }

    #[test]
    fn it_asks_for_the_sampling_processors() {
        let declaration = test::declaration(Kind::Decoder, "top-p");
        assert!(declaration.build.decoder("top-p", &json!({})).unwrap().traits().unwrap().sample);
    }
}
