//! Where a network is put: the device, and how weights lie in its memory.

use framework_base::{Error, Float, Problem, Result};
use framework_core::{AdapterPlan, Param, Role};
use framework_executor::{BackendName, Device, Precision, Storage};
use framework_recipe::{self as recipe, Backend, Frozen};
use std::collections::BTreeSet;

/// A device, and what is asked for the weights on it that are not trained.
#[derive(Clone)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// The number format of weights that are not trained; none: the adapter's, or that of the precision.
    pub frozen: Option<Frozen>,
    /// The number format of products; the device has it where it can.
    pub precision: recipe::Precision,
    /// Whether scales of 4-bit weights are quantized too.
    pub double_quant: bool,
}

/// All weights in 32 bits, whatever the adapter asks for.
impl From<Device> for Placement {
    fn from(device: Device) -> Self {
        Self { device, frozen: Some(Frozen::F32), precision: recipe::Precision::F32, double_quant: true }
    }
}

impl Placement {
    /// Opens the device of a recipe's `[backend]`.
    ///
    /// # Errors
    /// The backend is not compiled in or finds no device: [`Error::Invalid`] about the key.
    pub fn open(backend: &Backend) -> Result<Self> {
        let name = match backend.name {
            recipe::BackendName::Cpu => BackendName::Cpu,
            recipe::BackendName::Wgpu => BackendName::Wgpu,
            recipe::BackendName::Cuda => BackendName::Cuda,
        };
        if backend.precision == recipe::Precision::Tf32 && name != BackendName::Cuda {
            let message = "`tf32` is a kind of product that the tensor cores of NVIDIA's GPUs have";
            let help = "Set precision = \"f32\", or name = \"cuda\".";
            return Err(Error::invalid(Problem::new(message).key("backend.precision").help(help)));
        }
        let device = Device::open(name, backend.device)?.with(asked(backend.precision));
        let &Backend { frozen, precision, double_quant, .. } = backend;
        Ok(Self { device, frozen, precision, double_quant })
    }

    /// The number format of less than 16 bits that frozen weights get with an adapter, if it is one.
    pub(crate) fn quantized(&self, plan: &AdapterPlan) -> Result<Option<String>> {
        let none = BTreeSet::new();
        let frozen = Keeping::of(plan, &none, self.frozen, self.precision, self.double_quant)?.frozen;
        let few = matches!(frozen, Frozen::Int8 | Frozen::Nf4 | Frozen::Fp4);
        Ok(few.then(|| serde_json::to_value(frozen).ok()?.as_str().map(str::to_owned)).flatten())
    }

    /// What the precision comes to on this device; nothing for 32 bits.
    pub fn precision(&self) -> Option<String> {
        let (name, half) = match self.precision {
            recipe::Precision::High => {
                return Some(match self.device.precision() == Precision::High {
                    true => "products of numbers in two parts of bf16 each; all else in f32".to_owned(),
                    false => "f32: `high` is for processors with AMX".to_owned(),
                });
            }
            recipe::Precision::Bf16 => ("bf16", Precision::Bf16),
            recipe::Precision::F16 => ("f16", Precision::F16),
            recipe::Precision::F32 | recipe::Precision::Tf32 => return None,
        };
        Some(match self.device.precision() == half {
            true => format!("products in {name}; sums, norms, the loss and what is trained in f32"),
            false => format!(
                "{name} for weights that are not trained, which take half the memory and are decoded at each use; this \
                 device computes in f32"
            ),
        })
    }
}

/// The executor's word for a precision.
pub(crate) fn asked(precision: recipe::Precision) -> Precision {
    match precision {
        recipe::Precision::F32 => Precision::F32,
        recipe::Precision::Tf32 => Precision::Tf32,
        recipe::Precision::High => Precision::High,
        recipe::Precision::Bf16 => Precision::Bf16,
        recipe::Precision::F16 => Precision::F16,
    }
}

/// What weights that are not trained are kept in if nobody says anything else.
fn of_precision(precision: recipe::Precision) -> Frozen {
    match precision {
        recipe::Precision::F32 | recipe::Precision::Tf32 | recipe::Precision::High => Frozen::F32,
        recipe::Precision::Bf16 => Frozen::Bf16,
        recipe::Precision::F16 => Frozen::F16,
    }
}

/// How each weight of a network lies in memory: the one place where it is decided, for loading and for planning.
pub(crate) struct Keeping<'a> {
    plan: &'a AdapterPlan,
    /// Names of parameters that stay as they are although the adapter trains them.
    still: &'a BTreeSet<String>,
    frozen: Frozen,
    double: bool,
}

impl<'a> Keeping<'a> {
    /// # Errors
    /// The adapter asks for a number format that is not known.
    pub(crate) fn of(
        plan: &'a AdapterPlan,
        still: &'a BTreeSet<String>,
        asked: Option<Frozen>,
        precision: recipe::Precision,
        double: bool,
    ) -> Result<Self> {
        let frozen = match (asked, &plan.storage) {
            (Some(frozen), _) => frozen,
            (None, None) => of_precision(precision),
            (None, Some(name)) => serde_json::from_value(name.clone().into()).map_err(|_| {
                let message = format!("the adapter wants frozen weights as `{name}`, which is not known here");
                let help = "Set `backend.frozen`, or update the framework.";
                Error::invalid(Problem::new(message).key("adapter.plugin").help(help))
            })?,
        };
        Ok(Self { plan, still, frozen, double })
    }

