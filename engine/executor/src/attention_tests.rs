use super::*;
use crate::test::{beside, close, differentiates, floats};
use framework_core::{Heads, ffi::HostTensor};

/// Sizes of a case: heads share keys, and `all - time` positions came before.
struct Case {
    heads: usize,
    kv_heads: usize,
    time: usize,
    all: usize,
    window: Option<usize>,
    softcap: Option<f64>,
    starts: [usize; 2],
}

/// An attention of this scale.
fn how(scale: Option<f64>, softcap: Option<f64>) -> AttentionSpec {
    Heads { scale, softcap, ..Heads::default() }.into()
}

const SIZE: usize = 3;
const PLAIN: Case = Case { heads: 4, kv_heads: 2, time: 5, all: 5, window: None, softcap: None, starts: [0, 0] };

impl Case {
    fn inputs(&self) -> [Value; 3] {
        let kv = [2, self.kv_heads, self.all, SIZE];
        [floats(&[2, self.heads, self.time, SIZE], 1), floats(&kv, 2), floats(&kv, 3)]
    }

    fn attend(&self, q: Value, k: Value, v: Value) -> Value {
        let mask = mask(&self.starts.map(|start| vec![start; self.time]), 0, self.all, self.window, &Device::cpu());
        let mask = mask.map(|mask| beside(&q, mask));
        attention(q, k, v, &how(Some(0.7), self.softcap), mask, Ok).unwrap()
    }

    /// The definition, one query at a time. None where a query is padding.
    fn by_hand(&self) -> Vec<Option<f32>> {
        let [q, k, v] = self.inputs().map(|t| t.to_f32().unwrap());
        let mut out = Vec::new();
        for row in 0..2 {
            for head in 0..self.heads {
                let shared = row * self.kv_heads + head / (self.heads / self.kv_heads);
                for i in 0..self.time {
                    let at = self.all - self.time + i;
                    let query = &q[((row * self.heads + head) * self.time + i) * SIZE..][..SIZE];
                    let key = |j: usize| &k[(shared * self.all + j) * SIZE..][..SIZE];
                    let near = |j: usize| self.window.is_none_or(|w| at < j + w);
                    let seen: Vec<usize> = (self.starts[row]..=at).filter(|&j| near(j)).collect();
                    let capped = |x: f32| self.softcap.map_or(x, |cap| cap as f32 * (x / cap as f32).tanh());
                    let score =
                        |j: &usize| capped(query.iter().zip(key(*j)).map(|(a, b)| a * b * 0.7).sum::<f32>()).exp();
                    let total: f32 = seen.iter().map(score).sum();
                    for d in 0..SIZE {
                        let mixed = seen.iter().map(|j| score(j) * v[(shared * self.all + j) * SIZE + d]);
                        out.push((!seen.is_empty()).then(|| mixed.sum::<f32>() / total));
                    }
                }
            }
        }
        out
    }

    #[track_caller]
    fn check(&self) {
        let [q, k, v] = self.inputs();
        let found = self.attend(q, k, v);
        assert_eq!(found.shape(), [2, self.heads, self.time, SIZE]);
        let (found, expected) = (found.to_f32().unwrap(), self.by_hand());
        assert!(found.iter().all(|x| x.is_finite()), "padding must not spread: {found:?}");
        let counted: Vec<_> = found.iter().zip(&expected).filter_map(|(a, b)| Some((*a, (*b)?))).collect();
        assert!(counted.len() > found.len() / 2);
        let (found, expected): (Vec<f32>, Vec<f32>) = counted.into_iter().unzip();
        close(&found, &expected, 1e-6);
    }
}

#[test]
fn is_what_it_says() {
    for kv_heads in [1, 2, 4] {
        Case { kv_heads, ..PLAIN }.check();
        Case { kv_heads, time: 1, all: 6, ..PLAIN }.check();
        Case { kv_heads, time: 2, all: 6, ..PLAIN }.check();
    }
}

#[test]
fn a_window_hides_what_lies_behind_it() {
    for (time, all) in [(5, 5), (1, 6), (3, 6), (1, 2)] {
        for window in [1, 2, 4, 100] {
            Case { time, all, window: Some(window), ..PLAIN }.check();
        }
    }
}

#[test]
fn a_softcap_limits_the_scores() {
    Case { softcap: Some(0.2), ..PLAIN }.check();
    Case { softcap: Some(0.5), window: Some(2), starts: [0, 1], ..PLAIN }.check();
}

#[test]
fn padding_in_front_is_not_seen() {
    for (time, all) in [(5, 5), (1, 6), (3, 6)] {
        for starts in [[0, 2], [3, 0]] {
            Case { time, all, starts, ..PLAIN }.check();
            Case { time, all, starts, window: Some(2), ..PLAIN }.check();
        }
    }
}

#[test]
fn no_mask_is_made_where_everything_is_seen() {
    let made = |time: usize, all, window, starts: &[usize]| {
        let first: Vec<_> = starts.iter().map(|&start| vec![start; time]).collect();
        mask(&first, 0, all, window, &Device::cpu()).is_some()
    };
    assert!(!made(1, 6, None, &[0, 0]) && !made(1, 6, Some(6), &[0]));
    assert!(made(1, 6, Some(5), &[0]) && made(1, 6, None, &[0, 1]) && made(2, 6, None, &[0]));
}

#[test]
fn differentiates_through_shared_keys() {
    let case = Case { window: Some(3), softcap: Some(0.5), ..PLAIN };
    differentiates("attention", &case.inputs(), |inputs| {
        let [q, k, v] = <[Value; 3]>::try_from(inputs).ok().unwrap();
        case.attend(q, k, v)
    });
}

#[test]
fn the_scale_is_that_of_the_head_if_not_given() {
    let [q, k, v] = PLAIN.inputs();
    let plain = attention(q.clone(), k.clone(), v.clone(), &how(None, None), None, Ok).unwrap().to_f32().unwrap();
    let scaled = attention(q, k, v, &how(Some(1.0 / 3f64.sqrt()), None), None, Ok).unwrap().to_f32().unwrap();
    assert_eq!(plain, scaled);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let [q, _, _] = PLAIN.inputs();
    let kv = floats(&[2, 3, 5, SIZE], 2);
    let error = attention(q, kv.clone(), kv, &how(None, None), None, Ok).err().unwrap().message;
    assert!(error.starts_with("attention of [2, 4, 5, 3], [2, 3, 5, 3]"), "{error}");
}
