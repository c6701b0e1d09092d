//! The scores of next tokens on their way to the host: all of a vocabulary, or the highest of each row.

use super::{transfer, value::Value};
use burn::tensor::{Int, Tensor as Burn, activation};
use framework_core::{PluginError, Result, ffi::HostTensor};

/// What a decoder looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many of each row's highest scores; none: all of them. The others are negative infinity then.
    pub best: Option<usize>,
    /// Of the highest, logarithms of probabilities in place of logits.
    pub log_probs: bool,
}

/// Logits `[rows, vocab]`, or what is wanted of them.
pub(super) fn scores(logits: Value, wanted: Wanted) -> Result<Vec<f32>> {
    let vocab = logits.shape().last().copied().unwrap_or(0);
    let rows = logits.dims().iter().product::<usize>() / vocab.max(1);
    let Some(best) = wanted.best else { return logits.to_f32() };
    let mut logits: Burn<2> = logits.into_float()?.inner().reshape([rows, vocab]);
    if wanted.log_probs {
        logits = activation::log_softmax(logits, 1);
    }
    if best + 1 < vocab
        && let Some(scores) = highest(&logits, best)?
    {
        return Ok(scores);
    }
    transfer::read(|| logits.into_data())
}

/// The highest scores of each row among negative infinities; nothing if a row has more that are equal to the last of them,
/// or what is no number.
fn highest(logits: &Burn<2>, best: usize) -> Result<Option<Vec<f32>>> {
    let [rows, vocab] = logits.dims();
    let count = best + 1;
    let (values, places): (Burn<2>, Burn<2, Int>) = logits.clone().topk_with_indices(count, 1);
    // One way for both: places are whole numbers that 32-bit floats hold.
    let both = transfer::read(|| Burn::cat(vec![values, places.float()], 1).into_data())?;
    let mut scores = vec![f32::NEG_INFINITY; rows * vocab];
    for (row, found) in both.chunks_exact(2 * count).enumerate() {
        let (values, places) = found.split_at(count);
        if values.iter().any(|value| value.is_nan()) || values[best] == values[best - 1] {
            return Ok(None);
        }
        for (value, place) in values.iter().zip(places).take(best) {
            let at = scores.get_mut(row * vocab + *place as usize);
            *at.ok_or_else(|| PluginError::new("a score lies outside of the vocabulary"))? = *value;
        }
    }
    Ok(Some(scores))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{close, value};

    const LOWEST: f32 = f32::NEG_INFINITY;

    fn of(data: &[f32], best: Option<usize>, log_probs: bool) -> Vec<f32> {
        scores(value(data.to_vec(), &[data.len() / 4, 4]), Wanted { best, log_probs }).unwrap()
    }

    #[test]
    fn the_highest_of_each_row_stay() {
        let logits = [1., 4., 2., 3., -1., -2., -3., -4.];
        assert_eq!(of(&logits, None, false), logits);
        assert_eq!(of(&logits, Some(1), false), [LOWEST, 4., LOWEST, LOWEST, -1., LOWEST, LOWEST, LOWEST]);
        assert_eq!(of(&logits, Some(2), false), [LOWEST, 4., LOWEST, 3., -1., -2., LOWEST, LOWEST]);
        assert_eq!(of(&logits, Some(3), false), logits);
    }

    /// Which of several is for the decoder to say, as it does where it sees all.
    #[test]
    fn equal_scores_are_not_parted() {
        let logits = [1., 4., 4., 3.];
        assert_eq!(of(&logits, Some(1), false), logits);
        assert_eq!(of(&logits, Some(2), false), [LOWEST, 4., 4., LOWEST]);
        let odd = of(&[1., f32::NAN, 2., 3.], Some(1), false);
        assert!(odd[1].is_nan() && odd[3] == 3.0);
    }

    #[test]
    fn probabilities_are_of_the_whole_row() {
        let logits = [1f32, 4., 2., 3.];
        let total = logits.iter().map(|x| x.exp()).sum::<f32>().ln();
        let found = of(&logits, Some(2), true);
        close(&[found[1], found[3]], &[4. - total, 3. - total], 1e-6);
        assert_eq!((found[0], found[2]), (LOWEST, LOWEST));
    }
}
