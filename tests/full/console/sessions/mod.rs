//! Sessions of the console: how visitors get in, what they may do, and how they are out again.

mod chromium;
mod development;
mod ends;
mod fleet;
pub(crate) mod forms;
mod hand_over;
mod openers;
mod stores;
mod unseen;
mod visitor;
mod world;
