//! Tensors that compute nothing and remember what was asked of them.

use framework_core::{DType, Op, Result, Tensor, ffi};

/// A tensor that knows the expression that gave it.
#[derive(Clone)]
pub struct Traced {
    text: String,
    shape: Vec<usize>,
}

/// A tensor of this name.
pub fn traced(name: &str, shape: &[usize]) -> Tensor {
    ffi::wrap(Traced { text: name.into(), shape: shape.into() })
}

/// The expression that gave a tensor.
pub fn text(tensor: Tensor) -> Result<String> {
    Ok(ffi::unwrap::<Traced>(tensor)?.text)
}

impl ffi::HostTensor for Traced {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        DType::F32
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        let texts: Vec<_> = operands.iter().map(|t| t.text.as_str()).collect();
        let shape = operands.first().map(|t| t.shape.clone()).unwrap_or_default();
        Ok(Traced { text: format!("{op:?}({})", texts.join(", ")), shape })
    }
}
