//! The adversarial search for a rule's robustness coefficient.

use crate::harness::Program;

/// The forced coefficient of `rule` at m = 9, f = 2, and where the worst input is.
fn forced(rule: &str, folder: &std::path::Path) -> (f64, String) {
    let worst = folder.join("worst.npy").display().to_string();
    let arguments =
        ["certify", "--rule", rule, "--m", "9", "--f", "2", "--d", "4", "--budget", "400", "-o", &worst];
    let done = Program::run(&arguments);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let number = done.stdout.split_whitespace().nth(3).unwrap();
    (number.parse().unwrap(), worst)
}

#[test]
fn a_mean_is_forced_anywhere_and_a_median_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mean, _) = forced("mean", folder.path());
    let (median, worst) = forced("cwmed", folder.path());
    assert!(mean > 1e6, "mean: {mean}");
    // 4 (1 + r)^2 with r = f / (m - 2f) = 0.4
    assert!(median > 0.05 && median < 7.84, "cwmed: {median}");
    let out = folder.path().join("out.npy").display().to_string();
    let again = Program::run(&["aggregate", "--rule", "cwmed", "--f", "2", &worst, "-o", &out]);
    assert_eq!(again.status, 0, "{}", again.stderr);
}

#[test]
fn the_bound_stands_beside_in_its_own_terms() {
    let folder = tempfile::tempdir().unwrap();
    let worst = folder.path().join("worst.npy").display().to_string();
    let say = |rule: &str| {
        let numbers = ["--m", "9", "--f", "2", "--d", "2", "--budget", "50", "-o", &worst];
        Program::run(&[&["certify", "--rule", rule][..], &numbers].concat()).stdout
    };
    let cwmed = say("cwmed");
    assert!(cwmed.contains("kappa <= 7.840000 = 4 (1 + r)^2 (Allouah et al., 2023)"), "{cwmed}");
    assert!(cwmed.contains("is a lower bound on kappa") && cwmed.contains("It is no upper bound"), "{cwmed}");
    let ctma = say("ctma,cwmed");
    assert!(ctma.contains("forced:    c >= ") && ctma.contains("16 delta (1 + 4 (1 + r)^2)"), "{ctma}");
    assert!(say("aksel").contains("published: none known"));
}

#[test]
fn numbers_that_cannot_be_are_named() {
    assert!(
        Program::fails(&["certify", "--rule", "cwmed", "--m", "5", "--f", "3"]).contains("f = 3 of m = 5")
    );
    let zeno = ["certify", "--rule", "zeno", "--m", "5", "--f", "2"];
    assert!(Program::fails(&zeno).contains("which only a run has"));
    assert!(Program::fails(&["certify", "--rule", "krum", "--m", "5", "--f", "2"]).contains("m > 2f + 2"));
}

#[test]
fn the_servers_own_vector_goes_beside_the_worst_input() {
    let folder = tempfile::tempdir().unwrap();
    let (forced, worst) = forced("fltrust", folder.path());
    assert!(forced > 0.0);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let reference = path("worst.reference.npy");
    let arguments = ["aggregate", "--rule", "fltrust", "--f", "2", &worst, "-o", &path("out.npy")];
    let error = Program::fails(&arguments);
    assert!(error.contains("--reference: the rule needs a vector of the server's own"), "{error}");
    let done = Program::run(&[&arguments[..], &["--reference", &reference]].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
    let arguments =
        ["attack", "--attack", "opt-ipm", "--f", "2", "--rule", "fltrust", &worst, "-o", &path("byz.npy")];
    assert!(Program::fails(&arguments).contains("--reference"));
    let done = Program::run(&[&arguments[..], &["--reference", &reference]].concat());
    assert_eq!(done.status, 0, "{}", done.stderr);
    let error = Program::fails(&[&arguments[..], &["--reference", &worst]].concat());
    assert!(error.contains("is 9 x 4") && error.contains("1 x 4"), "{error}");
}
