//! How files hold the weight of a projection, which is `[out, in]` everywhere else.

use framework_core::{Param, Stored};

/// The shape that a parameter has in files.
pub fn shape_in_files(param: &Param) -> Vec<usize> {
    let mut shape = param.shape.clone();
    if turned(param) {
        shape.reverse();
    }
    shape
}

/// A parameter's elements in its own order, from those of a file.
pub fn from_file<T: Copy>(param: &Param, data: Vec<T>) -> Vec<T> {
    match param.shape[..] {
        [out, input] if turned(param) => transposed(&data, input, out),
        _ => data,
    }
}

/// A parameter's elements in the order of files.
pub fn for_file<T: Copy>(param: &Param, data: Vec<T>) -> Vec<T> {
    match param.shape[..] {
        [out, input] if turned(param) => transposed(&data, out, input),
        _ => data,
    }
}

fn turned(param: &Param) -> bool {
    param.stored == Stored::InOut && param.shape.len() == 2
}

/// `[columns, rows]` of a row-major `[rows, columns]`.
fn transposed<T: Copy>(data: &[T], rows: usize, columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| data[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_core::{Dense, Logits, ModelSpec};

    #[test]
    fn weights_are_turned_where_files_hold_them_so() {
        let spec = ModelSpec::declared(|m| {
            m.linear("turned", Dense { input: 3, out: 2, stored: Stored::InOut, ..Dense::default() });
            m.linear("plain", Dense { input: 3, out: 2, ..Dense::default() });
            m.output("head", 3, 4, Logits::default());
        });
        let spec = spec.unwrap();
        let (turned, plain) = (&spec.params[0], &spec.params[1]);
        assert_eq!((shape_in_files(turned), shape_in_files(plain)), (vec![3, 2], vec![2, 3]));
        let own = vec![1, 2, 3, 4, 5, 6];
        assert_eq!(for_file(turned, own.clone()), [1, 4, 2, 5, 3, 6]);
        assert_eq!(from_file(turned, for_file(turned, own.clone())), own);
        assert_eq!(from_file(plain, own.clone()), own);
    }
}
