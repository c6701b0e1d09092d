//! What is known of values that do not exist.

use super::{keep::Buffer, *};
use crate::{Activation, DType, ModelSpec, Op, Tensor, ffi};
use std::sync::Arc;

fn host() -> Arc<MetaHost> {
    MetaHost::new(&ModelSpec::default(), None, 2, 6).unwrap()
}

fn refused(call: impl FnOnce()) -> String {
    let result = ffi::guard(|| {
        call();
        Ok(())
    });
    PluginError::from(result.unwrap_err()).message
}

#[test]
fn a_choice_among_n_is_each_of_them_once_in_n() {
    let probabilities = host().tensor(&[12, 8], DType::F32);
    let chosen = probabilities.clone().top_k(2);
    let counted = |x: Tensor| x.equal_to(3.0).non_zero().dim(0);
    assert_eq!(counted(chosen.clone().reshape([-1])), 3);
    assert_eq!(counted(chosen.clone().slice(1, 0, 1).swap_dims(0, 1).reshape([-1])), 2);
    assert_eq!(counted(probabilities.clone().argmax(-1).detach().reshape([-1])), 2);
    // Nothing is known of what has been computed with, nor of other numbers.
    assert_eq!(counted((chosen.clone() + chosen).reshape([-1])), 24);
    assert_eq!(counted(probabilities.reshape([-1])), 96);
}

#[test]
fn the_length_is_that_of_the_pass() {
    assert_eq!(host().context().length(), 6);
}

#[test]
fn a_balance_is_of_all_tokens() {
    let host = host();
    let of = |rows: usize, experts: usize| host.tensor(&[rows, experts], DType::F32);
    host.context().balance("router", of(12, 4), of(12, 4), 0.1);
    for (chosen, probabilities) in [(of(12, 4), of(12, 5)), (of(6, 4), of(6, 4))] {
        let shapes = format!("{:?} and {:?}", chosen.shape(), probabilities.shape());
        let message = refused(|| host.context().balance("router", chosen, probabilities, 0.1));
        assert_eq!(message, format!("balance `router` of {shapes}: expected [batch * time, experts]"));
    }
}

/// Sizes that no memory has are told on shapes, and counted without overflow.
#[test]
fn what_fits_into_no_memory_is_refused() {
    let host = MetaHost::new(&ModelSpec::default(), None, 1, 1).unwrap();
    let huge = |op: Op| {
        let result = ffi::guard(|| Ok(host.tensor(&[1, 3], DType::F32).execute(op, [])));
        PluginError::from(result.into_result().map(drop).unwrap_err()).message
    };
    for shape in [vec![1 << 60, 3], vec![1 << 32, 1 << 32, 3]] {
        let e = huge(Op::Expand { shape: shape.clone().into() });
        assert!(e.starts_with("Expand {") && e.contains(&format!("of [1, 3] would have the shape {shape:?}")), "{e}");
    }
}

/// Sums over what is kept, each memory counted once.
#[test]
fn the_way_back_keeps_what_it_needs() {
    let kept = |f: &dyn Fn(Tensor, Tensor) -> Tensor| {
        let host = host();
        let made = |tracked| {
            let tensor: MetaTensor = ffi::unwrap(host.tensor(&[2, 5], DType::F32)).unwrap();
            ffi::wrap(MetaTensor { tracked, ..tensor })
        };
        f(made(true), made(false));
        host.cost().kept
    };
    const ONE: u64 = 40;
    // A factor is kept for the other's gradient; a constant has none.
    assert_eq!(kept(&|x, c| x * c), ONE);
    assert_eq!(kept(&|x, _| x.clone() * x), ONE);
    assert_eq!(kept(&|x, c| x.exp() * c), 2 * ONE);
    assert_eq!(kept(&|_, c| c.clone().exp() * c), 0);
    assert_eq!(kept(&|x, c| x + c), 0);
    // Views are no memory of their own.
    assert_eq!(kept(&|x, _| x.exp().reshape([5, 2]).swap_dims(0, 1).log()), ONE);
    assert_eq!(kept(&|x, _| x.detach().exp()), 0);
    assert_eq!(kept(&|x, c| x.activate(Activation::Silu) + c), ONE);
}

/// Of a projection with a frozen weight nothing is kept, of one with a trained weight its input.
#[test]
fn parameters_are_no_activations() {
    let host = host();
    let weight = |tracked| -> Tensor {
        let tensor: MetaTensor = ffi::unwrap(host.tensor(&[7, 5], DType::F32)).unwrap();
        ffi::wrap(MetaTensor { tracked, buffer: Buffer::of_param(), ..tensor })
    };
    let input = |tracked| -> Tensor {
        let tensor: MetaTensor = ffi::unwrap(host.tensor(&[3, 5], DType::F32)).unwrap();
        ffi::wrap(MetaTensor { tracked, ..tensor })
    };
    input(true).linear(weight(false));
    assert_eq!(host.cost().kept, 0);
    input(true).linear(weight(true));
    assert_eq!(host.cost().kept, 60);
    assert_eq!(host.cost().largest, 4 * 21);
}
