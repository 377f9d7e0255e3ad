//! Runs of every kind that is not least squares with everybody there: they too
//! end with the same bytes after they were killed.

use std::{fs, path::PathBuf};

use crate::stage::{Place, ended, resume, same, stopped};

/// A run of `text` that is killed goes on with another number of threads as if it had not been. Its folder comes back.
fn goes_on(text: &str, rounds: usize) -> (Place, PathBuf) {
    let place = Place::new(text);
    let (undisturbed, run) = (place.undisturbed(), stopped(&place));
    let resumed = resume(&run, &["--threads", "1"]);
    assert_eq!(resumed.status, 0, "{}", resumed.stderr);
    assert_eq!(ended(&run), ("completed".to_owned(), rounds + 1, rounds + 1));
    same(&undisturbed, &run);
    (place, run)
}

/// Seventeen workers; `top` stands before all tables, `bottom` behind them.
fn cast(estimator: &str, top: &str, bottom: &str) -> String {
    let flip = if top.contains(CONVEX) { "sign-flip" } else { "label-flip" };
    format!(
        "name = 'victim'\nseed = 5\nrounds = 60\nevaluation.every = 7\nmachine.threads = 2\n{top}\n\
         [checkpoint]\nevery_rounds = 1\n\
         [[workers]]\ncount = 11\nbatch_size = 4\nestimator = {estimator}\n\
         [[attackers]]\ncount = 4\nattack = 'drift'\n[[attackers]]\ncount = 2\nattack = '{flip}'\n{bottom}"
    )
}

const CONVEX: &str =
    "aggregator.rule = ['ctma', 'cwmed']\ntask.objective = { least-squares = { dim = 20000 } }\n";

/// Every fault that reaches from one round into another, and those that decide who is in time.
const FAULTS: &str = "quorum = 14
virtual_deadline_seconds = 0.4
[[faults]]
fault = { exponential-delay = { min = 0.05, mean = 0.02 } }
[[faults]]
group = 'honest'
fraction = 0.4
fault = { pareto-delay = { min = 0.1, shape = 1.5 } }
[[faults]]
workers = [2, 4, 12]
probability = 0.1
fault = { crash = { rounds = 4, memory = 'kept' } }
[[faults]]
workers = [3, 4]
probability = 0.1
fault = { crash = { rounds = 3, memory = 'lost' } }
[[faults]]
probability = 0.05
fault = { out-of-order = { rounds = 3 } }
[[faults]]
probability = 0.05
fault = { replay = { age = 2 } }
[[faults]]
probability = 0.05
fault = 'silence'
";

#[test]
fn with_faults() {
    for (absence, estimator) in [("reuse", "'momentum'"), ("recompute", "'storm'")] {
        let faults = format!("[barrier]\nabsence = '{absence}'\n{FAULTS}");
        let (_place, run) = goes_on(&cast(estimator, CONVEX, &faults), 60);
        let table = fs::read_to_string(run.join("faults.csv")).unwrap();
        let tells = |cell: &str| table.split([',', '\n', '+']).any(|found| found == cell);
        for cell in [
            "exponential-delay",
            "pareto-delay",
            "crash",
            "out-of-order",
            "replay",
            "silence",
            "absent",
            "accepted",
        ] {
            assert!(tells(cell), "no {cell}");
        }
        assert_eq!(tells("stood-in"), absence == "reuse");
    }
}

#[test]
fn with_a_step_that_remembers() {
    let walk = "task.local_steps = 2\ntask.local_lr = 0.1\ntask.local_schedule = { power = { power = 0.3 } }";
    let steps = [
        "{ adam = { bias_correction = true, schedule = { multi-step = { milestones = [20, 30] } } } }",
        "{ sgd = { lr = 0.5, momentum = 0.9, schedule = { cosine = { rounds = 60 } } } }",
    ];
    for step in steps {
        goes_on(&cast("'sgd'", &format!("{CONVEX}{walk}\naggregator.step = {step}"), ""), 60);
    }
}

/// None of its rows is lost, and none is there twice.
#[test]
fn with_classes_counted() {
    let labelled = "aggregator.rule = ['mean']\ntask.objective = { logistic-regression = { dim = 200 } }\n\
                    evaluation.per_class = true";
    let (_place, run) = goes_on(&cast("'momentum'", labelled, ""), 60);
    let rows = |name: &str| fs::read_to_string(run.join(name)).unwrap().lines().count();
    assert_eq!((rows("evaluations.csv"), rows("classes.csv")), (11, 21), "rounds 0, 7 … 56 and 60");
    assert!((11..=41).contains(&rows("confusion.csv")));
    let table = fs::read_to_string(run.join("evaluations.csv")).unwrap();
    let success = |line: &str| line.rsplit(',').next().unwrap().parse::<f64>().ok();
    assert!(table.lines().skip(1).all(|line| success(line).is_some()), "{table}");
}

#[test]
fn with_rounded_momenta() {
    let rounded = format!("{CONVEX}task.state = 'bf16'");
    goes_on(&cast("'momentum'", &rounded, ""), 60);
    goes_on(&cast("'storm'", &format!("{rounded}\nmachine.state = 'file'"), ""), 60);
}

/// Networks on the data set that needs no download.
#[cfg(feature = "torch")]
mod networks {
    use super::{cast, goes_on};

    const IMAGES: &str = "task.dataset = 'digits'\ntask.model = 'simple-cnn'\ntask.clip = 2.0\n";

    /// Normalisation by batches leaves running statistics: memory of the model.
    #[test]
    fn of_both_ways() {
        let text = |estimator, step, way| {
            let rule = "aggregator.rule = ['ctma', 'cwmed']";
            cast(estimator, &format!("{IMAGES}{rule}\naggregator.step = {step}\ntask.way = '{way}'"), "")
        };
        goes_on(&text("'momentum'", "{ sgd = { lr = 0.1 } }", "torch"), 60);
        goes_on(&text("'storm'", "'anytime-sgd'", "kernels"), 60);
    }

    /// The server draws batches of its own.
    #[test]
    fn under_a_server_with_data() {
        let trusting =
            format!("{IMAGES}aggregator.rule = ['fltrust']\ntask.root = 100\ntask.root_batch = 10\n");
        goes_on(&cast("'momentum'", &trusting, ""), 60);
    }
}
