//! Initial values of parameters.

use framework_core::{Init, Param, PluginError};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A parameter's initial values. They depend on the seed and on the parameter's name alone, so that adding a parameter
/// leaves the others as they are.
///
/// # Errors
/// A newer plugin asks for a start that this version does not know.
pub fn initial(param: &Param, seed: u64) -> Result<Vec<f32>, PluginError> {
    Ok(match param.init {
        Init::Zeros => vec![0.0; param.len()],
        Init::Ones => vec![1.0; param.len()],
        Init::Constant(value) => vec![value as f32; param.len()],
        Init::Normal(std) => {
            let mut rng = rng(seed, &param.name);
            let mut next = || -> f64 { StandardNormal.sample(&mut rng) };
            (0..param.len()).map(|_| (next() * std) as f32).collect()
        }
        Init::Uniform(bound) => {
            let mut rng = rng(seed, &param.name);
            let mut unit = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
            (0..param.len()).map(|_| ((2.0 * unit() - 1.0) * bound) as f32).collect()
        }
        other => {
            return Err(PluginError::new(format!("`{}` starts as {other:?}, which is not known here", param.name)));
        }
    })
}

/// A generator that depends on a seed and on a purpose.
pub fn rng(seed: u64, purpose: &str) -> ChaCha8Rng {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// A seed for a purpose, from the run's seed.
pub fn derive(seed: u64, purpose: &str) -> u64 {
    rng(seed, purpose).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_core::Role;

    fn param(name: &str, init: Init) -> Param {
        Param::new(name, &[100, 200], init, Role::Other)
    }

    #[test]
    fn moments_are_those_asked_for() {
        let moments = |init| {
            let v = initial(&param("w", init), 1).unwrap();
            let n = v.len() as f64;
            let mean = v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            (mean, (v.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
        };
        let (mean, std) = moments(Init::Normal(0.02));
        assert!(mean.abs() < 6e-4 && (std - 0.02).abs() < 4e-4, "{mean} {std}");
        let (mean, std) = moments(Init::Uniform(0.3));
        assert!(mean.abs() < 6e-3 && (std - 0.3 / 3f64.sqrt()).abs() < 3e-3, "{mean} {std}");
    }

    #[test]
    fn names_and_seeds_make_a_difference() {
        let v = |name, seed| initial(&param(name, Init::Normal(1.0)), seed).unwrap()[0];
        assert_eq!(v("a", 1), v("a", 1));
        assert_ne!(v("a", 1), v("b", 1));
        assert_ne!(v("a", 1), v("a", 2));
    }
}
