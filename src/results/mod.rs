//! The run folder: everything that a number in a review can be traced to.
//!
//! `<out>/<name>/<time>-<config hash>/` holds
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the configuration as resolved, every parameter written out |
//! | `run.json` | version, git commit and libtorch of the program, start time, threads, what computed, remarks on the configuration, arguments; processes that resumed it |
//! | `rounds.csv` | a row for every round, flushed as it goes; its columns, and those of the other tables: [`rows`] |
//! | `evaluations.csv` | a row for every evaluation |
//! | `faults.csv` | a row for every worker and round in which something went wrong |
//! | `classes.csv`, `confusion.csv` | with `evaluation.per_class`, a row for every evaluation and class, and for every pair of a class and a prediction that occurred |
//! | `workers.csv` | a row for every worker, in every `record.workers_every` rounds, if that is not 0 |
//! | `timings.csv` | where the time of every round went |
//! | `parameters.safetensors` | the final query point and the model's buffers |
//! | `summary.json` | how the run ended |
//! | `checkpoints/` | from where an unfinished run can go on ([`checkpoint`](crate::checkpoint)) |
//! | `.lock` | held by the process that works in the folder |
//!
//! [`read`] reads such folders back.

mod columns;
mod computation;
mod csv_file;
mod folder;
mod lock;
mod parameters;
pub mod read;
pub mod rows;
mod summary;
pub mod tables;
pub(crate) mod tensors;

pub use columns::{Columns, ReadError};
pub use computation::Computation;
pub use folder::{ResultsError, RunFolder};
pub use lock::{FolderLock, LOCK};
pub(crate) use parameters::PARAMETERS;
pub use parameters::write_parameters;
pub use summary::{BarrierCounts, Status, Summary};
