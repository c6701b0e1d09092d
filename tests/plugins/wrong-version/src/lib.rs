//! A header of another version of the interface, as an SDK of the future might write it.
#![allow(non_upper_case_globals)]

/// The form of the header is the same in all versions.
#[repr(C)]
pub struct Header {
    magic: [u8; 8],
    abi_version: u32,
    panic_aborts: u32,
    sdk_version: [u8; 24],
}

#[unsafe(no_mangle)]
#[used]
static framework_plugin_header: Header = Header {
    magic: *b"FRAMEWRK",
    abi_version: 999,
    panic_aborts: 0,
    sdk_version: *b"9.8.7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
};