    /// The number format that was asked for, or that follows from the adapter and the precision.
    pub(crate) fn kept(&self) -> Frozen {
        self.frozen
    }

    /// Whether the number formats of the model's files matter.
    pub(crate) fn reads_formats(&self) -> bool {
        !matches!(self.frozen, Frozen::F32 | Frozen::Bf16 | Frozen::F16)
    }

    /// Whether projections are kept in 4 bits.
    pub(crate) fn in_4_bits(&self) -> bool {
        matches!(self.frozen, Frozen::Nf4 | Frozen::Fp4)
    }

    /// How a parameter of the model is kept; `file` is its format in the model's folder. What is trained, and what has
    /// one dimension, is kept in 32 bits. Less than 16 bits have the projections of the blocks alone, but for routers.
    pub(crate) fn storage(&self, param: &Param, file: Option<Float>) -> Storage {
        let trained = self.plan.trained.contains(&param.name) && !self.still.contains(&param.name);
        if param.shape.len() < 2 || trained {
            return Storage::F32;
        }
        let stored = file.map_or(Storage::F32, Storage::of);
        let quantized = param.role == Role::Linear && param.layer != "router";
        match self.frozen {
            Frozen::F32 => Storage::F32,
            Frozen::Bf16 => Storage::Bf16,
            Frozen::F16 => Storage::F16,
            Frozen::Stored => stored,
            _ if !quantized => stored,
            Frozen::Int8 => Storage::Int8,
            Frozen::Nf4 => Storage::Nf4 { double: self.double },
            Frozen::Fp4 => Storage::Fp4 { double: self.double },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_core::Init;

    fn param(name: &str, shape: &[usize], role: Role) -> Param {
        Param::new(name, shape, Init::Zeros, role)
    }

    #[test]
    fn projections_alone_have_less_than_16_bits() {
        let mut plan = AdapterPlan::default();
        plan.trained.extend(["t.weight".into(), "s.weight".into()]);
        let still = BTreeSet::from(["s.weight".into()]);
        let of = |frozen, name: &str, shape: &[usize], role, file| {
            Keeping::of(&plan, &still, Some(frozen), recipe::Precision::Bf16, true)
                .unwrap()
                .storage(&param(name, shape, role), file)
        };
        let bf16 = Some(Float::BF16);
        assert_eq!(of(Frozen::Nf4, "w.weight", &[4, 4], Role::Linear, bf16), Storage::Nf4 { double: true });
        assert_eq!(of(Frozen::Int8, "w.weight", &[4, 4], Role::Linear, None), Storage::Int8);
        assert_eq!(of(Frozen::Nf4, "e.weight", &[4, 4], Role::Embedding, bf16), Storage::Bf16);
        assert_eq!(of(Frozen::Fp4, "e.weight", &[4, 4], Role::Output, None), Storage::F32);
        assert_eq!(of(Frozen::Nf4, "n.weight", &[4], Role::Norm, bf16), Storage::F32);
        assert_eq!(of(Frozen::Nf4, "t.weight", &[4, 4], Role::Linear, bf16), Storage::F32);
        assert_eq!(of(Frozen::Nf4, "s.weight", &[4, 4], Role::Linear, bf16), Storage::Nf4 { double: true });
        assert_eq!(of(Frozen::Stored, "w.weight", &[4, 4], Role::Linear, Some(Float::F16)), Storage::F16);
        assert_eq!(of(Frozen::Bf16, "e.weight", &[4, 4], Role::Embedding, None), Storage::Bf16);
    }

    #[test]
    fn what_nobody_sets_is_the_adapters() {
        let plan = |storage: Option<&str>| {
            let mut plan = AdapterPlan::default();
            plan.storage = storage.map(Into::into);
            plan
        };
        let none = BTreeSet::new();
        let with =
            |plan: &AdapterPlan, asked, precision| Keeping::of(plan, &none, asked, precision, true).map(|k| k.frozen);
        let frozen = |plan: &AdapterPlan, asked| with(plan, asked, recipe::Precision::F32);
        assert_eq!(with(&plan(None), None, recipe::Precision::F16).unwrap(), Frozen::F16);
        assert_eq!(with(&plan(Some("nf4")), None, recipe::Precision::F16).unwrap(), Frozen::Nf4);
        assert_eq!(frozen(&plan(None), None).unwrap(), Frozen::F32);
        assert_eq!(frozen(&plan(Some("nf4")), None).unwrap(), Frozen::Nf4);
        assert_eq!(frozen(&plan(Some("nf4")), Some(Frozen::F32)).unwrap(), Frozen::F32);
        let error = frozen(&plan(Some("nf3")), None).unwrap_err().to_string();
        assert!(error.contains("`nf3`") && error.contains("backend.frozen"), "{error}");
    }
}
