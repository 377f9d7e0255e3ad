//! Reading of data sets: made-up IDX files, good and broken, and the real files where `PHALANX_DATA` names them.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::{fs, io::Write, path::PathBuf, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use phalanx::data::{self, Augmentation, DataError, DatasetRule, Digest, IdxFolder, Listing, Place, idx};

fn idx_bytes(magic: u32, sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let head = [magic].iter().chain(sizes).flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    [head, elements.to_vec()].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn read(content: &[u8]) -> Result<idx::Idx, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some-file");
    fs::write(&path, content).unwrap();
    idx::read(&path, 1 << 20)
}

fn refusal(content: &[u8]) -> String {
    let error = read(content).unwrap_err();
    assert!(matches!(error, DataError::Format { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn a_good_file_is_read_plain_and_packed_whatever_its_name() {
    let elements: Vec<u8> = (0..12).collect();
    let plain = idx_bytes(0x803, &[3, 2, 2], &elements);
    for content in [plain.clone(), gzip(&plain)] {
        let idx = read(&content).unwrap();
        assert_eq!((idx.dimensions, idx.elements), (vec![3, 2, 2], elements.clone()));
    }
}

#[test]
fn broken_files_are_refused_with_the_reason() {
    let good = idx_bytes(0x803, &[3, 2, 2], &[1; 12]);
    assert!(refusal(&good[..good.len() - 1]).contains("[3, 2, 2] elements, and 11 bytes follow"));
    assert!(refusal(&[good.clone(), vec![0]].concat()).contains("and 13 bytes follow"));
    assert!(refusal(&good[..10]).contains("3 dimensions has 16 bytes, found 10"));
    assert!(refusal(&good[..3]).contains("at least 4 bytes, found 3"));
    assert!(refusal(&[]).contains("found 0"));
    assert!(refusal(&idx_bytes(0xd03, &[3, 2, 2], &[1; 12])).contains("magic number 0x00000d03"));
    assert!(refusal(&idx_bytes(0x800, &[], &[])).contains("magic number 0x00000800"));
    let cut = gzip(&good);
    assert!(matches!(read(&cut[..cut.len() - 9]), Err(DataError::Read { .. })));
}

#[test]
fn huge_dimensions_are_refused_before_anything_is_allocated() {
    // 2^60 elements, and a product beyond 2^64: reserving either would abort the test.
    refusal(&idx_bytes(0x802, &[1 << 30, 1 << 30], &[1; 12]));
    refusal(&idx_bytes(0x803, &[u32::MAX; 3], &[1; 12]));
}

#[test]
fn a_small_file_cannot_swell_beyond_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb");
    fs::write(&path, gzip(&vec![0; 1 << 20])).unwrap();
    let error = idx::read(&path, 1000).unwrap_err();
    assert!(error.to_string().ends_with("holds more than 1000 bytes of content, expected 1000"), "{error}");
}

#[test]
fn what_is_missing_is_named_with_the_places_and_the_remedy() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(second.path().join("mnist")).unwrap();
    fs::write(second.path().join("mnist/train-labels-idx1-ubyte.gz"), "x").unwrap();
    let roots = [first.path().to_owned(), second.path().to_owned()];
    let error = data::load("mnist", &roots).unwrap_err();
    let DataError::Missing { name: "mnist", missing, looked } = &error else { panic!("{error:?}") };
    let expected = ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    assert_eq!(missing, &expected);
    for folder in ["mnist", "MNIST/raw", ""] {
        assert!(roots.iter().all(|root| looked.contains(&root.join(folder))), "{looked:?}");
    }
    assert!(error.to_string().contains("`phalanx data get mnist`"), "{error}");
}

#[test]
fn a_file_of_another_length_or_content_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    for file in files {
        fs::write(root.path().join(file), idx_bytes(0x801, &[1], &[0])).unwrap();
    }
    let roots = [root.path().to_owned()];
    let error = data::load("mnist", &roots).unwrap_err().to_string();
    assert!(
        error.ends_with("train-images-idx3-ubyte holds 9 bytes of content, expected 47040016"),
        "{error}"
    );

    fs::write(root.path().join(files[0]), gzip(&vec![0; 47_040_016])).unwrap();
    let error = data::load("mnist", &roots).unwrap_err();
    let DataError::Checksum { file, kind: "md5", expected, found } = &error else { panic!("{error:?}") };
    assert_eq!(file, &root.path().join(files[0]));
    assert_eq!(expected, "6bbc9ace898e44ae57da46a324031adb");
    assert_eq!(found, &Digest::Md5("").of(&vec![0; 47_040_016]));
}

#[test]
fn an_unknown_name_is_told_the_known_ones() {
    let error = data::load("mnits", &[]).unwrap_err().to_string();
    assert_eq!(error, "unknown data set `mnits`; known are digits, mnist, fashion-mnist, cifar10, cifar100");
}

#[test]
fn the_embedded_digits_need_no_file() {
    let digits = data::load("digits", &[]).unwrap();
    assert_eq!((digits.train.len(), digits.test.len(), digits.train.image_len()), (1437, 360, 64));
    assert_eq!(*digits.train.pixels.iter().max().unwrap(), 255);
    let mut counts = [0; 10];
    digits.test.labels.iter().for_each(|&label| counts[label as usize] += 1);
    // numpy.bincount(sklearn.datasets.load_digits().target[1437:])
    assert_eq!(counts, [35, 36, 35, 37, 37, 37, 37, 36, 33, 37]);
    let (mean, std) = statistics(&digits.train.pixels);
    let told = &digits.normalisation;
    assert!((mean - told.mean[0]).abs() < 1e-4 && (std - told.std[0]).abs() < 1e-4, "{mean} {std}");
}

#[test]
fn the_catalogue_says_where_everything_is() {
    let all = data::built_in().map(|source| Listing::of(&source.about(), &[]));
    let places = all.each_ref().map(|one| (one.name.as_str(), one.place.clone()));
    assert_eq!(places[0], ("digits", Place::Embedded));
    assert_eq!(places[1], ("mnist", Place::Absent));
    assert_eq!(serde_json::to_value(&all[3]).unwrap()["shape"], serde_json::json!([3, 32, 32]));
}

/// The root that holds `name`, if the environment names one.
fn real(name: &str) -> Option<[PathBuf; 1]> {
    let roots = [PathBuf::from(std::env::var_os("PHALANX_DATA")?)];
    let about = data::find(name).unwrap().about();
    (Listing::of(&about, &roots).place != Place::Absent).then_some(roots)
}

fn statistics(pixels: &[u8]) -> (f32, f32) {
    let values = || pixels.iter().map(|&pixel| f64::from(pixel) / 255.0);
    let mean = values().sum::<f64>() / pixels.len() as f64;
    let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
    (mean as f32, variance.sqrt() as f32)
}

#[test]
fn the_real_files_are_read() {
    for name in ["mnist", "fashion-mnist"] {
        let Some(roots) = real(name) else {
            println!("skipped: PHALANX_DATA names no folder with {name}");
            continue;
        };
        let set = data::load(name, &roots).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.train.image_len()), (60_000, 10_000, 784));
        assert_eq!(set.augmentation, Augmentation::None);
        let (mean, std) = statistics(&set.train.pixels);
        let told = &set.normalisation;
        assert!(
            (mean - told.mean[0]).abs() < 1e-4 && (std - told.std[0]).abs() < 1e-4,
            "{name}: {mean} {std}"
        );
        // The first labels, as printed by `xxd -s 8 -l 5` of the label files.
        let first = if name == "mnist" { [5, 0, 4, 1, 9] } else { [9, 0, 0, 3, 0] };
        assert_eq!(set.train.labels[..5], first);
    }
}

