use super::*;
use crate::{
    Device,
    layout::{Layout, Virtual},
    place::Places,
    test::{close, differentiates, floats},
};
use burn::{
    backend::{
        Flex,
        ops::{FloatTensorOps, IntTensorOps},
        tensor::FloatTensor,
    },
    tensor::TensorData,
};
use framework_core::{Heads, ffi::HostTensor};

const SIZE: usize = 3;
/// A budget that no case exceeds.
const WHOLE: usize = 1 << 20;

/// Two rows of queries behind `all - time` others, and the sequences in them.
#[derive(Clone)]
struct Case {
    heads: usize,
    kv_heads: usize,
    time: usize,
    all: usize,
    prefix: usize,
    /// Padding in front of each row.
    starts: [usize; 2],
    /// Sequences of each row, for rows without any in front.
    segments: Vec<Vec<usize>>,
    how: Heads,
}

fn plain() -> Case {
    let how = Heads { scale: Some(0.7), ..Heads::default() };
    Case { heads: 4, kv_heads: 2, time: 5, all: 5, prefix: 0, starts: [0, 0], segments: vec![], how }
}

fn packed() -> Case {
    Case { segments: vec![vec![2, 3], vec![3, 1]], ..plain() }
}

impl Case {
    fn inputs(&self) -> [Value; 3] {
        let kv = [2, self.kv_heads, self.prefix + self.all, SIZE];
        [floats(&[2, self.heads, self.time, SIZE], 1), floats(&kv, 2), floats(&kv, 3)]
    }

    fn spans(&self) -> Spans {
        let with = Virtual { prompt: 0, prefix: self.prefix };
        let layout = match self.segments.is_empty() {
            true => Layout::cached(2, self.time, self.all - self.time, self.starts.to_vec(), with),
            false => Layout::new(2, self.time, self.segments.clone(), with),
        };
        Spans::new(&layout, Places::new(&layout, &Device::cpu()).firsts(), &self.how.into(), &Device::cpu())
    }

    fn attend(&self, budget: Option<usize>, drop: Option<Draw>, inputs: [Value; 3]) -> Value {
        in_tiles(budget, inputs, &self.how.into(), &self.spans(), drop).unwrap()
    }

    /// The keys of its row that a query may see, those of the prefix first, by the words of [`Heads`].
    fn seen(&self, row: usize, query: usize) -> Vec<usize> {
        let at = self.all - self.time + query;
        let (first, end) = match self.segments.get(row) {
            None => (self.starts[row], self.all),
            Some(lengths) => {
                let mut start = 0;
                let found = lengths.iter().find_map(|length| {
                    start += length;
                    (at < start).then(|| (start - length, start))
                });
                let Some(found) = found else { return Vec::new() };
                found
            }
        };
        let near = |distance: usize| self.how.window.is_none_or(|window| distance < window);
        let own = (first..end).filter(|key| near(at.abs_diff(*key)) && !(self.how.causal && *key > at));
        let prefix = (0..self.prefix).filter(|key| at >= first && near(self.prefix + at - first - key));
        prefix.chain(own.map(|key| self.prefix + key)).collect()
    }

    /// The definition, a query at a time in 64 bits. None where a query is padding.
    fn by_hand(&self) -> Vec<Option<f32>> {
        let [q, k, v] = self.inputs().map(|t| t.to_f32().unwrap());
        let (mut out, all, time) = (Vec::new(), self.prefix + self.all, self.time);
        for (row, head, i) in
            (0..2).flat_map(|row| (0..self.heads).flat_map(move |head| (0..time).map(move |i| (row, head, i))))
        {
            let shared = row * self.kv_heads + head / (self.heads / self.kv_heads);
            let query = &q[((row * self.heads + head) * time + i) * SIZE..][..SIZE];
            let key = |j: usize| &k[(shared * all + j) * SIZE..][..SIZE];
            let seen = self.seen(row, i);
            let capped = |x: f64| self.how.softcap.map_or(x, |cap| cap * (x / cap).tanh());
            let score = |j: &usize| {
                let products = query.iter().zip(key(*j)).map(|(a, b)| f64::from(*a) * f64::from(*b));
                capped(products.sum::<f64>() * 0.7).exp()
            };
            let total: f64 = seen.iter().map(score).sum();
            for d in 0..SIZE {
                let mixed = seen.iter().map(|j| score(j) * f64::from(v[(shared * all + j) * SIZE + d]));
                out.push((!seen.is_empty()).then(|| (mixed.sum::<f64>() / total) as f32));
            }
        }
        out
    }

