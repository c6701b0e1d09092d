use super::*;
use crate::{
    test::{differentiates, floats, random},
    value::Value,
};
use burn::{backend::ops::FloatTensorOps, tensor::TensorData};

const NORMS: [Norm; 2] = [Norm { centred: false, eps: 1e-6 }, Norm { centred: true, eps: 1e-5 }];

fn tensor(dims: [usize; 2], seed: u64) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(random(dims[0] * dims[1], seed), dims), &Default::default())
}

fn numbers(x: FloatTensor<Flex>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

#[test]
fn native_and_portable_code_agree() {
    for ([n, width], norm) in
        [[1, 1], [3, 5], [70, 33], [300, 256]].into_iter().flat_map(|d| NORMS.map(|norm| (d, norm)))
    {
        let of = |seed| tensor([1, width], seed);
        let found = numbers(Flex::normed(tensor([n, width], 1), of(2), of(3), norm));
        let expected = numbers(norm.applied::<Flex>(tensor([n, width], 1), of(2), of(3)));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{n} {width} {norm:?}");
        let found = numbers(Flex::normed_weight(tensor([n, width], 1), tensor([n, width], 4), norm));
        let expected = numbers(norm.of_weight::<Flex>(tensor([n, width], 1), tensor([n, width], 4)));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{n} {width} {norm:?}");
    }
}

#[test]
fn are_differentiated() {
    for norm in NORMS {
        let inputs = [floats(&[3, 5], 1), floats(&[5], 2), floats(&[5], 3)];
        let inputs = &inputs[..if norm.centred { 3 } else { 2 }];
        differentiates("norm", inputs, |x| {
            let mut x = x.into_iter().map(|x| x.into_float().unwrap());
            let (x, weight, bias) = (x.next().unwrap(), x.next().unwrap(), x.next());
            Value::float(normed(x, weight, bias, norm), 2)
        });
    }
}
