//! Singular values by one-sided Jacobi rotations (Hestenes, 1958).

use super::{Array, Dual};

/// Rows `[u, s, v]` of the `k` largest singular values of a matrix `[m, n]`: see [`crate::Tensor::svd`]. Nothing moves.
pub(super) fn largest(x: &Array, k: usize) -> Vec<Dual> {
    let (m, n, values) = (x.shape[0], x.shape[1], x.values());
    // Columns are made orthogonal; there are not to be more of them than rows.
    let transposed = m < n;
    let (rows, columns) = if transposed { (n, m) } else { (m, n) };
    let at = |r: usize, c: usize| if transposed { values[c * n + r] } else { values[r * n + c] };
    let mut left: Vec<Vec<f64>> = (0..columns).map(|c| (0..rows).map(|r| at(r, c)).collect()).collect();
    let mut right: Vec<Vec<f64>> =
        (0..columns).map(|c| (0..columns).map(|r| f64::from(u8::from(r == c))).collect()).collect();
    // Each sweep squares what is left; ten are enough for 64 bits.
    for _ in 0..30 {
        let mut rest: f64 = 0.0;
        for p in 0..columns {
            for q in p + 1..columns {
                let (a, b, c) = (dot(&left[p], &left[p]), dot(&left[q], &left[q]), dot(&left[p], &left[q]));
                if c.abs() <= 1e-15 * (a * b).sqrt() {
                    continue;
                }
                rest = rest.max(c.abs() / (a * b).sqrt());
                let zeta = (b - a) / (2.0 * c);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = (1.0 + tangent * tangent).sqrt().recip();
                turn(&mut left, (p, q), cosine, cosine * tangent);
                turn(&mut right, (p, q), cosine, cosine * tangent);
            }
        }
        if rest < 1e-14 {
            break;
        }
    }
    let lengths: Vec<f64> = left.iter().map(|column| dot(column, column).sqrt()).collect();
    let mut order: Vec<_> = (0..columns).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    let mut out = Vec::new();
    for &column in order.iter().take(k) {
        let length = lengths[column];
        let unit: Vec<_> = left[column].iter().map(|x| if length > 0.0 { x / length } else { 0.0 }).collect();
        let other: Vec<_> = right[column].iter().map(|x| if length > 0.0 { *x } else { 0.0 }).collect();
        let (u, v) = if transposed { (other, unit) } else { (unit, other) };
        out.extend(u.into_iter().chain([length]).chain(v).map(Dual::from));
    }
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn turn(columns: &mut [Vec<f64>], (p, q): (usize, usize), cosine: f64, sine: f64) {
    for row in 0..columns[p].len() {
        let (a, b) = (columns[p][row], columns[q][row]);
        (columns[p][row], columns[q][row]) = (cosine * a - sine * b, sine * a + cosine * b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_give_the_matrix_back() {
        for (m, n) in [(4, 3), (3, 4), (1, 5), (3, 3)] {
            let numbers: Vec<f64> = (0..m * n).map(|i| ((i * 37 % 11) as f64 - 5.0) / 3.0).collect();
            let k = m.min(n);
            let parts: Vec<f64> =
                largest(&Array::floats(&[m, n], numbers.clone()), k).iter().map(|x| x.value).collect();
            let row = |i: usize| &parts[i * (m + 1 + n)..(i + 1) * (m + 1 + n)];
            assert!((1..k).all(|i| row(i - 1)[m] >= row(i)[m]), "{m} x {n}");
            for (index, expected) in numbers.iter().enumerate() {
                let (r, c) = (index / n, index % n);
                let found: f64 = (0..k).map(|i| row(i)[r] * row(i)[m] * row(i)[m + 1 + c]).sum();
                assert!((found - expected).abs() < 1e-12, "{m} x {n} at {r}, {c}: {found}, {expected}");
            }
        }
    }
}