    #[track_caller]
    fn check(&self) {
        let expected = self.by_hand();
        // One tile, tiles of two queries, of which the last may have one, and as the processor does it.
        for budget in [Some(WHOLE), Some(2 * 2 * self.heads * (self.prefix + self.all)), None] {
            let found = self.attend(budget, None, self.inputs());
            assert_eq!(found.shape(), [2, self.heads, self.time, SIZE]);
            let found = found.to_f32().unwrap();
            assert!(found.iter().all(|x| x.is_finite()), "padding must not spread: {found:?}");
            let counted: Vec<_> = found.iter().zip(&expected).filter_map(|(a, b)| Some((*a, (*b)?))).collect();
            assert!(counted.len() > found.len() / 2);
            let (found, expected): (Vec<f32>, Vec<f32>) = counted.into_iter().unzip();
            close(&found, &expected, 1e-6);
        }
        self.portable();
    }

    /// What GPUs compute is what the processor does.
    #[track_caller]
    fn portable(&self) {
        let spans = self.spans();
        let (heads, keys) = (self.heads, self.prefix + self.all);
        let whole = [self.time, keys];
        for (query, key) in [((0, self.time), (0, keys)), ((self.time / 2, 1), (1, keys - 1))] {
            let tile = Tile { query, key, whole };
            let dims = [2, self.kv_heads, heads / self.kv_heads * query.1, key.1];
            let scores = |seed| -> FloatTensor<Flex> {
                let numbers = crate::test::random(dims.iter().product(), seed);
                Flex::float_from_data(TensorData::new(numbers, dims), &Default::default())
            };
            let how = Scores {
                scale: 1.0,
                softcap: self.how.softcap,
                drop: None,
                reach: spans.reach,
                half: None,
                budget: None,
            };
            let spans = Flex::int_from_data(spans.numbers.clone().into_data(), &Default::default());
            let data = |x: FloatTensor<Flex>| x.into_data().try_into_vec::<f32>().unwrap();
            let native = native::weights(scores(1), &spans, &how, tile);
            let portable = ops::softmax::<Flex>(scores(1), spans.clone(), how, tile);
            // Queries that see nothing are padding.
            let sees = |i: usize| data(native.clone())[i / key.1 * key.1..][..key.1].iter().any(|x| *x > 0.0);
            let (a, b) = (data(native.clone()), data(portable));
            (0..a.len()).filter(|i| sees(*i)).for_each(|i| assert!((a[i] - b[i]).abs() < 1e-6, "{i}: {a:?} {b:?}"));
            let native_slopes = native::slopes(native.clone(), scores(2), scores(1), &how);
            let portable = ops::slopes::<Flex>(native, scores(2), scores(1), how);
            close(&data(native_slopes), &data(portable), 1e-6);
        }
    }
}

#[test]
fn is_what_it_says() {
    for kv_heads in [1, 2, 4] {
        Case { kv_heads, ..plain() }.check();
        Case { kv_heads, time: 1, all: 6, ..plain() }.check();
        Case { kv_heads, time: 2, all: 6, ..plain() }.check();
        Case { kv_heads, time: 19, all: 37, ..plain() }.check();
    }
}

#[test]
fn a_window_hides_what_lies_behind_it() {
    for (time, all) in [(5, 5), (1, 6), (3, 6), (1, 2), (21, 21)] {
        for window in [1, 2, 4, 9, 100] {
            Case { time, all, how: Heads { window: Some(window), ..plain().how }, ..plain() }.check();
        }
    }
}

#[test]
fn a_softcap_limits_the_scores() {
    Case { how: Heads { softcap: Some(0.2), ..plain().how }, ..plain() }.check();
    let how = Heads { softcap: Some(0.5), window: Some(2), ..plain().how };
    Case { how, starts: [0, 1], ..plain() }.check();
}

