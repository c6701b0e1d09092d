//! One plugin of each kind, as a third party would write them.

mod compute;
mod data;
mod decode;
mod model;
