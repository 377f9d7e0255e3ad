//! Property tests of everything that reads bytes from outside: good files are cut, spliced, flipped, and given lengths
//! that are not true. Nothing may panic, and no allocation may follow the word of a length that was not checked: the
//! allocator of this program counts what a reader takes, and lets none take more than it could need.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod readers;
mod scale;
mod words;

#[global_allocator]
static SCALE: scale::Scale = scale::Scale;
