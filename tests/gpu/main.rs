//! What only a GPU can show (`make test-gpu`): the first one that libtorch finds. Without one, or without MNIST in the
//! folder that PHALANX_DATA names, nothing is tested, and every test says so.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

mod rules;
mod runs;
mod waits;

use std::path::{Path, PathBuf};

use tch::Cuda;

/// Whether a test can be made. It is called once in each.
fn there_is_a_gpu() -> bool {
    let found = Cuda::is_available();
    if !found {
        println!("libtorch finds no GPU: not tested");
    }
    found
}

/// A folder in which a test runs configuration 1 on the GPU.
struct Place {
    folder: tempfile::TempDir,
    experiment: String,
}

impl Place {
    /// `None` without a GPU or without MNIST.
    fn new() -> Option<Self> {
        let data = std::env::var_os("PHALANX_DATA").map(PathBuf::from);
        if !there_is_a_gpu() {
            return None;
        }
        if !data.is_some_and(|data| data.join("mnist").is_dir()) {
            println!("PHALANX_DATA names no folder with MNIST: not tested");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let experiment = folder.path().join("gpu.toml");
        std::fs::write(&experiment, include_str!("../../experiments/mnist.toml")).unwrap();
        Some(Self { experiment: experiment.display().to_string(), folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}
