//! Matrices in files (`.npy`, safetensors), rule expressions, and where results go.

use std::fs;

use crate::room::{Room, matrix};

/// A safetensors file: the length of its header, the header, the data.
fn tensors(length: u64, header: &str, data: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn one(dtype: &str, shape: &str, offsets: &str, data: &[u8]) -> Vec<u8> {
    let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#);
    tensors(header.len() as u64, &header, data)
}

const MAX: &str = "18446744073709551615";

#[test]
fn safetensors_that_are_no_matrix() {
    let room = Room::new();
    let good = one("F32", "[2,3]", "[0,24]", &[0; 24]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "the file ends"),
        (vec![1, 2, 3], "the file ends"),
        (good[..20].to_vec(), "the file ends"),
        (good[..good.len() - 1].to_vec(), "announces"),
        ([&good[..], &[0]].concat(), "announces"),
        (tensors(u64::MAX, "{}", &[]), "bytes long"),
        (tensors(1 << 40, "{}", &[]), "bytes long"),
        (tensors(2, "{}", &[]), "0 tensors"),
        (tensors(2, "[]", &[]), "damaged"),
        (tensors(4, "\u{1}\u{2}\u{3}\u{4}", &[]), "damaged"),
        (tensors(50_000, &"[".repeat(50_000), &[]), "damaged"),
        (one("F32", "[2,3]", "[0,9]", &[0; 24]), "damaged"),
        (one("F32", "[2,3]", "[24,0]", &[0; 24]), "damaged"),
        (one("F32", "[2,3]", &format!("[0,{MAX}]"), &[0; 24]), "damaged"),
        (one("F32", &format!("[{MAX},{MAX}]"), "[0,24]", &[0; 24]), "damaged"),
        (one("F32", "[-2,3]", "[0,24]", &[0; 24]), "damaged"),
        (one("F99", "[2,3]", "[0,24]", &[0; 24]), "damaged"),
        (one("I64", "[1,3]", "[0,24]", &[0; 24]), "`I64`"),
        (one("F32", "[6]", "[0,24]", &[0; 24]), "shape [6]"),
        (one("F32", "[]", "[0,4]", &[0; 4]), "shape []"),
        (one("F32", "[0,3]", "[0,0]", &[]), "is empty"),
    ];
    for (content, part) in cases {
        room.put("bad.safetensors", content);
        room.refuses(
            &["aggregate", "--rule", "cwmed", "bad.safetensors", "-o", "o.npy"],
            &["bad.safetensors: ", part],
        );
    }
}

#[test]
fn npy_files_that_are_no_matrix() {
    let room = Room::new();
    let six = &[0; 24][..];
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "neither"),
        (b"\x93NUMPY".to_vec(), "the file ends"),
        (b"\x93NUMPY\x07\x00\x10\x00".to_vec(), "version 7.0"),
        (matrix("<f4", &format!("({MAX}, {MAX})"), six), "rows"),
        (matrix("<f4", &format!("({MAX}, 0)"), six), "is empty"),
        (matrix("<f4", "(3, 2, 1)", six), "shape [3, 2, 1]"),
        (matrix("<f4", "()", six), "shape []"),
        (matrix("<f4", "(3, 3)", six), "3 rows of 3 columns"),
        (matrix("|O", "(3, 2)", six), "`|O`"),
        (matrix("<c8", "(3, 1)", six), "`<c8`"),
        (matrix("", "(3, 2)", six), "``"),
    ];
    for (content, part) in cases {
        room.put("bad.npy", content);
        room.refuses(&["aggregate", "--rule", "cwmed", "bad.npy", "-o", "o.npy"], &["bad.npy: ", part]);
        room.refuses(
            &["attack", "--attack", "ipm", "--f", "1", "bad.npy", "-o", "o.npy"],
            &["bad.npy: ", part],
        );
    }
    for (path, part) in [
        ("none.npy", "No such file"),
        (".", "no regular file"),
        ("/dev/zero", "no regular file"),
        ("/dev/stdin", "/dev/stdin"),
        ("good.npy/x", "ot a directory"),
        ("good.toml", "neither"),
    ] {
        room.refuses(&["aggregate", "--rule", "cwmed", path, "-o", "o.npy"], &[path, part]);
    }
}

