//! Rules and attacks on matrices in files. The files are made and read by hand here, as NumPy's format
//! description has them, not by the code under test.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Program;

/// A `.npy` file of version 1.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{header}\n");
    let size = text.len() as u16;
    [b"\x93NUMPY\x01\x00", &size.to_le_bytes()[..], text.as_bytes(), data].concat()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
}

fn bytes32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn bytes64(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A folder, and the files in it.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    fn f32(&self, m: usize, values: &[f32]) -> String {
        self.put("in.npy", &npy(&header("<f4", &format!("({m}, {})", values.len() / m)), &bytes32(values)))
    }

    fn f64(&self, m: usize, values: &[f64]) -> String {
        self.put("in.npy", &npy(&header("<f8", &format!("({m}, {})", values.len() / m)), &bytes64(values)))
    }

    /// What a subcommand writes: the header without its padding, and the values.
    fn makes(&self, arguments: &[&str]) -> (String, Vec<f64>) {
        let out = self.path("out.npy").display().to_string();
        let done = Program::run(&[arguments, &["-o", &out]].concat());
        assert_eq!(done.status, 0, "{arguments:?}: {}", done.stderr);
        read(&self.path("out.npy"))
    }

    fn refuses(&self, arguments: &[&str]) -> String {
        let out = self.path("out.npy").display().to_string();
        let said = Program::fails(&[arguments, &["-o", &out]].concat());
        assert!(!self.path("out.npy").exists(), "{arguments:?}");
        said
    }
}

