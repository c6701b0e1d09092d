//! Random weights and sequences.

use crate::{
    Init, ModelSpec, Param, Result, Role, ffi,
    reference::{Array, Place, Reference},
};

/// Numbers from -1 to 1 that a name leads to (SplitMix64: Steele et al., 2014).
pub(super) fn random(name: &str, seed: u64) -> impl Iterator<Item = f64> + use<> {
    let mut state = name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// Gives all parameters their start, those of the model moved at random.
pub(super) fn started(network: &Reference) -> Result<()> {
    for param in network.params() {
        let count = param.len();
        let numbers: Vec<f64> = match network.spec.values.get(&param.name).filter(|values| !values.is_empty()) {
            Some(values) => values.iter().copied().cycle().take(count).collect(),
            None => match param.init {
                Init::Zeros => vec![0.0; count],
                Init::Ones => vec![1.0; count],
                Init::Constant(number) => vec![number; count],
                // Uniform numbers of this standard deviation.
                Init::Normal(std) => random(&param.name, 1).map(|n| n * std * 3f64.sqrt()).take(count).collect(),
                Init::Uniform(bound) => random(&param.name, 1).map(|n| n * bound).take(count).collect(),
            },
        };
        network.set(&param.name, Array::floats(&param.shape, numbers));
    }
    network.spec.params.iter().try_for_each(|param| vary(network, param))?;
    let Some(adapter) = network.adapter() else { return Ok(()) };
    for &index in &adapter.plan().initial {
        let start = adapter.initial(&network.context()?, index)?;
        network.set(&adapter.plan().params[index].name, ffi::unwrap(start)?);
    }
    Ok(())
}

/// By how much a parameter may be moved without harm.
pub(super) fn size(param: &Param) -> f64 {
    match param.role {
        Role::Linear | Role::Output => 1.5 / (param.shape.last().copied().unwrap_or(1).max(1) as f64).sqrt(),
        Role::Embedding => 0.5,
        _ => 0.2,
    }
}

pub(super) fn vary(network: &Reference, param: &Param) -> Result<()> {
    let before = network.get(&param.name)?.values();
    let moved = before.into_iter().zip(random(&param.name, 2)).map(|(number, noise)| number + size(param) * noise);
    network.set(&param.name, Array::floats(&param.shape, moved.collect::<Vec<_>>()));
    Ok(())
}

/// Two sequences. The first ids are left to special tokens.
pub(super) fn sequences(spec: &ModelSpec) -> [Vec<Place>; 2] {
    let lowest = 4.min(spec.vocab_size.saturating_sub(1));
    let ids: Vec<usize> = random("sequences", 3)
        .map(|n| lowest + ((n + 1.0) / 2.0 * (spec.vocab_size - lowest) as f64) as usize)
        .map(|id| id.min(spec.vocab_size - 1))
        .take(9)
        .collect();
    let place = |sequence| move |id: &usize| Place::Token { sequence, id: *id };
    [ids[..5].iter().map(place(0)).collect(), ids[5..].iter().map(place(1)).collect()]
}
