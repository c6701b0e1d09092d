//! The command as its users meet it: what it takes, prints, writes and returns.

#[path = "../common/plugins.rs"]
mod plugins;
#[path = "../common/hub.rs"]
mod server;

mod architectures;
mod book;
mod caching;
mod chatting;
mod comparing;
mod completing;
mod doctor;
mod export;
mod families;
mod generating;
mod hints;
mod hub;
mod inheriting;
mod init;
mod killed;
mod libraries;
mod listing;
mod locking;
mod magazine;
mod metrics;
mod objectives;
mod plans;
mod precision;
mod prepare;
mod process_func;
mod quantized;
mod quickstart;
mod recipes;
mod registry;
mod remedies;
mod reports;
mod rows;
mod runs;
mod schema;
mod screen;
mod setting;
mod showing;
mod sweeping;
mod tensorboard;
mod texts;
mod third_party;
mod trainer;
mod verifying;
mod wrong;
