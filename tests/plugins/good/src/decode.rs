//! A decoder.

use framework_sdk::prelude::*;

options! {
    /// Chooses the least likely token, or the one that is `rank` places above it.
    pub struct Contrary {
        /// How many tokens are passed over.
        #[serde(default)]
        rank: usize,
    }
}

struct Session {
    rank: usize,
    prompts: Vec<usize>,
    output: Vec<Vec<u32>>,
}

impl Decoder for Contrary {
    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        let count = request.prompts.len();
        let (prompts, output) = ((0..count).collect(), vec![Vec::new(); count]);
        Ok(Box::new(Session { rank: self.rank, prompts, output }))
    }
}

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        let mut step = Step::default();
        let mut going_on = Vec::new();
        for (row, (present, &prompt)) in scores.rows().zip(&self.prompts).enumerate() {
            let mut tokens: Vec<usize> = (0..present.len()).filter(|&t| present[t].is_finite()).collect();
            tokens.sort_by(|&a, &b| present[a].total_cmp(&present[b]));
            let token = *tokens.get(self.rank).ok_or_else(|| PluginError::new("rank is beyond the vocabulary"))? as u32;
            self.output[prompt].push(token);
            if !scores.ends(row, token) {
                step.tokens.push(token);
                step.parents.push(row as u32);
                going_on.push(prompt);
            }
        }
        self.prompts = going_on;
        Ok(step)
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(std::mem::take(&mut self.output))
    }
}

register!(decoder "contrary" => Contrary, example = "rank = 1");
