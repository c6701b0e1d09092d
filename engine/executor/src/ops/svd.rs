//! Singular values and vectors, on the host in 64 bits.

use super::{super::value::Value, eigen};
use burn::tensor::{Tensor as Burn, TensorData};
use framework_core::{DType, PluginError, Result, ffi::HostTensor};

/// The `k` largest singular values of a matrix `[m, n]`, each row a left vector, the value, and a right vector.
///
/// They come from the eigenvectors of the smaller of `W·Wᵀ` and `Wᵀ·W`: in 64 bits these are exact enough for weights of
/// 32, and are found much sooner than by bidiagonalisation.
pub(super) fn svd(x: Value, k: usize) -> Result<Value> {
    let shape = x.shape();
    let (m, n) = match shape[..] {
        [m, n] if k <= m.min(n) => (m, n),
        _ => return Err(PluginError::new(format!("{k} singular values of {shape:?}: expected a matrix with as many"))),
    };
    if x.dtype() != DType::F32 {
        return Err(PluginError::new(format!("singular values are not defined for {:?}", x.dtype())));
    }
    let (tracked, device) = (x.is_tracked(), x.device());
    let numbers = x.to_f32()?;
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(PluginError::new(format!("a matrix {shape:?} has no singular values: it holds NaN or infinity")));
    }
    let at = |row: usize, column: usize| f64::from(numbers[row * n + column]);
    let (short, long) = (m.min(n), m.max(n));
    // Rows are as many as there are values.
    let wide: Vec<f64> = match m <= n {
        true => numbers.iter().map(|x| f64::from(*x)).collect(),
        false => (0..n).flat_map(|column| (0..m).map(move |row| (row, column))).map(|(r, c)| at(r, c)).collect(),
    };
    let row = |i: usize| &wide[i * long..][..long];
    let mut gram = vec![0.0; short * short];
    for i in 0..short {
        for j in 0..=i {
            let product = eigen::dot(row(i), row(j));
            (gram[i * short + j], gram[j * short + i]) = (product, product);
        }
    }
    let mut rows = Vec::with_capacity(k * (m + 1 + n));
    for near in eigen::largest(gram, short, k)? {
        let mut far = vec![0.0; long];
        for (i, share) in near.iter().enumerate() {
            far.iter_mut().zip(row(i)).for_each(|(sum, x)| *sum += share * x);
        }
        let value = eigen::dot(&far, &far).sqrt();
        far.iter_mut().for_each(|x| *x = if value > 0.0 { *x / value } else { 0.0 });
        let (left, right) = if m <= n { (near, far) } else { (far, near) };
        rows.extend(left.into_iter().chain([value]).chain(right).map(|number| number as f32));
    }
    let rows = Value::float(Burn::from_data(TensorData::new(rows, [1, 1, 1, k, m + 1 + n]), &device), 2);
    Ok(if tracked { rows.tracked() } else { rows })
}
