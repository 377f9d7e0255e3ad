//! Matrices in the files of other programs: NumPy's `.npy` and safetensors in,
//! `.npy` out. The subcommands that apply a rule or an attack to a file read
//! and write through here; it knows neither rules nor the command line.
//!
//! A file is not trusted: its header is compared with its length before
//! anything of the announced size is allocated, and a matrix that does not fit
//! into the memory that is available is refused.

mod error;
mod layout;
mod matrix_file;
mod memory;
mod npy;
mod safetensors;
mod write;

pub use error::{InteropError, Problem};
pub use matrix_file::MatrixFile;
pub use memory::require_memory;
pub use write::{write_json, write_matrix, write_vector};
