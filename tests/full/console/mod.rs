//! The pages of the console, over real sockets.

mod addresses;
mod answers;
mod browser;
mod chromium;
mod filters;
mod life;
mod mass_revoke;
mod members;
mod operators;
mod others;
mod plans;
mod servers;
mod sessions;
mod sign_in;
mod sizes;
mod texts;
mod world;
