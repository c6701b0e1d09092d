//! Backends: which are compiled in, which devices answer, how one is opened.

use super::precision::Half;
use burn::tensor::Device as BurnDevice;
use framework_base::{Error, Problem, Result};
use serde::Serialize;

/// A backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendName {
    /// The central processor.
    Cpu,
    /// Any GPU, through WebGPU's shading language.
    Wgpu,
    /// NVIDIA GPUs.
    Cuda,
}

/// Where tensors live.
#[derive(Clone)]
pub struct Device {
    pub(super) burn: BurnDevice,
    /// Of devices that were opened; not of those that a tensor leads to.
    pub(super) backend: Option<BackendName>,
    /// The format of products, if they are computed in one narrower than 32 bits.
    pub(super) half: Half,
}

/// Whether a device is the processor, whose memory is the host's.
pub(super) fn on_processor(device: &BurnDevice) -> bool {
    matches!(device.clone().inner().as_dispatch(), burn::backend::DispatchDevice::Flex(_))
}

/// A backend as `list-plugins` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct BackendInfo {
    /// Its name in recipes.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Whether this program has it.
    pub compiled_in: bool,
    /// The devices that answer.
    pub devices: Vec<String>,
    /// What to do if there are none.
    pub remedy: Option<String>,
}

const BACKENDS: [(BackendName, &str, &str); 3] = [
    (
        BackendName::Cpu,
        "cpu",
        "The central processor; always there. In f32, and in bf16 where it has AVX512-BF16 or AMX.",
    ),
    (BackendName::Wgpu, "wgpu", "Any GPU through WebGPU's shading language: Vulkan, Metal or DirectX 12."),
    (BackendName::Cuda, "cuda", "NVIDIA GPUs."),
];

fn compiled_in(name: BackendName) -> bool {
    match name {
        BackendName::Cpu => true,
        BackendName::Wgpu => cfg!(feature = "wgpu"),
        BackendName::Cuda => cfg!(feature = "cuda"),
    }
}

fn spelled(name: BackendName) -> &'static str {
    BACKENDS.iter().find(|b| b.0 == name).map_or("cpu", |b| b.1)
}

/// The devices of a backend. Drivers that are missing make some libraries panic: that is an empty list, too.
fn devices(name: BackendName) -> Vec<BurnDevice> {
    framework_core::ffi::guard(|| {
        Ok(match name {
            BackendName::Cpu => vec![BurnDevice::flex()],
            #[cfg(feature = "wgpu")]
            BackendName::Wgpu => BurnDevice::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "cuda")]
            BackendName::Cuda => BurnDevice::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
            #[allow(unreachable_patterns)]
            _ => Vec::new(),
        })
    })
    .unwrap_or_default()
}

fn label(name: BackendName, device: &BurnDevice) -> String {
    match name {
        BackendName::Cpu => {
            let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
            format!("{threads} threads")
        }
        _ => part(device).unwrap_or_else(|| format!("{device:?}")),
    }
}

/// The name of the part behind a device.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn part(device: &BurnDevice) -> Option<String> {
    framework_core::ffi::guard(|| Ok(device.identity().map(|identity| identity.name))).into_result().ok().flatten()
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn part(_: &BurnDevice) -> Option<String> {
    None
}

fn remedy(name: BackendName) -> String {
    match (name, compiled_in(name)) {
        (BackendName::Cpu, _) => String::new(),
        (BackendName::Wgpu, false) => "build with `cargo build --release --features wgpu`".into(),
        (BackendName::Wgpu, true) => {
            "install a driver for Vulkan, Metal or DirectX 12 (on Linux without a GPU: the package \
             mesa-vulkan-drivers), or set backend.name = \"cpu\""
                .into()
        }
        (BackendName::Cuda, false) => "build with `cargo build --release --features cuda`".into(),
        (BackendName::Cuda, true) => {
            "install NVIDIA's driver and check that `nvidia-smi` lists the GPU, or set backend.name = \"cpu\"".into()
        }
    }
}

/// All backends with the devices that answer.
pub fn backends() -> Vec<BackendInfo> {
    let info = |(name, spelled, summary): (BackendName, &'static str, &'static str)| {
        let devices: Vec<_> = devices(name).iter().map(|d| label(name, d)).collect();
        let remedy = devices.is_empty().then(|| remedy(name));
        BackendInfo { name: spelled, summary, compiled_in: compiled_in(name), devices, remedy }
    };
    BACKENDS.map(info).to_vec()
}

impl Device {
    fn new(backend: BackendName, burn: BurnDevice) -> Self {
        Self { burn, backend: Some(backend), half: None }
    }

    /// The backend that it was opened from.
    pub fn backend(&self) -> Option<&'static str> {
        self.backend.map(spelled)
    }

    /// Whether it is the processor, whose memory is the host's.
    pub fn is_processor(&self) -> bool {
        on_processor(&self.burn)
    }

    /// The first processor device, which always answers.
    pub fn cpu() -> Self {
        Self::new(BackendName::Cpu, BurnDevice::flex())
    }

    /// Opens a backend's device by its index, or says in one sentence why not and what to do.
    ///
    /// # Errors
    /// [`Error::Invalid`], about keys of the recipe's `[backend]`.
    pub fn open(backend: BackendName, index: usize) -> Result<Self> {
        let name = spelled(backend);
        let fail = |message: String| {
            Error::invalid(Problem::new(message).key("backend").help(format!("To go on: {}.", remedy(backend))))
        };
        if !compiled_in(backend) {
            return Err(fail(format!("backend `{name}` is not compiled into this program")));
        }
        let found = devices(backend);
        if found.is_empty() {
            return Err(fail(format!("backend `{name}` finds no device")));
        }
        let count = found.len();
        found.into_iter().nth(index).map(|burn| Self::new(backend, burn)).ok_or_else(|| {
            let message = format!("backend `{name}` has no device {index}; it has {count}, from 0");
            Error::invalid(Problem::new(message).key("backend.device"))
        })
    }
}
