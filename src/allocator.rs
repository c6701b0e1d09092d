//! How the program's memory is managed.

/// The system's allocator returns large blocks at once, and training takes them again at every step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, for which the crate has no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Milliseconds after which memory that is not used is returned: longer than a step takes, of which each needs the same again.
/// With mimalloc's second, a step of a 45M model spends a tenth of its time in clearing pages.
const DELAY: std::ffi::c_long = 10_000;

/// Sets the allocator up; the first thing that the program does, unless the environment says otherwise.
pub fn set_up() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
        return;
    }
    // SAFETY: no other thread is there yet.
    #[expect(unsafe_code, reason = "the allocator's only interface")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, DELAY);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_option_is_the_delay() {
        // SAFETY: options are only read.
        #[expect(unsafe_code, reason = "the allocator's only interface")]
        let delay = unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        // mimalloc's default, which no other option has.
        assert_eq!(delay, 1000);
    }
}
