//! Sessions of the console: how visitors get in, what they may do, and how they are out again.

mod development;
mod ends;
mod fleet;
mod forms;
mod hand_over;
mod openers;
mod stores;
mod unseen;
mod visitor;
mod world;
