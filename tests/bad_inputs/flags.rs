//! Flags of every subcommand: missing, unknown, of the wrong type, out of range, in the way of one another.

use crate::room::Room;

/// What is typed, and what must be said.
type Case = (&'static [&'static str], &'static [&'static str]);

/// The command line is wrong as such.
const TYPED: &[Case] = &[
    (&["fly"], &["fly"]),
    (&["--fly"], &["--fly"]),
    (&["run"], &["<FILES>"]),
    (&["run", "good.toml", "--jobs", "0"], &["--jobs", "'0'", "at least 1"]),
    (&["run", "good.toml", "--jobs", "-1"], &["--jobs", "'-1'", "at least 1"]),
    (&["run", "good.toml", "--jobs", "many"], &["--jobs", "many"]),
    (&["run", "good.toml", "--jobs", "99999999999999999999"], &["--jobs", "too large"]),
    (&["run", "good.toml", "--threads", "two"], &["--threads", "two"]),
    (&["run", "good.toml", "--threads", "-2"], &["--threads", "'-2'", "at least 0"]),
    (&["run", "good.toml", "--threads", "1.5"], &["--threads", "1.5"]),
    (&["run", "good.toml", "--set"], &["--set"]),
    (&["run", "good.toml", "--verbose"], &["--verbose"]),
    (&["run", "good.toml", "--out"], &["--out"]),
    (&["check"], &["<FILES>"]),
    (&["list", "colours"], &["colours", "rules"]),
    (&["bench"], &["<FILE>"]),
    (&["bench", "good.toml", "--rounds", "0"], &["--rounds", "0"]),
    (&["bench", "good.toml", "--rounds", "4294967296"], &["--rounds"]),
    (&["bench", "good.toml", "--warm-up", "-1"], &["--warm-up", "'-1'", "at least 0"]),
    (&["sweep"], &["<FILE>"]),
    (&["sweep", "sweep.toml", "--only", "x"], &["--only", "x"]),
    (&["select", "."], &["--over"]),
    (&["watch", "--plain", "a", "b"], &["b"]),
    (&["report"], &["<RUN|SWEEP>"]),
    (&["compare", "a"], &["<B>"]),
    (&["data"], &["list", "get", "path", "show"]),
    (&["data", "get"], &["<NAME>"]),
    (&["data", "steal"], &["steal"]),
    (&["aggregate", "good.npy", "-o", "o.npy"], &["--rule"]),
    (&["aggregate", "good.npy", "--rule", "cwmed"], &["--out"]),
    (
        &["aggregate", "good.npy", "--rule", "cwmed", "-o", "o.npy", "--f", "-1"],
        &["--f", "'-1'", "at least 0"],
    ),
    (&["aggregate", "good.npy", "--rule", "cwmed", "-o", "o.npy", "--seed", "x"], &["--seed", "x"]),
    (&["aggregate", "good.npy", "--rule", "cwmed", "-o", "o.npy", "--preset", "x"], &["--preset", "paper"]),
    (
        &["aggregate", "good.npy", "--rule", "lasa", "-o", "o.npy", "--layers", "1,,2"],
        &["--layers", "''", "at least 1"],
    ),
    (
        &["certify", "--rule", "lasa", "--m", "5", "--f", "1", "--layers", "8,-1"],
        &["--layers", "'-1'", "at least 1"],
    ),
    (
        &["certify", "--rule", "lasa", "--m", "5", "--f", "1", "--layers", "99999999999999999999"],
        &["--layers", "too large"],
    ),
    (&["attack", "good.npy", "--attack", "ipm", "-o", "o.npy"], &["--f"]),
    (&["certify", "--rule", "cwmed", "--m", "5"], &["--f"]),
    (&["certify", "--rule", "cwmed", "--m", "5", "--f", "1", "--d", "0"], &["--d", "0"]),
    (&["certify", "--rule", "cwmed", "--m", "5", "--f", "1", "--d", "9999999"], &["--d", "9999999"]),
    (
        &["certify", "--rule", "cwmed", "--m", "5", "--f", "1", "--budget", "-1"],
        &["--budget", "'-1'", "at least 1"],
    ),
];

