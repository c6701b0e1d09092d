//! Finds plugins, linked in or in dynamic libraries, and answers what there is.
//!
//! [`Registry::open`] collects every plugin once; [`Registry::find`] and [`Registry::by_alias`] look one up; an
//! [`Entry`] describes and builds it. [`check`] tries plugins out, [`scaffold`] writes the crate of a new one.

pub mod check;
mod entry;
mod error;
mod hash;
mod loader;
mod registry;
pub mod scaffold;
mod sources;

pub use entry::{Entry, Origin};
pub use error::{LoadError, Problem, RegistryError, Unknown};
pub use registry::Registry;
pub use sources::{PATH_VARIABLE, Sources};
