//! Readers of binary files: `.npy`, safetensors, IDX (plain and gzip), CIFAR.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use phalanx::{
    data::{cifar, idx},
    interop::MatrixFile,
};
use proptest::prelude::{ProptestConfig, proptest};

use crate::{
    damage::{damaged, damages},
    scale::largest,
};

/// What a reader may take beyond a few times the file: buffers, paths, messages.
const SPARE: usize = 1 << 18;

fn matrix_seed(rows: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 5), }}\n");
    let size = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &size[..], header.as_bytes(), &vec![1; rows * 20]].concat()
}

fn tensors_seed(rows: usize) -> Vec<u8> {
    let end = rows * 20;
    let header = format!(r#"{{"x":{{"dtype":"F32","shape":[{rows},5],"data_offsets":[0,{end}]}}}}"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![1; end]].concat()
}

fn idx_seed(count: u8) -> Vec<u8> {
    let head = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 4];
    [&head[..], &vec![9; usize::from(count) * 16]].concat()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Reads `content` as a matrix in a file of that name; whatever comes of it took no more than the file is long.
fn read_matrix(name: &str, content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let (read, bytes) = largest(|| MatrixFile::open(&path).and_then(MatrixFile::read));
    if let Ok(rows) = &read {
        let numbers: usize = rows.iter().map(phalanx_robust::Vector::len).sum();
        assert!(numbers * 4 <= content.len(), "{numbers} numbers from {} bytes", content.len());
    }
    assert!(bytes <= 4 * content.len() + SPARE, "{bytes} bytes at once for {} of a file", content.len());
    if let Err(error) = read {
        let said = error.to_string();
        assert!(said.contains(name) && said.len() < 2000, "{said}");
    }
}

fn read_idx(content: &[u8]) {
    const LIMIT: u64 = 1 << 16;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some-idx");
    fs::write(&path, content).unwrap();
    let (read, bytes) = largest(|| idx::read(&path, LIMIT));
    assert!(bytes <= 3 * LIMIT as usize + 2 * SPARE, "{bytes} bytes at once");
    match read {
        Ok(idx) => assert_eq!(idx.dimensions.iter().product::<usize>(), idx.elements.len()),
        Err(error) => assert!(error.to_string().contains("some-idx"), "{error}"),
    }
}

fn read_cifar(form: cifar::Form, content: &[u8]) {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let (read, bytes) = largest(|| form.append(Path::new("batch"), content, &mut pixels, &mut labels));
    assert!(bytes <= 4 * content.len() + SPARE, "{bytes} bytes at once");
    if read.is_ok() {
        assert_eq!(pixels.len(), labels.len() * cifar::IMAGE);
        assert!(labels.iter().all(|&label| usize::from(label) < form.classes()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn npy(rows in 1usize..300, damages in damages()) {
        read_matrix("bad.npy", &damaged(&matrix_seed(rows), &damages));
    }

    #[test]
    fn safetensors(rows in 1usize..300, damages in damages()) {
        read_matrix("bad.safetensors", &damaged(&tensors_seed(rows), &damages));
    }

    #[test]
    fn idx_files(count in 1u8.., damages in damages()) {
        read_idx(&damaged(&idx_seed(count), &damages));
        read_idx(&damaged(&packed(&idx_seed(count)), &damages));
    }

    #[test]
    fn cifar_records(count in 1usize..4, damages in damages()) {
        for form in [cifar::TEN, cifar::HUNDRED] {
            read_cifar(form, &damaged(&vec![3; count * form.record()], &damages));
        }
    }

    #[test]
    fn noise(content in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        read_matrix("bad.npy", &content);
        read_matrix("bad.safetensors", &content);
        read_idx(&content);
        read_cifar(cifar::TEN, &content);
        read_cifar(cifar::HUNDRED, &content);
    }
}

#[test]
fn undamaged_files_are_read() {
    for (name, content) in [("good.npy", matrix_seed(9)), ("good.safetensors", tensors_seed(9))] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        let file = MatrixFile::open(&folder.path().join(name)).unwrap();
        assert_eq!((file.m(), file.d()), (9, 5), "{name}");
    }
}

/// A file of a few kilobytes that would unpack to a gigabyte.
#[test]
fn a_file_that_swells_is_cut_off() {
    let mut content = vec![0, 0, 8, 1, 0x40, 0, 0, 0];
    content.resize(64 << 20, 0);
    read_idx(&packed(&content));
}
