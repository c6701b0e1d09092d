//! The command as its users meet it: what it takes, prints, writes and returns.

#[path = "../common/plugins.rs"]
mod plugins;

mod families;
mod generating;
mod killed;
mod libraries;
mod quickstart;
mod registry;
mod setting;
mod showing;
mod texts;
mod wrong;
