//! Many runs from one file: [`grid`] expands the table `[sweep]`, [`cells`]
//! checks what comes out, [`pool`] runs each cell as a process, and
//! [`manifest`] says how each stands. [`slurm`] hands cells to a cluster instead;
//! [`select`] picks hyper-parameters from what came out.
//!
//! `<out>/<name>/` holds `sweep.json` and a run folder for every cell, named by
//! the hash of its configuration: the same cell has the same folder in every
//! call, so what is finished is not run again.

pub mod cells;
pub mod folder;
pub mod grid;
pub mod manifest;
pub mod pool;
pub mod process;
pub mod select;
pub mod slurm;
