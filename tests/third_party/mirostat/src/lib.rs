//! Mirostat: sampling that keeps a text as surprising as is asked for.

use framework_sdk::prelude::*;

options! {
    /// Mirostat 2 (Basu et al., 2021, arXiv:2007.14966): tokens that are more surprising than a bound are excluded, and
    /// the bound follows how surprising the last token was.
    pub struct Mirostat {
        /// The surprise that is aimed at, in bits.
        #[serde(default = "tau")]
        tau: f64,
        /// How fast the bound follows.
        #[serde(default = "eta")]
        eta: f64,
    }
}

fn tau() -> f64 {
    5.0
}
fn eta() -> f64 {
    0.1
}

impl Decoder for Mirostat {
    fn validate(&self) -> Result<()> {
        match (self.tau > 0.0, self.eta > 0.0 && self.eta <= 1.0) {
            (true, true) => Ok(()),
            (false, _) => Err(PluginError::option("tau", format!("must be positive, not {}", self.tau))),
            (_, false) => Err(PluginError::option("eta", format!("must be above 0 and at most 1, not {}", self.eta))),
        }
    }

    fn traits(&self) -> DecoderTraits {
        DecoderTraits::default().sample(true)
    }

    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        let chain = |i: usize| Chain { prompt: i, bound: 2.0 * self.tau, random: request.seed ^ (i as u64) << 32 };
        let count = request.prompts.len();
        let chosen = vec![Vec::new(); count];
        Ok(Box::new(Session { options: self.clone(), chains: (0..count).map(chain).collect(), chosen }))
    }
}

struct Session {
    options: Mirostat,
    /// A chain for each present row.
    chains: Vec<Chain>,
    chosen: Vec<Vec<u32>>,
}

struct Chain {
    prompt: usize,
    /// The most surprise that a token may have, in bits.
    bound: f64,
    random: u64,
}

impl Chain {
    /// A number in [0, 1) (SplitMix64; Steele et al., 2014).
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn draw(&mut self, options: &Mirostat, scores: &[f32]) -> Result<u32> {
        let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !most.is_finite() {
            return Err(PluginError::new("no token is left to choose: all have been excluded"));
        }
        let weight = |score: &f32| f64::from(score - most).exp();
        let total: f64 = scores.iter().map(weight).sum();
        let surprise = |score: &f32| -(weight(score) / total).log2();
        // The likeliest token stays, however surprising it is.
        let kept = |score: &f32| *score == most || surprise(score) <= self.bound;
        let left: f64 = scores.iter().filter(|score| kept(score)).map(weight).sum();
        let candidates: Vec<usize> = (0..scores.len()).filter(|&i| kept(&scores[i])).collect();
        let (mut point, mut token) = (self.uniform() * left, candidates[0]);
        for candidate in candidates {
            token = candidate;
            point -= weight(&scores[candidate]);
            if point < 0.0 {
                break;
            }
        }
        self.bound -= options.eta * (-(weight(&scores[token]) / left).log2() - options.tau);
        Ok(token as u32)
    }
}

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        let mut step = Step::default();
        for (row, (present, mut chain)) in scores.rows().zip(std::mem::take(&mut self.chains)).enumerate() {
            let token = chain.draw(&self.options, present)?;
            self.chosen[chain.prompt].push(token);
            if !scores.ends(row, token) {
                self.chains.push(chain);
                step.tokens.push(token);
                step.parents.push(row as u32);
            }
        }
        Ok(step)
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(std::mem::take(&mut self.chosen))
    }
}

register!(decoder "mirostat" => Mirostat, example = "tau = 4.0\neta = 0.1");

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    /// The entropy in bits of the first `count` of `weights`.
    fn entropy(weights: &[f64], count: usize) -> f64 {
        let kept: f64 = weights[..count].iter().sum();
        weights[..count].iter().map(|weight| -weight / kept * (weight / kept).log2()).sum()
    }

    /// A long answer is drawn from about as many of the likeliest tokens as have the asked for entropy among themselves.
    #[test]
    fn the_surprise_is_that_which_is_asked_for() {
        let row: Vec<f32> = (1..=512).map(|rank| -(rank as f32).ln()).collect();
        let weights: Vec<f64> = row.iter().map(|score| f64::from(*score).exp()).collect();
        let total: f64 = weights.iter().sum();
        for tau in [2.0, 4.0, 6.0] {
            let request = DecodeRequest::new(vec![vec![0]], vec![], 4000, 3);
            let table = vec![row.clone(); 512];
            let answers = test::decode("mirostat", &format!("tau = {tau:.1}"), &table, &request).unwrap();
            assert_eq!(answers[0].len(), 4000);
            let surprise = |token: &u32| -(weights[*token as usize] / total).log2();
            let mean = answers[0].iter().map(surprise).sum::<f64>() / 4000.0;
            let count = (1..512).find(|&count| entropy(&weights, count) >= tau).unwrap();
            let expected = tau - (weights[..count].iter().sum::<f64>() / total).log2();
            assert!((mean - expected).abs() < 0.4, "{mean} bits, not {expected}, for {tau}");
        }
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
