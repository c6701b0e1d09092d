//! What people look at: event files for TensorBoard, plots and pages.
//!
//! The crate is given numbers and texts. It knows no recipe, no run folder and no model.

pub mod difference;
pub mod page;
pub mod plot;
pub mod tensorboard;
mod text;
