//! The device that a recipe asks for.

use framework_base::Result;
use framework_executor::{BackendName, Device, Frozen};
use framework_recipe::{self as recipe, Backend};

/// Opens the device of a recipe's `[backend]`.
///
/// # Errors
/// The backend is not compiled in, finds no device, or cannot do what is asked for: `Error::Invalid` about the key.
pub fn device(backend: &Backend) -> Result<Device> {
    let name = match backend.name {
        recipe::BackendName::Cpu => BackendName::Cpu,
        recipe::BackendName::Wgpu => BackendName::Wgpu,
        recipe::BackendName::Cuda => BackendName::Cuda,
    };
    let frozen = match backend.frozen {
        recipe::Frozen::F32 => Frozen::F32,
        recipe::Frozen::Stored => Frozen::Stored,
    };
    Device::open(name, backend.device, frozen)
}
