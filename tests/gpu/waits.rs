//! How often the host waits for the GPU in a round, counted by a library between libtorch and CUDA's runtime.

use std::{fs, process::Command};

use crate::Place;

/// Waits, copies to the host, copies to the device, kernels launched.
type Counts = [f64; 4];

fn counts(place: &Place, rounds: u32, rule: &str) -> Counts {
    let (library, told) = (place.path().join("waits.so"), place.path().join("waits.txt"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gpu/waits.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", source, "-o"]).arg(&library).arg("-ldl");
    assert!(compiler.status().unwrap().success());
    let done = Command::new(env!("CARGO_BIN_EXE_phalanx"))
        .args(["run", &place.experiment, "--quiet", "--device", "cuda:0", "--set", "evaluation.every=0"])
        .args(["--set", &format!("rounds={rounds}"), "--set", &format!("aggregator.rule={rule}")])
        .arg("--out")
        .arg(place.path())
        .env("LD_PRELOAD", &library)
        .env("WAITS", &told)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = fs::read_to_string(told).unwrap();
    let numbers: Vec<f64> = told.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Once when the gradients are there, so that the times of the phases are true, once for each decision of the rule, and
/// once for what is told of the round. What is sent to the device is not waited for.
#[test]
fn a_round_waits_three_times_and_once_more_for_a_second_decision() {
    let Some(place) = Place::new() else { return };
    for (rule, waits) in [
        (r#"["cwmed"]"#, 3.0),
        (r#"["geometric-median"]"#, 3.0),
        (r#"["ctma", "cwmed"]"#, 3.0),
        (r#"["ctma", "nnm", "cwmed"]"#, 4.0),
    ] {
        let (short, long) = (counts(&place, 20, rule), counts(&place, 60, rule));
        let each: Vec<f64> = short.iter().zip(long).map(|(short, long)| (long - short) / 40.0).collect();
        println!("{rule}: waits, copies to the host and to the device, kernels in a round: {each:?}");
        assert!(each[0] > 0.0 && each[3] > 0.0, "nothing is counted: {each:?}");
        assert!(each[0] <= waits && each[1] <= waits, "{rule}: {each:?}");
    }
}
