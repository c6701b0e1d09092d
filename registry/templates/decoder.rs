//! The decoder `__name__`.

use framework_sdk::prelude::*;

options! {
    /// Takes the most likely token, and now and then any other.
    pub struct __Type__ {
        /// How often any token is taken: between 0, never, and 1, always.
        #[serde(default = "epsilon")]
        epsilon: f64,
    }
}

fn epsilon() -> f64 {
    0.1
}

struct Session {
    epsilon: f64,
    random: u64,
    prompts: Vec<usize>, // which prompt each row of the batch continues
    output: Vec<Vec<u32>>,
}

impl Decoder for __Type__ {
    fn validate(&self) -> Result<()> {
        match (0.0..=1.0).contains(&self.epsilon) {
            true => Ok(()),
            false => Err(PluginError::new(format!("epsilon = {} is not between 0 and 1", self.epsilon))),
        }
    }

    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        let count = request.prompts.len();
        Ok(Box::new(Session {
            epsilon: self.epsilon,
            random: request.seed,
            prompts: (0..count).collect(),
            output: vec![Vec::new(); count],
        }))
    }
}

impl Session {
    /// SplitMix64 (Steele et al., 2014), scaled to `[0, 1)`.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn choose(&mut self, scores: &[f32]) -> u32 {
        let mut tokens: Vec<usize> = (0..scores.len()).filter(|&t| scores[t].is_finite()).collect();
        tokens.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let any = self.random() < self.epsilon;
        let place = if any { (self.random() * tokens.len() as f64) as usize } else { 0 };
        tokens[place] as u32
    }
}

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        let (mut step, mut next) = (Step::default(), Vec::new());
        for (row, prompt) in std::mem::take(&mut self.prompts).into_iter().enumerate() {
            let token = self.choose(&scores.data[row * scores.vocab..][..scores.vocab]);
            self.output[prompt].push(token);
            if !scores.ends(row, token) {
                step.tokens.push(token);
                step.parents.push(row as u32);
                next.push(prompt);
            }
        }
        self.prompts = next;
        Ok(step)
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(std::mem::take(&mut self.output))
    }
}

register!(decoder "__name__" => __Type__, example = "epsilon = 0.1");

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    #[test]
    fn without_chance_it_takes_the_most_likely() {
        // After token 0 comes 1, after 1 comes 2, after 2 the end, which is 0.
        let table = [vec![0.0, 1.0, 0.5], vec![0.0, 0.5, 1.0], vec![1.0, 0.0, 0.5]];
        let request = DecodeRequest::new(vec![vec![0]], vec![0], 9, 1);
        assert_eq!(test::decode("__name__", "epsilon = 0", &table, &request).unwrap(), [[1, 2, 0]]);
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
