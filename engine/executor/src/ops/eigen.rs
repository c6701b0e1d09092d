//! Eigenvectors of symmetric matrices: Householder's tridiagonal form, then the QL method with implicit shifts (Bowdler,
//! Martin, Reinsch and Wilkinson, 1968, doi:10.1007/BF02165404).

use framework_core::{PluginError, Result};

/// Rounds of QL for one eigenvalue; two or three are usual.
const ROUNDS: usize = 100;

/// The sum of products.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums side by side, which the compiler makes vectors of.
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 8];
    for (x, y) in a.zip(b) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum += x * y);
    }
    sums.iter().sum::<f64>() + rest
}

/// A reflection `1 - beta·v·vᵀ` of the last coordinates.
struct Reflection {
    v: Vec<f64>,
    beta: f64,
}

/// The eigenvectors of the `k` largest eigenvalues of a symmetric matrix `[n, n]`, largest first.
pub(super) fn largest(mut matrix: Vec<f64>, n: usize, k: usize) -> Result<Vec<Vec<f64>>> {
    let (mut diagonal, mut beside, reflections) = tridiagonal(&mut matrix, n);
    let vectors = ql(&mut diagonal, &mut beside)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| diagonal[*b].total_cmp(&diagonal[*a]));
    let back = |index: &usize| {
        let mut y = vectors[index * n..][..n].to_vec();
        for Reflection { v, beta } in reflections.iter().rev() {
            let last = &mut y[n - v.len()..];
            let share = beta * dot(v, last);
            last.iter_mut().zip(v).for_each(|(y, v)| *y -= share * v);
        }
        y
    };
    Ok(order[..k].iter().map(back).collect())
}

/// The diagonal, the numbers beside it, and the reflections that lead there.
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<Reflection>) {
    let (mut beside, mut reflections) = (vec![0.0; n], Vec::new());
    for k in 0..n.saturating_sub(1) {
        let mut v = a[k * n + k + 1..][..n - k - 1].to_vec();
        let norm = dot(&v, &v).sqrt();
        beside[k] = v[0];
        if dot(&v[1..], &v[1..]) == 0.0 {
            continue; // as it should be
        }
        beside[k] = -norm.copysign(v[0]);
        v[0] -= beside[k];
        let beta = 2.0 / dot(&v, &v);
        let below = |i: usize| (k + 1 + i) * n + k + 1;
        let mut w: Vec<f64> = (0..v.len()).map(|i| beta * dot(&a[below(i)..][..v.len()], &v)).collect();
        let half = beta / 2.0 * dot(&w, &v);
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= half * v);
        for i in 0..v.len() {
            let row = &mut a[below(i)..][..v.len()];
            row.iter_mut().zip(v.iter().zip(&w)).for_each(|(x, (vj, wj))| *x -= v[i] * wj + w[i] * vj);
        }
        reflections.push(Reflection { v, beta });
    }
    ((0..n).map(|i| a[i * n + i]).collect(), beside, reflections)
}

/// Makes the diagonal the eigenvalues, and returns the eigenvectors of the tridiagonal matrix, one after the other.
fn ql(d: &mut [f64], e: &mut [f64]) -> Result<Vec<f64>> {
    let n = d.len();
    let mut z = vec![0.0; n * n];
    (0..n).for_each(|i| z[i * n + i] = 1.0);
    let size = d.iter().zip(&*e).map(|(d, e)| d.abs() + e.abs()).fold(0.0, f64::max);
    for l in 0..n {
        for round in 0.. {
            let m = (l..n - 1).find(|m| e[*m].abs() <= f64::EPSILON * size).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if round == ROUNDS {
                return Err(PluginError::new("the eigenvectors of a matrix were not found"));
            }
            let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            g = d[m] - d[l] + e[l] / (g + g.hypot(1.0).copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut whole = true;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                let (first, second) = z[i * n..].split_at_mut(n);
                for (x, y) in first.iter_mut().zip(&mut second[..n]) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
            }
            if whole {
                d[l] -= p;
                e[l] = g;
            }
            e[m] = 0.0;
        }
    }
    Ok(z)
}
