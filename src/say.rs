//! What the program says on stderr. All of it goes through `say!`, for `eprintln!` panics where stderr is full or
//! closed, and nothing that is said is worth a run.

use std::{
    fmt::Arguments,
    io::{self, Write},
};

/// Says a line on stderr, in the words of `format!`. What cannot be said is not.
macro_rules! say {
    ($($part:tt)*) => { $crate::say::line(format_args!($($part)*)) };
}

/// Writes `line` and its end in one piece, so that lines of threads do not mix.
pub fn line(line: Arguments) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
