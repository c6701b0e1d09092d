//! The allocator. The system's returns large blocks at once, and training takes them again at every step.

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_decommits` of mimalloc.h; the crate has no name for it.
const PURGE_DECOMMITS: c_int = 5;

/// What has been free for a second may be taken by the system, which does so when it is short of memory. By default it is given
/// back: a step that lasts longer than that would have it cleared anew, up to a fifth of its time, for 3 % less memory
/// (measured with all weights of a model with 45 million, 8 × 128 tokens). A longer time than a second would save 4 % of a step
/// more, and takes up to a fifth more memory than plans say. `MIMALLOC_PURGE_DECOMMITS` says otherwise.
#[expect(unsafe_code, reason = "mimalloc's crate passes on no options without another dependency")]
pub fn keep_memory() {
    unsafe extern "C" {
        fn mi_option_set_default(option: c_int, value: c_long);
    }
    // SAFETY: the function is mimalloc's, which is linked in; it takes any numbers, and other threads are not there yet.
    unsafe {
        mi_option_set_default(PURGE_DECOMMITS, 0);
    }
}