#[test]
fn expressions_that_are_no_rule() {
    let room = Room::new();
    let deep = format!("[{}", "{ ctma = ".repeat(5000));
    let long = "nnm,".repeat(20_000) + "cwmed";
    for (rule, part) in [
        ("", "a name is expected"),
        (",", "a name is expected"),
        ("cwmed,", "a name is expected"),
        ("ctma(cwmed)", "unknown rule"),
        ("cwmed;krum", "unknown rule"),
        ("../cwmed", "unknown rule"),
        ("[", "--rule"),
        ("[]]", "--rule"),
        ("[1, 2]", "a name"),
        ("['cwmed'] # and\nx = 1", "--rule"),
        ("['cwmed']\nx = 1", "--rule"),
        ("{ cwmed = {} }, 'krum'", "--rule"),
        ("{ krum = { power = inf } }", "power"),
        ("{ krum = { power = 99999999999999999999 } }", "--rule"),
        ("{ bucketing = { size = 0 } }", "size"),
        (&deep, "--rule"),
        (&long, "--rule"),
    ] {
        room.refuses(
            &["aggregate", "--rule", rule, "good.npy", "--f", "1", "-o", "o.npy"],
            &["--rule", part],
        );
    }
    let huge =
        ["aggregate", "--rule", "{ bucketing = { size = 9223372036854775807 } }", "good.npy", "--f", "1"];
    room.refuses(&[&huge[..], &["-o", "o.npy"]].concat(), &["good.npy: bucketing needs ceil(m/size) > 2f"]);
}

#[test]
fn results_that_cannot_be_written_leave_nothing_behind() {
    let room = Room::new();
    room.put("folder/x", "");
    for (status, out, part) in [
        (1, "folder", "irectory"),
        (2, "none/o.npy", "would lie in none, which is no folder"),
        (2, "good.toml/o.npy", "would lie in good.toml, which is no folder"),
        (1, "/dev/full", "No space left"),
        (1, "/proc/o.npy", "/proc/o.npy"),
        (1, "..", "irectory"),
        (2, "", "a value is required for '--out"),
    ] {
        let aggregate = ["aggregate", "--rule", "cwmed", "--f", "1", "good.npy", "-o", out];
        let attack = ["attack", "--attack", "ipm", "--f", "1", "good.npy", "-o", out];
        let certify = ["certify", "--rule", "cwmed", "--m", "5", "--f", "1", "--budget", "50", "-o", out];
        for arguments in [&aggregate[..], &attack, &certify] {
            room.fails(status, &mut room.command(arguments), &[out, part]);
        }
    }
    assert!(!fs::metadata("/dev/full").unwrap().is_file(), "a device was replaced by a file");
}

/// One that has no folder is refused before anything is computed. Else the result is whole by then, and stays.
#[test]
fn a_report_that_cannot_be_written_is_named() {
    let room = Room::new();
    for (report, status, said, is_made) in [
        ("no/r.json", 2, "--report: no/r.json would lie in no, which is no folder", false),
        ("/dev/full", 1, "/dev/full: failed to write", true),
    ] {
        let arguments =
            ["aggregate", "--rule", "cwmed", "--f", "1", "good.npy", "-o", "o.npy", "--report", report];
        let done = room.call(&arguments);
        assert_eq!(done.status.code(), Some(status));
        assert!(done.stderr.contains(said), "{}", done.stderr);
        let made = fs::read(room.path("o.npy"));
        assert_eq!(made.is_ok_and(|bytes| bytes.starts_with(b"\x93NUMPY")), is_made);
    }
}

#[test]
fn devices_and_links_are_written_through() {
    let room = Room::new();
    room.put("target.npy", "old");
    std::os::unix::fs::symlink("target.npy", room.path("link.npy")).unwrap();
    for out in ["/dev/null", "link.npy"] {
        let done = room.call(&["aggregate", "--rule", "cwmed", "--f", "1", "good.npy", "-o", out]);
        assert!(done.status.success(), "{}", done.stderr);
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file(), "a device was replaced by a file");
    assert!(fs::symlink_metadata(room.path("link.npy")).unwrap().is_symlink());
    assert!(fs::read(room.path("target.npy")).unwrap().starts_with(b"\x93NUMPY"));
}
