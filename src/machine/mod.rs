//! What the machine says of itself: cores, memory that is left, that of a GPU, what this process
//! took of it and since when, how fast memory is read. None stands for what it does not say.
//!
//! Nothing here may affect a result.

mod bandwidth;
mod cores;
mod gpu;
mod memory;
mod process;

pub use bandwidth::read_bandwidth;
pub use cores::cores;
pub use gpu::gpu_memory;
pub use memory::{available_memory, pages_mapped, peak_memory};
pub use process::age;