fn read(path: &Path) -> (String, Vec<f64>) {
    let file = fs::read(path).unwrap();
    assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    assert_eq!(start % 64, 0);
    let header = std::str::from_utf8(&file[10..start]).unwrap().trim().to_owned();
    let data = &file[start..];
    let values = if header.contains("<f4") {
        data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
    } else {
        data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    (header, values)
}

#[test]
fn median_and_mean_by_hand_in_both_formats() {
    let bench = Bench::new();
    for (descr, file) in [
        ("<f4", bench.f32(3, &[1.0, 2.0, 3.0, 4.0, 101.0, -6.0])),
        (
            "<f8",
            bench.put(
                "in64.npy",
                &npy(&header("<f8", "(3, 2)"), &bytes64(&[1.0, 2.0, 3.0, 4.0, 101.0, -6.0])),
            ),
        ),
    ] {
        let (head, median) = bench.makes(&["aggregate", "--rule", "cwmed", "--f", "1", &file]);
        assert_eq!(head, header(descr, "(2,)"));
        assert_eq!(median, [3.0, 2.0]);
        let (_, mean) = bench.makes(&["aggregate", "--rule", "mean", &file]);
        assert_eq!(mean, [35.0, 0.0]);
    }
}

#[test]
fn a_safetensors_matrix_is_read() {
    let bench = Bench::new();
    let data = bytes32(&[1.0, 2.0, 3.0, 4.0, 101.0, -6.0]);
    let tensor = |shape| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &data).unwrap();
    let one = safetensors::serialize([("g", tensor(vec![3, 2]))], None).unwrap();
    let file = bench.put("one.safetensors", &one);
    assert_eq!(bench.makes(&["aggregate", "--rule", "cwmed", "--f", "1", &file]).1, [3.0, 2.0]);
    fs::remove_file(bench.path("out.npy")).unwrap();
    let two = safetensors::serialize([("a", tensor(vec![3, 2])), ("b", tensor(vec![3, 2]))], None).unwrap();
    let flat = safetensors::serialize([("a", tensor(vec![6]))], None).unwrap();
    let mut huge = one.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (content, part) in
        [(two, "2 tensors"), (flat, "[6]"), (one[..one.len() - 1].to_vec(), "bytes"), (huge, "header")]
    {
        let file = bench.put("bad.safetensors", &content);
        let said = bench.refuses(&["aggregate", "--rule", "cwmed", &file]);
        assert!(said.contains("bad.safetensors: ") && said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn both_spellings_of_a_rule_are_one_rule() {
    let bench = Bench::new();
    let values: Vec<f64> = (0..35).map(|i| f64::from(i * i % 17) - 0.25 * f64::from(i)).collect();
    let file = bench.f64(7, &values);
    let report = bench.path("report.json").display().to_string();
    let run =
        |rule: &str| bench.makes(&["aggregate", "--f", "2", "--report", &report, "--rule", rule, &file]).1;
    let comma = run("ctma, nnm, cwmed");
    assert_eq!(comma, run("[\"ctma\", \"nnm\", { cwmed = {} }]"));
    assert_ne!(comma, run("mean"));
    assert_eq!(run("krum"), run("{ krum = { power = 2 } }"));
    assert!(values.chunks(5).any(|row| row == run("krum")), "krum picks one of the vectors");

    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!((&report["m"], &report["d"], &report["f"]), (&7.into(), &5.into(), &2.into()));
    assert_eq!(report["dtype"], "float64");
    assert!(report["rule"][0]["krum"]["power"] == 2, "{report}");
    let weights: Vec<f64> = serde_json::from_value(report["weights"].clone()).unwrap();
    assert_eq!(weights.iter().sum::<f64>(), 1.0);
    let distances: Vec<f64> = serde_json::from_value(report["distances"].clone()).unwrap();
    let krum = run("krum");
    for (row, distance) in values.chunks(5).zip(distances) {
        let by_hand = row.iter().zip(&krum).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
        assert!((distance - by_hand).abs() <= 1e-9 * (1.0 + by_hand), "{distance} {by_hand}");
    }
    let passes: Vec<&str> =
        report["passes"].as_array().unwrap().iter().map(|lap| lap["pass"].as_str().unwrap()).collect();
    assert_eq!(passes, ["gram"], "krum decides on the Gram matrix, and the row it takes is shared");
    let seconds = |lap: &Value| lap["seconds"].as_f64().unwrap();
    let inside: f64 = report["passes"].as_array().unwrap().iter().map(seconds).sum();
    assert!(inside > 0.0 && inside <= report["seconds"]["aggregate"].as_f64().unwrap(), "{report}");
}

#[test]
fn a_pre_aggregator_alone_returns_its_matrix() {
    let bench = Bench::new();
    let file = bench.f32(3, &[0.0, 1.0, 10.0]);
    let report = bench.path("report.json").display().to_string();
    let (head, mixed) = bench.makes(&["aggregate", "--rule", "nnm", "--f", "1", "--report", &report, &file]);
    assert_eq!(head, header("<f4", "(3, 1)"));
    assert_eq!(mixed, [0.5, 0.5, 5.5]);
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["weights"], serde_json::json!([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]));
}

#[test]
fn rows_that_are_not_finite_are_set_aside_and_reported() {
    let bench = Bench::new();
    let file = bench.f32(4, &[1.0, f32::NAN, 5.0, 3.0]);
    let report = bench.path("report.json").display().to_string();
    let (_, median) = bench.makes(&["aggregate", "--rule", "cwmed", "--f", "1", "--report", &report, &file]);
    assert_eq!(median, [3.0]);
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["set_aside"], serde_json::json!([1]));
    assert_eq!([&report["f"], &report["f_left"]], [1, 0]);
    assert_eq!(report["distances"], serde_json::json!([2.0, null, 2.0, 0.0]));
    let file = bench.f32(2, &[f32::NAN, f32::INFINITY]);
    fs::remove_file(bench.path("out.npy")).unwrap();
    assert!(
        bench.refuses(&["aggregate", "--rule", "cwmed", &file]).contains("none of the 2 vectors is finite")
    );
}

#[test]
fn an_attack_sends_what_its_formula_says() {
    let bench = Bench::new();
    let file = bench.f64(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]);
    let (head, sent) = bench.makes(&["attack", "--attack", "{ ipm = { epsilon = 0.5 } }", "--f", "2", &file]);
    assert_eq!(head, header("<f8", "(2, 2)"));
    assert_eq!(sent, [-1.5, -1.0, -1.5, -1.0]);
    let own = bench.put("own.npy", &npy(&header("<f8", "(2, 2)"), &bytes64(&[1.0, -2.0, 7.0, 0.5])));
    let (head, _) = bench.makes(&["attack", "--attack", "zero", "--f", "5", &file]);
    assert!(head.contains("(5, 2)"), "more than honest ones: {head}");
    let flip = ["attack", "--attack", "sign-flip", "--f", "2", &file];
    assert_eq!(bench.makes(&[&flip[..], &["--own", &own]].concat()).1, [-1.0, 2.0, -7.0, -0.5]);
    let seeded = |seed| bench.makes(&["attack", "--attack", "gaussian", "--f", "1", "--seed", seed, &file]).1;
    assert_eq!(seeded("4"), seeded("4"));
    assert_ne!(seeded("4"), seeded("5"));
    let probing = ["attack", "--attack", "opt-alie", "--f", "2", &file];
    assert_eq!(bench.makes(&[&probing[..], &["--rule", "ctma,cwmed"]].concat()).1.len(), 4);

    fs::remove_file(bench.path("out.npy")).unwrap();
    let wrong = bench.put("wrong.npy", &npy(&header("<f8", "(1, 2)"), &bytes64(&[1.0, -2.0])));
    let nan = bench.put("nan.npy", &npy(&header("<f8", "(2, 1)"), &bytes64(&[1.0, f64::NAN])));
    let refused: [(&[&str], &[&str]); 11] = [
        (
            &["attack", "--attack", "zero", "--f", "2", "--own", "nope.npy", &file],
            &["nope.npy", "No such file"],
        ),
        (&["attack", "--attack", "zero", "--f", "2", "--own", &wrong, &file], &["--own", "1 x 2", "2 x 2"]),
        (&flip, &["--own", "`sign-flip`", "2 x 2"]),
        (&[&flip[..], &["--own", &wrong]].concat(), &["--own", "1 x 2", "2 x 2"]),
        (&probing, &["--rule", "`opt-alie` probes"]),
        (&[&probing[..], &["--rule", "nnm"]].concat(), &["--rule", "base rule"]),
        (&[&probing[..], &["--rule", "krum"]].concat(), &["--rule", "m > 2f + 2", "m = 5, f = 2"]),
        (&["attack", "--attack", "zero", "--f", "0", &file], &["--f", "at least one"]),
        (
            &["attack", "--attack", "zero", "--f", "999999999999", &file],
            &["--f", "999999999999 vectors of length 2: needs ", " bytes of memory, ", " are available"],
        ),
        (&["attack", "--attack", "zeros", "--f", "1", &file], &["--attack", "did you mean `zero`"]),
        (&["attack", "--attack", "foe", "--f", "1", &nan], &["nan.npy", "rows [1] are not finite"]),
    ];
    for (arguments, parts) in refused {
        let said = bench.refuses(arguments);
        assert!(parts.iter().all(|part| said.contains(part)), "{arguments:?}: no {parts:?} in {said}");
    }
}

