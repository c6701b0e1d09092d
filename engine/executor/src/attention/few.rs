//! Attention of a few queries over a cache, on the processor: the keys and values that are seen are read once, where they
//! lie.

use super::{
    Scores, Tile,
    native::{Seen, softmax},
};
use crate::kernels::{Integers, Loop, contiguous, dot::dot, vectorised};
use burn::{
    backend::{
        Flex, TensorMetadata,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::TensorData,
};
use rayon::prelude::*;

/// Queries of a sequence up to which they are few.
pub(super) const FEW: usize = 8;

/// See [`super::attention`]; without factors on the weights.
pub(super) fn attend(
    q: FloatTensor<Flex>,
    k: FloatTensor<Flex>,
    v: FloatTensor<Flex>,
    spans: IntTensor<Flex>,
    how: Scores,
) -> FloatTensor<Flex> {
    let (q, k, v, spans) = (contiguous(q), contiguous(k), contiguous(v), spans.to_contiguous());
    let ([batch, heads, time, _], [_, kv_heads, keys, width]) = (dims(&q), dims(&v));
    let tile = Tile { query: (0, time), key: (0, keys), whole: [time, keys] };
    let seen = Seen { spans: Integers::of(&spans), rows: spans.shape()[0], heads, prefix: how.reach.prefix, tile };
    let [q, k, v] = [&q, &k, &v].map(|x| x.as_slice::<f32>().expect("32-bit numbers"));
    let mut out = vec![0.0; batch * heads * time * width];
    let rows = heads / kv_heads * time;
    out.par_chunks_mut((rows * width).max(1)).enumerate().for_each(|(i, out)| {
        let [q, k, v] = [q, k, v].map(|x| {
            let count = x.len() / (batch * kv_heads);
            &x[i * count..][..count]
        });
        vectorised(Head { q, k, v, seen: &seen, first: i * rows, how, width, out });
    });
    Flex::float_from_data(TensorData::new(out, [1, batch, heads, time, width]), &Default::default())
}

fn dims(x: &FloatTensor<Flex>) -> [usize; 4] {
    let shape = x.shape();
    // The first is 1.
    [1, 2, 3, 4].map(|i| shape[i])
}

/// The queries of a head of keys.
struct Head<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    seen: &'a Seen<'a>,
    /// The number of the first query.
    first: usize,
    how: Scores,
    width: usize,
    out: &'a mut [f32],
}

impl Loop for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { q, k, v, seen, first, how, width, out } = self;
        let keys = seen.tile.key.1;
        let (size, scale, cap) = (k.len() / keys.max(1), how.scale as f32, how.softcap.map(|cap| cap as f32));
        let mut weights = vec![0.0; keys];
        for (i, (q, out)) in q.chunks_exact(size).zip(out.chunks_exact_mut(width)).enumerate() {
            let spans = seen.of(first + i);
            for span in spans.clone() {
                let near = k[span.start * size..span.end * size].chunks_exact(size);
                weights[span].iter_mut().zip(near).for_each(|(weight, k)| *weight = scale * dot(q, k));
            }
            softmax(&mut weights, spans.clone(), cap);
            for span in spans {
                let near = v[span.start * width..span.end * width].chunks_exact(width);
                for (weight, v) in weights[span].iter().zip(near) {
                    out.iter_mut().zip(v).for_each(|(out, v)| *out += weight * v);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Reach, tiles},
        *,
    };
    use crate::test::{close, random};
    use burn::backend::ops::IntTensorOps;

    /// Two rows of which one begins later, grouped heads, a prefix, room behind, values of another size.
    #[test]
    fn gives_the_numbers_of_the_tiles() {
        let tensor = |[a, b, c, d]: [usize; 4], seed| {
            let numbers = TensorData::new(random(a * b * c * d, seed), [1, a, b, c, d]);
            Flex::float_from_data(numbers, &Default::default())
        };
        let (prefix, offset, time) = (2, 9, 3);
        let spans = |window: Option<i32>| {
            let numbers = [0, 4].into_iter().flat_map(|start: i32| {
                let at = move |i: i32| offset as i32 + i;
                let near = move |i: i32| window.map_or(start, |window| start.max(at(i) + 1 - window));
                [0, 1, 2].into_iter().flat_map(move |kind| (0..time as i32).map(move |i| [1, near(i), at(i) + 1][kind]))
            });
            let data = TensorData::new(numbers.collect::<Vec<i32>>(), [2, 3, time]);
            Flex::int_from_data(data, &Default::default())
        };
        for (softcap, window) in [(None, None), (Some(0.7), None), (None, Some(4))] {
            let reach = Reach { prefix, offset, causal: true, window: window.map(|w: i32| w as usize) };
            let how = Scores { scale: 0.3, softcap, drop: None, reach, half: None, budget: None };
            let [q, k, v] = [([2, 4, time, 20], 1), ([2, 2, 16, 20], 2), ([2, 2, 16, 7], 3)].map(|(d, s)| tensor(d, s));
            let found = attend(q.clone(), k.clone(), v.clone(), spans(window), how);
            let expected = tiles::attend::<Flex>(q, k, v, spans(window), how);
            let numbers = |x: FloatTensor<Flex>| contiguous(x).as_slice::<f32>().unwrap().to_vec();
            close(&numbers(found), &numbers(expected), 1e-6);
        }
    }
}
