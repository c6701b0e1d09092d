//! Whether the processor multiplies tiles, and this program may use them.
//!
//! Rust's own detection of AMX, and its intrinsics, are not stable yet.

use std::{arch::x86_64::*, sync::LazyLock};

/// Bits of what CPUID's leaf 7 leaves in EDX.
const BF16: u32 = 22;
const TILE: u32 = 24;
/// Parts of a thread's state that the system saves: configuration and contents of tiles.
const STATE: u64 = 1 << 17 | 1 << 18;

/// Found out once: the system is asked for its permission, which all threads of the process get.
static AVAILABLE: LazyLock<bool> = LazyLock::new(|| instructions() && saved() && permitted());

pub fn available() -> bool {
    *AVAILABLE
}

fn instructions() -> bool {
    let vectors = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16");
    let edx = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).edx } else { 0 };
    vectors && is_x86_feature_detected!("xsave") && edx >> BF16 & 1 == 1 && edx >> TILE & 1 == 1
}

/// Whether the system keeps tiles when threads take turns.
fn saved() -> bool {
    // SAFETY: `instructions` has found XSAVE, which detection reports only where the system has turned it on.
    #[expect(unsafe_code, reason = "the register that tells has no other interface")]
    let state = unsafe { _xgetbv(0) };
    state & STATE == STATE
}

/// Linux gives tiles to processes that ask for them: they make what it saves of each thread larger.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILES: usize = 18;
    let failed: usize;
    // SAFETY: the call reads its arguments alone and changes no memory of ours.
    #[expect(unsafe_code, reason = "a system call for which the standard library has no function")]
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => failed,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILES,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    failed == 0
}

/// Elsewhere nobody has tried.
#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