#[test]
fn a_report_cannot_take_the_place_of_the_result() {
    let bench = Bench::new();
    let file = bench.f32(2, &[1.0, 2.0]);
    // The same file by another name, before it is there and when it is.
    let report = bench.path("./out.npy").display().to_string();
    let arguments = ["aggregate", "--rule", "mean", "--report", &report, &file];
    assert!(bench.refuses(&arguments).contains("out.npy is where --out goes"));
    bench.makes(&["aggregate", "--rule", "mean", &file]);
    let link = bench.path("link.json");
    std::os::unix::fs::symlink(bench.path("out.npy"), &link).unwrap();
    let out = bench.path("out.npy").display().to_string();
    let (before, link) = (fs::read(&out).unwrap(), link.display().to_string());
    let said = Program::fails(&["aggregate", "--rule", "mean", "--report", &link, &file, "-o", &out]);
    assert!(said.contains("--report: ") && said.contains("is where --out goes"), "{said}");
    assert_eq!(fs::read(&out).unwrap(), before);
}

#[test]
fn a_result_cannot_take_the_place_of_an_input() {
    let bench = Bench::new();
    let file = bench.f32(2, &[1.0, 2.0]);
    let own = bench.put("own.npy", &npy(&header("<f4", "(1, 1)"), &bytes32(&[3.0])));
    let (soft, hard) = (bench.path("soft.npy"), bench.path("hard.npy"));
    std::os::unix::fs::symlink(&file, &soft).unwrap();
    fs::hard_link(&own, &hard).unwrap();
    let [soft, hard] = [soft, hard].map(|path| path.display().to_string());
    let before = [&file, &own].map(|path| fs::read(path).unwrap());
    let aggregate = ["aggregate", "--rule", "mean", "--reference", &own, "--point", &own, &file];
    let attack = ["attack", "--attack", "sign-flip", "--f", "1", "--own", &own, &file];
    for out in [&file, &soft, &own, &hard] {
        for command in [&aggregate[..], &attack] {
            let said = Program::fails(&[command, &["-o", out]].concat());
            assert!(said.contains(&format!("--out: {out} is the input ")), "{said}");
        }
        let said = bench.refuses(&[&aggregate[..], &["--report", out]].concat());
        assert!(said.contains(&format!("--report: {out} is the input ")), "{said}");
    }
    assert_eq!([&file, &own].map(|path| fs::read(path).unwrap()), before);
    let done = Program::run(&[&aggregate[..], &["-o", "/dev/null", "--report", "/dev/null"]].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
}

#[test]
fn an_own_vector_without_direction_is_told_of() {
    let bench = Bench::new();
    let file = bench.f32(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for (own, told) in [([0.0, 0.0], true), ([0.0, 1.0], false)] {
        let own = bench.put("own.npy", &npy(&header("<f4", "(1, 2)"), &bytes32(&own)));
        let out = bench.path("out.npy").display().to_string();
        let done = Program::run(&[
            "aggregate",
            "--rule",
            "fltrust",
            "--f",
            "1",
            "--reference",
            &own,
            &file,
            "-o",
            &out,
        ]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert_eq!(done.stderr.contains("--reference is all zeros"), told, "{}", done.stderr);
    }
}

#[test]
fn a_result_that_is_not_finite_is_an_error() {
    let bench = Bench::new();
    let file = bench.f64(3, &[1.0; 300]);
    let noisy = "{ norm-clipping = { noise = 1.7e308 } }"; // a hundred draws, of which each third is too long
    let said = bench.refuses(&["aggregate", "--rule", noisy, "--f", "0", &file]);
    assert!(said.contains("makes a vector that is not finite from vectors that are"), "{said}");
}

#[test]
fn a_result_is_not_called_what_it_is_not() {
    let bench = Bench::new();
    let file = bench.f32(2, &[1.0, 2.0]);
    let out = bench.path("out.safetensors").display().to_string();
    for command in [
        &["aggregate", "--rule", "mean", &file][..],
        &["attack", "--attack", "sign-flip", "--f", "1", &file],
        &["certify", "--rule", "cwmed", "--m", "3", "--f", "1"],
    ] {
        let said = Program::fails(&[command, &["-o", &out]].concat());
        assert!(said.contains(&format!("--out: {out}: results are written as .npy")), "{said}");
    }
}

#[test]
fn arguments_that_cannot_be_used_are_named() {
    let bench = Bench::new();
    let file = bench.f32(5, &[0.0, 1.0, 2.0, 3.0, 4.0]);
    for (rule, f, parts) in [
        ("cwmad", "1", &["--rule", "did you mean `cwmed`"][..]),
        ("", "1", &["--rule", "a name is expected"]),
        ("ctma,,cwmed", "1", &["--rule", "a name is expected"]),
        ("[]", "1", &["--rule", "pre-aggregators"]),
        ("ctma", "1", &["--rule", "base rule"]),
        ("cwmed,ctma", "1", &["--rule", "base rule"]),
        ("[\"ctma\"", "1", &["--rule", "array"]),
        ("[{ krum = { power = 3 } }]", "1", &["--rule: krum.power", "3"]),
        ("[{ krum = 2 }]", "1", &["--rule", "must be a table"]),
        ("[3]", "1", &["--rule", "a name, or a table"]),
        ("cwmed", "3", &["cwmed needs m > 2f, which m = 5, f = 3 does not meet"]),
        ("mean", "5", &["--f", "f = 5 of m = 5"]),
        ("krum", "2", &["in.npy", "m > 2f + 2", "m = 5, f = 2"]),
        ("fltrust", "1", &["--reference", "must be given: of length 1"]),
        ("fldetector,mean", "1", &["--point", "must be given: of length 1"]),
        ("zeno", "1", &["--rule: the rule needs losses on data of the server's own, which only a run has"]),
        ("skymask", "1", &["--rule: the rule needs losses on data of the server's own"]),
    ] {
        let said = bench.refuses(&["aggregate", "--rule", rule, "--f", f, &file]);
        assert!(parts.iter().all(|part| said.contains(part)), "{rule}: no {parts:?} in {said}");
    }
    let vector = bench.put("vector.npy", &npy(&header("<f4", "(1,)"), &bytes32(&[2.0])));
    assert!(bench.refuses(&["aggregate", "--rule", "mean", &vector]).contains("has the shape [1]; a matrix"));
    let attack = ["attack", "--attack", "opt-ipm", "--f", "1", "--rule", "fldetector,mean", &file];
    assert!(bench.refuses(&attack).contains("--point"));
    let zeno = ["attack", "--attack", "opt-ipm", "--f", "1", "--rule", "zeno", &file];
    assert!(bench.refuses(&zeno).contains("which only a run has"));
    let hybrid = ["attack", "--attack", "hybrid-sparse", "--f", "1", &file];
    assert!(bench.refuses(&hybrid).contains("--point: the attack looks at the point"));
    bench.makes(&[&hybrid[..], &["--point", &vector]].concat());
    bench.makes(&["aggregate", "--rule", "fltrust", "--reference", &vector, &file]);
    bench.makes(&["aggregate", "--rule", "fldetector,mean", "--point", &vector, &file]);
    bench.makes(&[&attack[..], &["--point", &vector]].concat());
    let done = Program::run(&["aggregate", "--rule", "cwmed", &file, "-o", "/nowhere/out.npy"]);
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(
        done.stderr.contains("/nowhere/out.npy would lie in /nowhere, which is no folder"),
        "{}",
        done.stderr
    );
}

/// Worker 3 stands out by its signs in the second layer, or in all where there is one.
#[test]
fn rules_are_told_of_layers() {
    let bench = Bench::new();
    let mut rows = [[3.0, 4.0, 0.5, 0.5]; 5];
    rows[3] = [4.0, 3.0, 0.5, -0.5];
    let file = bench.f32(5, rows.as_flattened());
    let rule = "[{ lasa = { sparsity = 0, lambda_n = 9, lambda_s = 1 } }]";
    let lasa = ["aggregate", "--f", "1", "--rule", rule, &file];
    let made = |more: &[&str]| bench.makes(&[&lasa[..], more].concat()).1;
    assert_eq!(made(&["--layers", "2,2"]), [3.2, 3.8, 0.5, 0.5].map(|v: f32| f64::from(v)));
    assert_eq!([made(&[]), made(&["--layers", "4"])], [[3.0, 4.0, 0.5, 0.5]; 2]);
    let attack = ["attack", "--attack", "{ anti-lasa = { sparsity = 0, wide = 1 } }", "--f", "1", &file];
    let sent = |more: &[&str]| bench.makes(&[&attack[..], more].concat()).1;
    let norm = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(
        (norm(&sent(&["--layers", "2,2"])[..2]) - 5.0).abs() < 1e-6,
        "as long as the others in the first layer"
    );
    assert!(
        (norm(&sent(&[])[..2]) - 12.75_f64.sqrt()).abs() < 1e-6,
        "of one layer a half is half of its square"
    );
    let defender = ["aggregate", "--f", "1", "--rule", "nnm,fl-defender", &file, "--layers", "1,2,1"];
    bench.makes(&defender);
    let probe =
        ["attack", "--attack", "opt-ipm", "--rule", "fl-defender", "--f", "2", "--layers", "2,2", &file];
    bench.makes(&probe);
    bench.makes(&["certify", "--rule", "lasa", "--m", "5", "--f", "1", "--budget", "20", "--layers", "3,5"]);
    for command in [&lasa[..], &["aggregate", "--f", "1", "--rule", "cwmed", &file], &probe[..7]] {
        let file = if command[0] == "attack" { &[file.as_str()][..] } else { &[] };
        fs::remove_file(bench.path("out.npy")).unwrap_or_default();
        let said = bench.refuses(&[command, file, &["--layers", "2,1"]].concat());
        let told = "--layers: 2 layers of 3 coordinates together; the vectors have 4";
        assert!(said.contains(told), "{command:?}: {said}");
    }
    let said = bench.refuses(&["aggregate", "--f", "1", "--rule", "gas,lasa", &file]);
    assert!(said.contains("--rule: the chain is not allowed: a rule that goes by the tensors"), "{said}");
}

#[test]
fn files_that_are_no_matrix_are_errors() {
    let bench = Bench::new();
    let six = bytes32(&[0.0; 6]);
    let good = npy(&header("<f4", "(3, 2)"), &six);
    let long_header =
        [b"\x93NUMPY\x02\x00".to_vec(), u32::MAX.to_le_bytes().to_vec(), vec![b' '; 99]].concat();
    let nested = npy(&format!("{{'shape': {}", "(".repeat(60_000)), &[]);
    let huge = "(18446744073709551615, 18446744073709551615)";
    let files: [(&str, Vec<u8>, &str); 19] = [
        ("empty file", vec![], "neither a .npy"),
        ("text", b"1.0, 2.0\n".to_vec(), "neither a .npy"),
        ("magic only", good[..6].to_vec(), "the file ends in it"),
        ("half a header", good[..30].to_vec(), "the file ends in it"),
        ("header only", npy(&header("<f4", "(3, 2)"), &[]), "3 rows of 2 columns"),
        ("truncated", good[..good.len() - 1].to_vec(), "3 rows of 2 columns"),
        ("too long", [&good[..], &[0]].concat(), "3 rows of 2 columns"),
        ("huge shape", npy(&header("<f4", huge), &six), "18446744073709551615 rows"),
        (
            "a wrapping shape",
            npy(&header("<f8", "(4611686018427387904, 4)"), &[]),
            "4611686018427387904 rows",
        ),
        ("a shape over 64 bits", npy(&header("<f4", "(99999999999999999999, 1)"), &six), "no number of rows"),
        ("a negative shape", npy(&header("<f4", "(-3, 2)"), &six), "no number of rows"),
        ("a header that claims 4 GiB", long_header, "4294967295 bytes"),
        ("a nested header", nested, "no number of rows"),
        ("Fortran", npy(&header("<f4", "(3, 2)").replace("False", "True"), &six), "Fortran order"),
        ("integers", npy(&header("<i4", "(3, 2)"), &six), "`<i4`"),
        ("big-endian", npy(&header(">f4", "(3, 2)"), &six), "`>f4`"),
        ("no rows", npy(&header("<f4", "(0, 2)"), &[]), "is empty: 0 rows"),
        ("no columns", npy(&header("<f4", "(9999999999, 0)"), &[]), "is empty: 9999999999 rows of 0"),
        ("one dimension", npy(&header("<f4", "(6,)"), &six), "shape [6]"),
    ];
    for (what, content, part) in files {
        let file = bench.put("bad.npy", &content);
        let said = bench.refuses(&["aggregate", "--rule", "cwmed", &file]);
        assert!(said.starts_with("error: ") && said.contains("bad.npy: "), "{what}: {said}");
        assert!(said.contains(part), "{what}: no {part:?} in {said}");
    }
    let folder = bench.path("").display().to_string();
    assert!(bench.refuses(&["aggregate", "--rule", "cwmed", &folder]).contains("no regular file"));
    let missing = bench.path("missing.npy").display().to_string();
    assert!(
        bench.refuses(&["aggregate", "--rule", "cwmed", &missing]).contains("missing.npy: failed to read")
    );
}

/// The file is sparse: it takes no room on the disk.
#[cfg(target_os = "linux")]
#[test]
fn a_matrix_larger_than_memory_is_refused_with_both_numbers() {
    let bench = Bench::new();
    let start = npy(&header("<f4", "(4096, 268435456)"), &[]);
    let file = bench.put("big.npy", &start);
    File::options().write(true).open(&file).unwrap().set_len(start.len() as u64 + (1 << 42)).unwrap();
    let said = bench.refuses(&["aggregate", "--rule", "cwmed", &file]);
    assert!(said.contains("big.npy: needs 4398046511104 bytes of memory, "), "{said}");
    let available = said.split_whitespace().rev().nth(2).unwrap();
    assert!(available.parse::<u64>().unwrap() > 1 << 20, "{said}");
}
