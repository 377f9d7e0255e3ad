//! A matrix in a file, of either format.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use phalanx_robust::{Dtype, Vector};

use super::{InteropError, Problem, layout::Layout, memory::require_memory, npy, safetensors};

/// Numbers that are converted at a time.
const PIECE: usize = 1 << 14;

/// A file that holds an m×d matrix; its header is read, and agrees with the length of the file.
#[derive(Debug)]
pub struct MatrixFile {
    path: PathBuf,
    file: File,
    layout: Layout,
}

impl MatrixFile {
    /// Opens `path` and reads the header. A `.npy` file is known by its first bytes, a safetensors file by
    /// its name.
    ///
    /// # Errors
    /// [`InteropError`], also for a vector.
    pub fn open(path: &Path) -> Result<Self, InteropError> {
        let opened = Self::open_any(path)?;
        if opened.layout.vector {
            return Err(InteropError::at(path)(Problem::Dimensions(vec![opened.d() as u64])));
        }
        Ok(opened)
    }

    /// [`open`](Self::open), and a vector is taken as a matrix of one row.
    ///
    /// # Errors
    /// [`InteropError`].
    pub fn open_any(path: &Path) -> Result<Self, InteropError> {
        let mut file = File::open(path).map_err(InteropError::at(path))?;
        let layout = layout(path, &mut file).map_err(InteropError::at(path))?;
        Ok(Self { path: path.to_owned(), file, layout })
    }

    /// Number of rows.
    pub fn m(&self) -> usize {
        self.layout.m
    }

    /// Number of columns.
    pub fn d(&self) -> usize {
        self.layout.d
    }

    /// Number format.
    pub fn dtype(&self) -> Dtype {
        self.layout.dtype
    }

    /// The rows.
    ///
    /// # Errors
    /// [`Problem::Memory`], or [`Problem::Read`].
    pub fn read(mut self) -> Result<Vec<Vector>, InteropError> {
        require_memory(self.layout.bytes()).map_err(InteropError::at(&self.path))?;
        self.rows().map_err(InteropError::at(&self.path))
    }

    fn rows(&mut self) -> io::Result<Vec<Vector>> {
        let Layout { dtype, m, d, offset, .. } = self.layout;
        self.file.seek(SeekFrom::Start(offset))?;
        let mut reader = &self.file;
        let row = |_| match dtype {
            Dtype::F32 => row(&mut reader, d, f32::from_le_bytes).map(Vector::from),
            Dtype::F64 => row(&mut reader, d, f64::from_le_bytes).map(Vector::from),
        };
        (0..m).map(row).collect()
    }
}

fn layout(path: &Path, file: &mut File) -> Result<Layout, Problem> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut start = Vec::new();
    file.take(npy::MAGIC.len() as u64).read_to_end(&mut start)?;
    if start == npy::MAGIC {
        return npy::layout(BufReader::new(file), metadata.len());
    }
    if path.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Problem::Format);
    }
    file.rewind()?;
    safetensors::layout(BufReader::new(file), metadata.len())
}

fn row<T, const N: usize>(reader: &mut impl Read, d: usize, number: fn([u8; N]) -> T) -> io::Result<Vec<T>> {
    let mut bytes = vec![0; PIECE.min(d) * N];
    let mut row = Vec::with_capacity(d);
    while row.len() < d {
        let piece = &mut bytes[..PIECE.min(d - row.len()) * N];
        reader.read_exact(piece)?;
        row.extend(piece.as_chunks().0.iter().map(|&chunk| number(chunk)));
    }
    Ok(row)
}
