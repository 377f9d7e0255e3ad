//! Files of data sets that are not what was published.

#[cfg(feature = "torch")]
use crate::room::GOOD;
use crate::room::Room;

/// Runs on the files of MNIST in `data/mnist/`.
#[cfg(feature = "torch")]
fn mnist(room: &Room) {
    let task = "dataset = \"mnist\"\nmodel = \"simple-cnn\"";
    room.put("mnist.toml", GOOD.replace("objective = { least-squares = { dim = 30 } }", task));
}

#[cfg(feature = "torch")]
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Without libtorch no model can be used, and that is said first.
#[cfg(feature = "torch")]
#[test]
fn files_that_are_not_the_published_ones() {
    let room = Room::thorough();
    mnist(&room);
    room.refuses(&["check", "mnist.toml", "--data", "data"], &["mnist lacks", FILES[0], "data get mnist"]);
    for content in [
        vec![],
        vec![0; 16],
        [&[0, 0, 8, 3][..], &[0xff; 12]].concat(),
        b"<html>404</html>".to_vec(),
        [&[0x1f, 0x8b][..], &[0xff; 30]].concat(),
    ] {
        FILES.iter().for_each(|name| room.put(&format!("data/mnist/{name}"), &content));
        for command in ["check", "run"] {
            room.refuses(&[command, "mnist.toml", "--data", "data"], &["data/mnist/train-images-idx3-ubyte"]);
        }
    }
    let ten = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    let folders =
        [("cifar10", "cifar-10-batches-bin", &ten[..]), ("cifar100", "cifar-100-binary", &["train", "test"])];
    for (name, folder, files) in folders {
        let task = format!("dataset = \"{name}\"\nmodel = \"simple-cnn\"");
        room.put("cifar.toml", GOOD.replace("objective = { least-squares = { dim = 30 } }", &task));
        for content in [vec![0; 3073], vec![]] {
            files.iter().for_each(|file| room.put(&format!("data/{folder}/{file}.bin"), &content));
            room.refuses(&["check", "cifar.toml", "--data", "data"], &[folder, files[0], "bytes"]);
        }
    }
}

#[cfg(feature = "torch")]
#[test]
fn data_sets_and_models_that_are_not_there() {
    let room = Room::thorough();
    mnist(&room);
    for (set, parts) in [
        ("task.dataset=mnits", &["task.dataset", "mnits", "mnist"][..]),
        ("task.dataset=../mnist", &["task.dataset", "../mnist"]),
        ("task.dataset=/etc", &["task.dataset", "/etc"]),
        ("task.dataset=", &["task.dataset"]),
        ("task.dataset=3", &["task.dataset", "3"]),
        ("task.model=simple", &["task.model", "simple"]),
        ("task.model=3", &["task.model", "a name"]),
        ("task.model={simple-cnn={layers=3}}", &["task.model", "layers"]),
    ] {
        room.refuses(&["check", "mnist.toml", "--set", set, "--set", "task.validation=0"], parts);
    }
    let digits = ["check", "mnist.toml", "--set", "task.dataset=digits", "--set"];
    for (set, parts) in [
        ("task.validation=99999999", &["task.validation", "99999999"][..]),
        ("task.partition=none", &["task.partition", "none"]),
        ("task.partition={dirichlet={alpha=-1}}", &["task.partition", "alpha"]),
        ("task.partition={dirichlet={alpha=nan}}", &["task.partition", "alpha"]),
        ("task.tile=9223372036854775807", &["task.tile"]),
        ("workers.0.count=100000", &["100008"]),
        ("machine.device=cuda:7", &["machine.device", "cuda:7"]),
    ] {
        let arguments: Vec<&str> = digits.iter().copied().chain([set]).collect();
        room.refuses(&arguments, parts);
    }
    let both = ["task.precision=bf16", "--set", "task.way=kernels"];
    let arguments: Vec<&str> = digits.iter().copied().chain(both).collect();
    room.refuses(&arguments, &["task.way", "the kernels compute in f32 and f64", "bf16"]);
}

#[test]
fn a_place_for_data_that_is_none() {
    let room = Room::new();
    for place in ["good.toml", "good.toml/in", "/proc/data", "/dev/null"] {
        room.fails(2, room.command(&["data", "get", "mnist"]).env("PHALANX_DATA", place), &[place]);
    }
    let mut command = room.command(&["data", "get", "mnist"]);
    room.fails(2, command.env_remove("HOME").env("HOME", "/dev/null"), &["/dev/null"]);
}
