//! Which parameters decay.

use framework_sdk::prelude::*;

options! {
    /// Which parameters weight decay applies to.
    #[derive(Copy)]
    #[serde(rename_all = "lowercase")]
    pub enum Decay {
        /// Matrices only, not norms, biases and other vectors, as in nanoGPT.
        Matrices,
        /// All but norms and biases, as in Hugging Face's Trainer. Other vectors, such as those of DoRA and IA3, decay.
        Transformers,
        /// All of them.
        All,
    }
}

impl Decay {
    pub fn applies(self, param: &Param) -> bool {
        let exempt = matches!(param.role, Role::Bias | Role::Norm);
        // Of what an adapter adds, names alone say what is a bias.
        let named = exempt || param.name.contains("bias");
        match self {
            Self::All => true,
            Self::Transformers => !named,
            Self::Matrices => param.shape.len() > 1 && !exempt,
        }
    }

    /// A parameter less a share of itself, if it decays.
    pub fn shrunk(self, value: Tensor, share: f64, param: &Param) -> Tensor {
        if share > 0.0 && self.applies(param) { value * (1.0 - share) } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_and_biases_are_exempt() {
        let param = |shape: &[usize], role| Param::new("w", shape, Init::Zeros, role);
        let [matrix, vector] = [param(&[2, 2], Role::Embedding), param(&[2], Role::Other)];
        let exempt = [param(&[2], Role::Norm), param(&[2], Role::Bias)];
        for (decay, of_matrix, of_vector, of_exempt) in [
            (Decay::Matrices, true, false, false),
            (Decay::Transformers, true, true, false),
            (Decay::All, true, true, true),
        ] {
            assert_eq!((decay.applies(&matrix), decay.applies(&vector)), (of_matrix, of_vector), "{decay:?}");
            assert!(exempt.iter().all(|param| decay.applies(param) == of_exempt), "{decay:?}");
        }
    }
}
