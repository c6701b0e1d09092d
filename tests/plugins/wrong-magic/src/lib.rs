//! A symbol of our header's name that is not our header.

/// Something else.
#[unsafe(no_mangle)]
#[used]
static framework_plugin_header: [u64; 8] = [7; 8];