/// The command line can be read, and asks for what cannot be done.
const MEANT: &[Case] = &[
    (&["run", "good.toml", "--threads", "1000000"], &["machine.threads", "1000000", "1024"]),
    (&["run", "good.toml", "--device", "7"], &["--set machine.device", "`7` is no device", "cpu"]),
    (&["run", "good.toml", "--device", "cuda:0"], &["machine.device", "computed on the CPU"]),
    (&["run", "good.toml", "--device", ""], &["machine.device"]),
    (&["run", "good.toml", "--device", "cuda:-1"], &["machine.device", "cuda:-1"]),
    (&["run", "good.toml", "--device", "cuda:99999999999999999999"], &["machine.device"]),
    (&["run", "good.toml", "--metrics=here"], &["--metrics", "'here'", "an address with a port"]),
    (&["run", "good.toml", "--metrics=127.0.0.1:99999"], &["--metrics", "99999"]),
    (&["run", "good.toml", "--metrics=192.0.2.1:1"], &["telemetry.listen", "192.0.2.1:1"]),
    (&["run", "good.toml", "--out", "good.toml"], &["good.toml", "ot a directory"]),
    (&["run", "good.toml", "--out", "good.toml/in"], &["good.toml/in", "ot a directory"]),
    (&["run", "good.toml", "--out", "/proc/out"], &["/proc/out"]),
    (&["run", "good.toml", "--out", "/dev/null"], &["/dev/null"]),
    (&["sweep", "sweep.toml", "--jobs", "0"], &["--jobs", "'0'", "at least 1"]),
    (&["sweep", "sweep.toml", "--dry-run", "--metrics", "--slurm", "--hq"], &["--slurm", "--hq"]),
    (&["sweep", "good.toml"], &["good.toml", "[sweep]"]),
    (&["sweep", "sweep.toml", "--out", "good.toml"], &["good.toml", "ot a directory"]),
    (&["run", "sweep.toml"], &["sweep.toml", "phalanx sweep"]),
    (&["bench", "sweep.toml"], &["sweep.toml", "this is a sweep"]),
    (
        &["check", "sweep.toml", "--print"],
        &["sweep.toml: this is a sweep; --print is for single experiments"],
    ),
    (&["data", "get", "mnits"], &["mnits", "mnist"]),
    (&["data", "get", "../../mnist"], &["../../mnist"]),
    (&["data", "get", ""], &["unknown data set"]),
    (&["data", "show", "good.toml"], &["good.toml"]),
    (&["certify", "--rule", "cwmed", "--m", "5", "--f", "3"], &["--f", "f = 3 of m = 5"]),
    (&["certify", "--rule", "cwmed", "--m", "5", "--f", "18446744073709551615"], &["--f"]),
    (&["certify", "--rule", "cwmed", "--m", "18446744073709551615", "--f", "1"], &["--m"]),
    (&["certify", "--rule", "cwmed", "--m", "5", "--f", "1", "--budget", "0"], &["--budget"]),
    (&["certify", "--rule", "nnm", "--m", "5", "--f", "1"], &["--rule", "base rule"]),
    (
        &["aggregate", "good.npy", "--rule", "fltrust", "--f", "1", "-o", "o.npy"],
        &["--reference", "must be given"],
    ),
    (
        &["certify", "--rule", "lasa", "--m", "5", "--f", "1", "--layers", "18446744073709551615,9"],
        &["--layers: 2 layers of 18446744073709551615 coordinates together; the vectors have 8"],
    ),
    (&["attack", "good.npy", "--attack", "ipm", "--f", "18446744073709551615", "-o", "o.npy"], &["--f"]),
    (&["aggregate", "good.npy", "--rule", "cwmed", "--f", "9223372036854775808", "-o", "o.npy"], &["--f"]),
];

#[test]
fn what_is_typed_wrong_is_said() {
    let room = Room::new();
    TYPED.iter().for_each(|(arguments, parts)| room.refuses(arguments, parts));
}

#[test]
fn what_cannot_be_done_is_said() {
    let room = Room::new();
    MEANT.iter().for_each(|(arguments, parts)| room.refuses(arguments, parts));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let room = Room::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flag = format!("--metrics={address}");
    room.refuses(&["run", "good.toml", "-q", &flag], &["telemetry.listen", &address, "in use"]);
    room.refuses(&["sweep", "sweep.toml", "-q", &flag, "--out", "o"], &[&address, "in use"]);
}
