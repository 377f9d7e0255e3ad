//! The passes over host memory: generic over f32 and f64 rows, over the
//! instruction set, and over the number of threads.
//!
//! Called by `batch::host`, and by `batch::map` for products of maps; they know
//! rows as slices and nothing of vectors, rules of aggregation or devices. Rows
//! are read where they lie. Scratch is one cache-sized tile (and an m×m matrix)
//! per thread.
//!
//! Work is cut into chunks whose size depends on m and d alone, and partial
//! sums are added in the order of the chunks, so results are the same bits
//! for any number of threads.

mod blocks;
mod cells;
mod chunks;
mod columns;
mod elected;
mod linear;
mod mix;
mod mixed;
mod network;
mod products;
mod ranked;
mod reduce;
mod sampled;
mod seen;
mod sorted;
mod tile;
mod weighted;

pub(super) use blocks::{combine_left, left};
pub(super) use chunks::are_few;
pub(super) use columns::columns;
pub(super) use elected::elected_mean;
pub(super) use linear::{combine, differences, distances, distances_within, dots, norms2};
pub(super) use mix::product;
pub(super) use mixed::mixed;
pub(super) use products::{centred, sign_products};
pub(super) use ranked::ranked;
pub(super) use sampled::centred_at;
pub(super) use weighted::weighted_median;
