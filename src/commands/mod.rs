//! One file per sub-command.

pub mod chat;
pub mod check;
pub mod check_plugin;
pub mod compare;
pub mod describe;
pub mod eval;
pub mod export;
pub mod generate;
pub mod init;
pub mod list_plugins;
pub mod new_plugin;
pub mod prepare;
pub mod preview;
pub mod report;
pub mod sweep;
pub mod tokenizer;
pub mod train;
