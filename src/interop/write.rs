//! The results of the subcommands that work on matrices, as whole files.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use phalanx_robust::{Dtype, Vector};
use serde::Serialize;

use super::{InteropError, Problem, npy};
use crate::whole;

/// Writes `vector` as a one-dimensional `.npy` file of its own number format.
///
/// # Errors
/// [`Problem::Write`].
pub fn write_vector(path: &Path, vector: &Vector) -> Result<(), InteropError> {
    write_array(path, &[vector.len()], std::slice::from_ref(vector))
}

/// Writes `rows`, which are alike, as a two-dimensional `.npy` file.
///
/// # Errors
/// [`Problem::Write`].
pub fn write_matrix(path: &Path, rows: &[Vector]) -> Result<(), InteropError> {
    write_array(path, &[rows.len(), rows.first().map_or(0, Vector::len)], rows)
}

/// Writes `value` as JSON.
///
/// # Errors
/// [`Problem::Write`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), InteropError> {
    at(path, |to| {
        serde_json::to_writer_pretty(&mut *to, value)?;
        to.write_all(b"\n")
    })
}

fn write_array(path: &Path, shape: &[usize], rows: &[Vector]) -> Result<(), InteropError> {
    let dtype = rows.first().map_or(Dtype::F32, Vector::dtype);
    at(path, |to| {
        to.write_all(&npy::preamble(dtype, shape))?;
        rows.iter().try_for_each(|row| write_row(to, row))
    })
}

fn write_row(to: &mut impl Write, row: &Vector) -> io::Result<()> {
    if let Some(values) = row.as_f32() {
        return values.iter().try_for_each(|v| to.write_all(&v.to_le_bytes()));
    }
    row.to_f64().iter().try_for_each(|&v| match row.dtype() {
        Dtype::F32 => to.write_all(&(v as f32).to_le_bytes()),
        Dtype::F64 => to.write_all(&v.to_le_bytes()),
    })
}

fn at(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), InteropError> {
    whole::write(path, content).map_err(|error| InteropError::at(path)(Problem::Write(error)))
}