#[test]
fn the_real_photographs_are_read() {
    let Some(roots) = real("cifar10") else {
        println!("skipped: PHALANX_DATA names no folder with cifar10");
        return;
    };
    let set = data::load("cifar10", &roots).unwrap();
    assert_eq!((set.train.len(), set.test.len(), set.train.image_len()), (50_000, 10_000, 3072));
    assert_eq!(set.augmentation, Augmentation::CropFlip { padding: 2 });
    for channel in 0..3 {
        let plane: Vec<u8> =
            (0..50_000).flat_map(|i| &set.train.image(i)[channel * 1024..][..1024]).copied().collect();
        assert!((statistics(&plane).0 - set.normalisation.mean[channel]).abs() < 1e-4);
    }
}

#[test]
fn clones_share_their_pixels() {
    let first = data::load("digits", &[]).unwrap();
    let second = first.clone();
    assert!(Arc::ptr_eq(&first.train.pixels, &second.train.pixels));
}

/// The four files of images of 2 x 3 pixels with these training labels; the last is packed.
fn four(folder: &std::path::Path, prefix: &str, labels: &[u8]) {
    let images = |count: u32| {
        let pixels: Vec<u8> = (0..count * 6).map(|p| (p % 2 * 255) as u8).collect();
        idx_bytes(0x803, &[count, 2, 3], &pixels)
    };
    let put =
        |name: &str, content: &[u8]| fs::write(folder.join(format!("{prefix}{name}")), content).unwrap();
    put("train-images-idx3-ubyte", &images(labels.len() as u32));
    put("train-labels-idx1-ubyte", &idx_bytes(0x801, &[labels.len() as u32], labels));
    put("test-images-idx3-ubyte", &images(2));
    put("test-labels-idx1-ubyte.gz", &gzip(&idx_bytes(0x801, &[2], &labels[..2])));
}

