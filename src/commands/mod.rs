//! One file per sub-command.

pub mod chat;
pub mod check;
pub mod check_plugin;
pub mod compare;
pub mod completions;
pub mod describe;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod generate;
pub mod init;
pub mod list_plugins;
pub mod man;
pub mod new_plugin;
pub mod prepare;
pub mod preview;
pub mod report;
pub mod runs;
pub mod schema;
pub mod sweep;
pub mod tokenizer;
pub mod train;
pub mod verify;
pub mod verify_resume;
