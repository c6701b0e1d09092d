//! What the processor can do, and what becomes of it.

use super::{LEVEL, Level};
use crate::precision::Narrow;
use serde::Serialize;

/// The environment variable that lowers the level of vector instructions.
pub(super) const VARIABLE: &str = "FRAMEWORK_CPU";
/// Its values.
const VALUES: [&str; 3] = ["portable", "avx2", "avx512"];

/// The processor as the kernels see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// The vector instructions that it has, of those that matter here.
    pub features: Vec<&'static str>,
    /// The value of `FRAMEWORK_CPU`, if it is set.
    pub limit: Option<String>,
    /// Whether that value means anything.
    pub limit_known: bool,
    /// The kernels with the instructions that each is computed by.
    pub kernels: Vec<Kernel>,
}

/// Operators that are computed by one kind of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// The operators.
    pub name: &'static str,
    /// The instructions.
    pub by: &'static str,
}

impl Processor {
    /// This machine's, with the level that `FRAMEWORK_CPU` allows.
    pub fn detect() -> Self {
        let limit = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
        let limit_known = limit.as_deref().is_none_or(|value| VALUES.contains(&value));
        let loops = match *LEVEL {
            Level::Portable => portable(),
            Level::Avx2 => avx2(),
            Level::Avx512 | Level::Widest => widest(),
        };
        let codes = if super::wide_codes() { "AVX-512" } else { portable() };
        let in_16_bits = |narrow| if super::has(narrow) { in_16_bits() } else { "none: computed in f32" };
        let kernels = vec![
            Kernel { name: "norms, softmax, activations, sums, optimizers", by: loops },
            Kernel { name: "products of matrices in f32", by: products() },
            Kernel { name: "products of matrices in bf16", by: in_16_bits(Narrow::Bf16) },
            Kernel { name: "products of matrices in high", by: in_16_bits(Narrow::High) },
            Kernel { name: "4-bit weights", by: codes },
        ];
        Self { features: features(), limit, limit_known, kernels }
    }
}

/// Those that every processor of the architecture has.
fn portable() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "SSE2",
        "aarch64" => "NEON",
        _ => "no vector instructions",
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2() -> &'static str {
    if pulp::x86::V3::try_new().is_some() { "AVX2 and FMA" } else { portable() }
}

#[cfg(not(target_arch = "x86_64"))]
fn avx2() -> &'static str {
    portable()
}

/// Those of products in 16 bits, where there are any.
#[cfg(target_arch = "x86_64")]
fn in_16_bits() -> &'static str {
    if super::bf16::has_tiles() { "AMX" } else { "AVX512-BF16" }
}

#[cfg(not(target_arch = "x86_64"))]
fn in_16_bits() -> &'static str {
    portable()
}

/// Those that `pulp` chooses: with all parts of AVX-512 that it asks for.
#[cfg(target_arch = "x86_64")]
fn widest() -> &'static str {
    let parts = [
        is_x86_feature_detected!("avx512f"),
        is_x86_feature_detected!("avx512bw"),
        is_x86_feature_detected!("avx512cd"),
        is_x86_feature_detected!("avx512dq"),
        is_x86_feature_detected!("avx512vl"),
    ];
    if parts == [true; 5] { "AVX-512" } else { avx2() }
}

/// Those that `gemm` chooses, which `FRAMEWORK_CPU` does not change.
#[cfg(target_arch = "x86_64")]
fn products() -> &'static str {
    if is_x86_feature_detected!("avx512f") { "AVX-512" } else { avx2() }
}

#[cfg(not(target_arch = "x86_64"))]
fn widest() -> &'static str {
    portable()
}

#[cfg(not(target_arch = "x86_64"))]
fn products() -> &'static str {
    portable()
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    let all = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ("amx-bf16", super::bf16::knows_tiles()),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected;
    let all = [
        ("neon", is_aarch64_feature_detected!("neon")),
        ("fp16", is_aarch64_feature_detected!("fp16")),
        ("bf16", is_aarch64_feature_detected!("bf16")),
        ("i8mm", is_aarch64_feature_detected!("i8mm")),
        ("sve", is_aarch64_feature_detected!("sve")),
    ];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_use_no_more_than_the_processor_has() {
        let processor = Processor::detect();
        assert!(processor.kernels.len() == 5 && processor.limit_known);
        let needs =
            [("AVX-512", "avx512f"), ("AVX512-BF16", "avx512bf16"), ("AMX", "amx-bf16"), ("AVX2 and FMA", "fma")];
        for (instructions, feature) in needs {
            let used = processor.kernels.iter().any(|kernel| kernel.by == instructions);
            assert!(!used || processor.features.contains(&feature), "{processor:?}");
        }
    }
}
