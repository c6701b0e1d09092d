use super::*;
use crate::{
    test::{differentiates, floats, value},
    value::R,
};
use burn::tensor::Tensor as Burn;

/// Computed with Python's integers.
#[test]
fn the_mixer_is_the_published_one() {
    assert_eq!([0, 1, 0xdead_beef].map(mixed), [0, 0x6889_90c0, 0xe628_c683]);
}

#[test]
fn a_tile_draws_what_the_whole_draws_there() {
    let draw = Draw::dropout(0x1234_5678_9abc_def0, 0.3);
    let whole = multiplied(value(vec![1.0; 2 * 6 * 8], &[2, 6, 8]), draw).unwrap().to_f32().unwrap();
    let place = Place { tile: [3, 4], whole: [6, 8], first: [2, 3] };
    let ones = || Burn::<R>::ones([1, 1, 2, 3, 4], &crate::Device::cpu().burn);
    let tile = Burn::<R>::from_dispatch(<burn::backend::Dispatch as OnRandom>::multiplied(
        ones().into_dispatch(),
        draw,
        place,
    ));
    let tile: Vec<f32> = tile.into_data().try_into_vec().unwrap();
    let expected: Vec<f32> = (0..2)
        .flat_map(|m| (2..5).flat_map(move |row| (3..7).map(move |column| (m * 6 + row) * 8 + column)))
        .map(|at| whole[at])
        .collect();
    assert_eq!(tile, expected);
}

#[test]
fn the_gradient_is_multiplied_by_the_same_factors() {
    for draw in [Draw::dropout(7, 0.5), Draw::noise(7, 0.2)] {
        differentiates("random factors", &[floats(&[3, 5], 1)], |mut x| multiplied(x.remove(0), draw).unwrap());
    }
}

#[test]
fn keys_and_places_make_a_difference() {
    let ones = value(vec![1.0; 10_000], &[10_000]);
    let drawn = |key| multiplied(ones.clone(), Draw::dropout(key, 0.5)).unwrap().to_f32().unwrap();
    let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
    let first = drawn(1);
    for key in [2, 1 << 32, 1 << 63 | 1] {
        assert!((agree(&first, &drawn(key)) - 0.5).abs() < 0.02, "{key}");
    }
    for shift in [1, 2, 64, 4096] {
        assert!((agree(&first[shift..], &first[..10_000 - shift]) - 0.5).abs() < 0.02, "{shift}");
    }
}
