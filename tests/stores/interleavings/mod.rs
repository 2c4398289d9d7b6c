//! No change takes effect by an actor who may not make it at that moment, and a rejected change leaves no trace, whatever happens
//! between any two of its steps.

mod book;
mod busy;
mod cast;
mod changes;
mod crossing;
mod crowd;
mod file;
mod losses;
mod memory;
mod mutual;
mod pairs;
mod postgres;
mod proxy;
mod scene;
mod schedule;
mod sqlite;
mod steps;
mod stopped;
mod threads;
