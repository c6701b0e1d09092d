use super::*;
use crate::{kernels::matrix::Right, test::random};

/// All means that this processor has.
fn all() -> Vec<(Means, Split)> {
    let mut all = Vec::new();
    if dots::available() {
        all.push((Means::Dots, Split::Rounded));
    }
    if amx::available() {
        all.extend([(Means::Tiles, Split::Rounded), (Means::Tiles, Split::HighLow)]);
    }
    all
}

fn columns(rows: &Rows, right: Right) -> Columns {
    match right {
        Right::Numbers(matrix) => rows.beside(matrix),
        Right::Halves(matrix) => rows.beside(matrix),
    }
}

fn turned<T: Copy>(x: &[T], rows: usize, columns: usize) -> Vec<T> {
    (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
}

/// Every second number of every row: in no order that packing knows.
fn spread(x: &[f32]) -> Vec<f32> {
    x.iter().flat_map(|x| [*x, f32::NAN]).collect()
}

/// Against 64 bits, with numbers rounded as they should be, or as they are; however the sides lie.
#[test]
fn products_are_those_of_64_bits() {
    let shapes = [
        (1, 1, 1),
        (8, 48, 2),
        (9, 49, 3),
        (70, 400, 33),
        (3, 100, 1030),
        (130, 17, 64),
        (5, 33, 2100),
        (32, 64, 32),
        (5, 4, 0),
    ];
    for (means, split) in all() {
        let round = |x: &f32| match split {
            Split::Rounded => half::bf16::from_f32(*x).to_f32(),
            Split::HighLow => *x,
        };
        for (m, n, k) in shapes {
            let (a, b, c) = (random(m * k, 1), random(k * n, 2), random(m * n, 3));
            let halves: Vec<u16> = b.iter().map(|x| half::bf16::from_f32(*x).to_bits()).collect();
            let (at, bt, halves_t) = (turned(&a, m, k), turned(&b, k, n), turned(&halves, k, n));
            let (apart, bpart) = (spread(&a), spread(&b));
            let lefts = [
                Matrix::new(&a, m, k),
                Matrix::new(&at, k, m).transposed(),
                Matrix::strided(&apart, [m, k], [2 * k, 2]),
            ];
            let rights = [
                Right::from(Matrix::new(&b, k, n)),
                Matrix::new(&bt, n, k).transposed().into(),
                Matrix::strided(&bpart, [k, n], [2 * n, 2]).into(),
                Right::Halves(Matrix::new(&halves, k, n)),
                Right::Halves(Matrix::new(&halves_t, n, k).transposed()),
            ];
            let exact = |right: &dyn Fn(&f32) -> f32| -> Vec<f64> {
                let [a, b] = [a.iter().map(round).collect::<Vec<_>>(), bt.iter().map(right).collect()];
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                (0..m * n).map(|x| dot(&a[x / n * k..][..k], &b[x % n * k..][..k])).collect()
            };
            let of_halves = |x: &f32| half::bf16::from_f32(*x).to_f32();
            let (expected, of_halves) = (exact(&round), exact(&of_halves));
            for (i, j) in (0..lefts.len()).flat_map(|i| (0..rights.len()).map(move |j| (i, j))) {
                let expected = if matches!(rights[j], Right::Halves(_)) { &of_halves } else { &expected };
                let rows = Rows::by(means, lefts[i], split);
                let columns = columns(&rows, rights[j]);
                for before in [0.0, 1.0] {
                    let mut out = c.clone();
                    // SAFETY: as many numbers.
                    #[expect(unsafe_code, reason = "what is tested")]
                    unsafe {
                        multiply(out.as_mut_ptr(), &rows, &columns, before > 0.0);
                    }
                    let limit = 1e-5 * (1.0 + (k as f64).sqrt());
                    for (x, (found, c)) in out.iter().zip(&c).enumerate() {
                        let expected = expected[x] + before * f64::from(*c);
                        assert!(
                            (f64::from(*found) - expected).abs() < limit,
                            "{means:?} {split:?} {m} {n} {k}, {i} {j}, {x}: {found}, not {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// The means that is chosen is one of those tested above, and level by level there are fewer of them.
#[test]
fn what_is_chosen_is_there() {
    for split in [Split::Rounded, Split::HighLow] {
        assert!(means(split).is_none_or(|means| all().contains(&(means, split))));
    }
}

/// One thread or more.
#[test]
fn threads_make_no_difference() {
    for (means, split) in all() {
        let (m, n, k) = (300, 700, 90);
        let (a, b) = (random(m * k, 1), random(k * n, 2));
        let computed = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let rows = Rows::by(means, Matrix::new(&a, m, k), split);
                let columns = rows.beside(Matrix::new(&b, k, n));
                let mut out = vec![0.0; m * n];
                // SAFETY: as many numbers.
                #[expect(unsafe_code, reason = "what is tested")]
                unsafe {
                    multiply(out.as_mut_ptr(), &rows, &columns, false);
                }
                out
            })
        };
        assert!(computed(1) == computed(5), "{means:?} {split:?}");
    }
}
