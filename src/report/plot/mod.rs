//! The kinds of pictures, each from plain values to SVG; knows no runs.

mod bars;
mod canvas;
mod grid;
mod heat;
mod raster;
mod ticks;

pub use bars::{Bar, Bars};
pub use canvas::{DrawError, Entry};
pub use grid::{Axis, Grid, Line, Point};
pub use heat::{Cell, Heat};
pub use raster::{FONT, png};
