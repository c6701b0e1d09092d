//! `beam`: several sequences at once.

mod search;

use crate::chains::random;
use framework_sdk::prelude::*;
use search::Search;

options! {
    /// Beam search: extends several sequences in parallel and returns the one with the highest score, its
    /// log-probability divided by a power of its length. Returns the same tokens as transformers' `generate`.
    ///
    /// With `sample`, the candidates of each step are drawn without replacement, in proportion to the probabilities of
    /// their sequences, instead of being the most likely ones. Only then do `temperature`, `top_k`, `top_p` and `min_p`
    /// have an effect; `repetition_penalty` and `no_repeat_ngram_size` always have one. An answer is printed when it is
    /// complete, not token by token.
    pub struct Beam {
        /// Number of beams. For a single beam, use `greedy` or `top-p`.
        #[serde(default = "num_beams")]
        #[schemars(range(min = 2))]
        num_beams: usize,
        /// The log-probability of a finished sequence is divided by the number of its new tokens to this power: above 0
        /// favours long sequences, below 0 short ones, and 0 compares log-probabilities (Wu et al., 2016,
        /// arXiv:1609.08144).
        #[serde(default = "length_penalty")]
        length_penalty: f64,
        /// When the search for a prompt stops after `num_beams` sequences have ended. `true`: immediately. `false`:
        /// when the best unfinished sequence, if it ended now, would not beat the worst finished one.
        #[serde(default)]
        early_stopping: EarlyStopping,
        /// Draw the candidates of each step at random.
        #[serde(default)]
        sample: bool,
    }
}

fn num_beams() -> usize {
    4
}

fn length_penalty() -> f64 {
    1.0
}

options! {
    /// When the search for a prompt stops.
    #[serde(untagged)]
    #[schemars(extend("x-expected" = "true, false or \"never\""))]
    enum EarlyStopping {
        /// `true`: immediately. `false`: when the best unfinished sequence, if it ended now, would not beat the worst
        /// finished one.
        At(bool),
        /// When none under way could.
        Word(Never),
    }
}

options! {
    /// The third way.
    #[serde(rename_all = "lowercase")]
    enum Never {
        /// When no unfinished sequence can beat the worst finished one at any length, which searches longest.
        Never,
    }
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self::At(false)
    }
}

impl Decoder for Beam {
    fn validate(&self) -> Result<()> {
        if self.num_beams < 2 {
            let message = "a search has at least 2 beams; to follow one sequence, take a decoder without beams";
            return Err(PluginError::new(format!("num_beams = {}: {message}", self.num_beams)));
        }
        match self.length_penalty.is_finite() {
            true => Ok(()),
            false => Err(PluginError::new(format!("length_penalty = {} is not a number", self.length_penalty))),
        }
    }

    fn traits(&self) -> DecoderTraits {
        let beams = self.num_beams;
        DecoderTraits::default().rows_per_prompt(beams).sample(self.sample).log_probs(true).best(beams)
    }

    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Session::new(self, &request)))
    }
}

/// A search for each prompt.
struct Session {
    searches: Vec<Search>,
}

impl Session {
    fn new(beam: &Beam, request: &DecodeRequest) -> Self {
        let generators = random(request).into_iter().map(|random| beam.sample.then_some(random));
        Self { searches: generators.map(|random| Search::new(beam, request, random)).collect() }
    }
}

impl Decode for Session {
    fn step(&mut self, scores: Scores) -> Result<Step> {
        let (found, expected) = (scores.rows().len(), self.searches.iter().map(Search::rows).sum::<usize>());
        if found != expected {
            return Err(PluginError::new(format!("{found} rows of scores for {expected} beams")));
        }
        let (mut step, mut first) = (Step::default(), 0);
        for (prompt, search) in self.searches.iter_mut().enumerate() {
            let rows = search.rows();
            if rows > 0 {
                let placed = |e: PluginError| PluginError::new(format!("prompt {}: {}", prompt + 1, e.message));
                search.step(scores, first, &mut step).map_err(placed)?;
            }
            first += rows;
        }
        Ok(step)
    }

    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        Ok(self.searches.iter_mut().map(Search::best).collect())
    }
}

register!(decoder "beam" => Beam, example = "num_beams = 3\nlength_penalty = 0.8");

#[cfg(test)]
mod tests;
