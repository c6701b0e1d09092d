mod gradients;
mod reference;
mod shapes;
mod table;
mod values;

use crate::{
    Transfers, Value,
    test::{beside, floats, ints, run, value},
};
use framework_core::{Activation, DType, Op, Rotary, ffi::HostTensor};