#[test]
fn padding_in_front_is_not_seen() {
    for (time, all) in [(5, 5), (1, 6), (3, 6)] {
        for starts in [[0, 2], [3, 0]] {
            Case { time, all, starts, ..plain() }.check();
            Case { time, all, starts, how: Heads { window: Some(2), ..plain().how }, ..plain() }.check();
        }
    }
}

#[test]
fn sequences_that_share_a_row_do_not_see_each_other() {
    packed().check();
    Case { how: Heads { window: Some(2), ..plain().how }, ..packed() }.check();
}

#[test]
fn an_attention_that_is_not_causal_looks_ahead() {
    let how = Heads { causal: false, ..plain().how };
    Case { how, ..plain() }.check();
    Case { how, starts: [2, 0], ..plain() }.check();
    Case { how, segments: vec![vec![5], vec![3]], ..plain() }.check();
    Case { how: Heads { window: Some(2), ..how }, ..packed() }.check();
}

#[test]
fn every_sequence_sees_the_prefix_within_its_window() {
    for window in [None, Some(2), Some(4)] {
        let how = Heads { window, ..plain().how };
        Case { prefix: 3, how, ..plain() }.check();
        Case { prefix: 2, how, starts: [1, 0], time: 2, ..plain() }.check();
        Case { prefix: 3, how, ..packed() }.check();
    }
}

#[test]
fn differentiates_through_shared_keys() {
    let how = Heads { window: Some(3), softcap: Some(0.5), ..plain().how };
    for case in [Case { how, ..plain() }, Case { prefix: 2, ..packed() }] {
        let drop = Some(Draw::dropout(5, 0.3));
        for (budget, drop) in [(Some(WHOLE), None), (Some(WHOLE), drop), (Some(100), drop), (None, None), (None, drop)]
        {
            differentiates("attention", &case.inputs(), |inputs| {
                case.attend(budget, drop, <[Value; 3]>::try_from(inputs).ok().unwrap())
            });
        }
    }
}

/// More queries than a core takes at a time, forward and back.
#[test]
fn heads_and_tiles_agree() {
    let how = Heads { window: Some(90), softcap: Some(0.5), ..plain().how };
    let long = Case { time: 150, all: 150, ..plain() };
    let cases = [
        long.clone(),
        Case { how, starts: [0, 7], ..long.clone() },
        Case { segments: vec![vec![70, 80], vec![149]], prefix: 3, ..long.clone() },
        Case { how: Heads { causal: false, ..how }, ..long },
    ];
    for (case, drop) in cases.iter().flat_map(|case| [None, Some(Draw::dropout(5, 0.3))].map(|drop| (case, drop))) {
        let found = [Some(WHOLE), None].map(|budget| {
            let leaves = case.inputs().map(|x| x.leaf().unwrap());
            let out = case.attend(budget, drop, leaves.clone());
            let weights = floats(&out.shape(), 9).tracked().into_float().unwrap();
            let mut grads = (out.clone().into_float().unwrap() * weights).sum().backward();
            let grads = leaves.map(|leaf| Value::float(leaf.into_float().unwrap().grad_remove(&mut grads).unwrap(), 4));
            let mut all = out.to_f32().unwrap();
            grads.iter().for_each(|grad| all.extend(grad.to_f32().unwrap()));
            all
        });
        close(&found[1], &found[0], 2e-5);
    }
}

#[test]
fn the_scale_is_that_of_the_head_if_not_given() {
    let attend = |scale| {
        let case = Case { how: Heads { scale, ..plain().how }, ..plain() };
        case.attend(None, None, case.inputs()).to_f32().unwrap()
    };
    assert_eq!(attend(None), attend(Some(1.0 / 3f64.sqrt())));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let [q, _, _] = plain().inputs();
    let kv = floats(&[2, 3, 5, SIZE], 2);
    let error = attention(q, kv.clone(), kv, &plain().how.into(), &plain().spans(), None).err().unwrap().message;
    assert!(error.starts_with("attention of [2, 4, 5, 3], [2, 3, 5, 3]"), "{error}");
}