fn folder_of(path: &std::path::Path, prefix: &str) -> IdxFolder {
    IdxFolder { path: path.to_owned(), prefix: prefix.to_owned(), ..IdxFolder::default() }
}

/// A root, as a plan has at least one.
fn roots() -> [PathBuf; 1] {
    [PathBuf::from(".")]
}

#[test]
fn a_folder_of_idx_files_is_a_data_set_with_classes_and_moments_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    four(folder.path(), "emnist-letters-", &[3, 1, 26]);
    let mut data = folder_of(folder.path(), "emnist-letters-");
    let dataset = data.load(&roots()).unwrap();
    assert_eq!(dataset.name, "emnist-letters");
    assert_eq!((dataset.train.channels, dataset.train.height, dataset.train.width), (1, 2, 3));
    assert_eq!((dataset.train.len(), dataset.test.len(), dataset.train.classes), (3, 2, 26));
    assert_eq!((&dataset.train.labels[..], &dataset.test.labels[..]), (&[2, 0, 25][..], &[2, 0][..]));
    // Half of the pixels are 0 and half 255.
    assert_eq!((&data.mean, &data.std), (&Some(vec![0.5]), &Some(vec![0.5])));
    // What a record says reads the same data, from anywhere, and refuses any other.
    let mut again = IdxFolder { path: "letters".into(), ..data.clone() };
    let root = tempfile::tempdir().unwrap();
    assert!(again.load(&[root.path().to_owned()]).unwrap_err().to_string().contains("looked for"));
    fs::create_dir(root.path().join("letters")).unwrap();
    four(&root.path().join("letters"), "emnist-letters-", &[3, 1, 26]);
    again.load(&[root.path().to_owned()]).unwrap();
    assert_eq!(again.sha256, data.sha256);
    four(&root.path().join("letters"), "emnist-letters-", &[3, 2, 26]);
    let error = again.load(&[root.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("is asked for"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_says_why() {
    type Spoil = fn(&std::path::Path);
    let spoilt: [(Spoil, &str); 7] = [
        (
            |f| fs::remove_file(f.join("test-labels-idx1-ubyte.gz")).unwrap(),
            "holds none of test-labels-idx1-ubyte, test-labels-idx1-ubyte.gz, t10k-labels-idx1-ubyte",
        ),
        (|f| four(f, "", &[5, 5, 5]), "two classes at least are needed"),
        (
            |f| fs::write(f.join("train-images-idx3-ubyte"), "x").unwrap(),
            "train-images-idx3-ubyte: an IDX header has at least 4 bytes",
        ),
        (
            |f| fs::write(f.join("train-images-idx3-ubyte"), idx_bytes(0x803, &[2, 2, 3], &[0; 12])).unwrap(),
            "3 labels for 2 images of 2x3",
        ),
        (
            |f| fs::write(f.join("train-images-idx3-ubyte"), idx_bytes(0x802, &[3, 6], &[0; 18])).unwrap(),
            "its images have 2 dimensions; 3 or 4 are read",
        ),
        (
            |f| fs::write(f.join("test-images-idx3-ubyte"), idx_bytes(0x803, &[2, 3, 3], &[9; 18])).unwrap(),
            "training images of 1x2x3, test images of 1x3x3",
        ),
        (
            |f| fs::write(f.join("test-labels-idx1-ubyte.gz"), idx_bytes(0x801, &[2], &[0, 9])).unwrap(),
            "label 9, where those of the training images go from 0 to 2",
        ),
    ];
    for (spoil, told) in spoilt {
        let folder = tempfile::tempdir().unwrap();
        four(folder.path(), "", &[0, 1, 2]);
        folder_of(folder.path(), "").load(&roots()).unwrap();
        spoil(folder.path());
        let error = folder_of(folder.path(), "").load(&roots()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
