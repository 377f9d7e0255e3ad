//! What the program says of files that cannot run: status 2, and one line that names where and what.

use crate::harness::{self, Program, experiment};

/// (what is changed in a good file, what the message must contain)
const WRONG: &[(&str, &[&str])] = &[
    ("rouns=3", &["--set rouns=3", "unknown key `rouns`", "did you mean `rounds`"]),
    ("rounds=0", &["rounds", "at least one round"]),
    ("rounds=many", &["rounds", "rounds: found \"many\", a whole number from 0 on is expected"]),
    ("rounds=-1", &["rounds: found -1, a whole number from 0 on is expected"]),
    ("task.clip=true", &["task.clip: found true, a number is expected"]),
    ("task.clip=-1e300", &["task.clip: -1e300 is given"]),
    ("name='../x'", &["name", "folder"]),
    ("preset=papre", &["preset", "did you mean `paper`"]),
    ("seed=1.5", &["seed"]),
    ("task.objective.least-squares.dim=0", &["task.objective", "dim"]),
    ("task.objective.least-squares.dims=3", &["unknown key `dims`", "did you mean `dim`"]),
    ("task.objective=least-square", &["unknown objective `least-square`", "did you mean `least-squares`"]),
    ("task.clip=-1", &["task.clip", "-1"]),
    ("task.root=5", &["task.root", "no samples to hold out"]),
    ("task.root_batch=5", &["task.root_batch", "5 from the 0 samples"]),
    ("task.precision=f16", &["task.precision", "f16"]),
    ("task.way=fast", &["task.way", "fast"]),
    ("aggregator.rule=[]", &["aggregator.rule", "base rule"]),
    ("aggregator.rule=ctma,cwmad", &["aggregator.rule.1", "unknown rule `cwmad`", "did you mean `cwmed`"]),
    ("aggregator.rule=ctma,,cwmed", &["aggregator.rule: a name is expected"]),
    ("aggregator.rule=ctma >", &["aggregator.rule: a name is expected"]),
    ("aggregator.rule={krum={power=3}}", &["aggregator.rule.0.krum.power", "3"]),
    ("aggregator.rule={nnm={},cwtm={}}", &["aggregator.rule: one name is expected, found `cwtm` and `nnm`"]),
    ("aggregator.rule=3", &["aggregator.rule: found 3, a list, names with `>` or commas"]),
    ("aggregator.rule=ctma", &["aggregator.rule", "base rule"]),
    ("aggregator.rule=['ctma']", &["aggregator.rule", "base rule"]),
    ("aggregator.rule=['cwmed','ctma']", &["aggregator.rule", "base rule"]),
    ("aggregator.rule=median", &["aggregator.rule.0", "unknown rule `median`", "did you mean `cwmed`"]),
    ("aggregator.rule=['cwmad']", &["unknown rule `cwmad`", "did you mean `cwmed`"]),
    ("aggregator.rule=[{krum={power=3}}]", &["aggregator.rule.0.krum.power", "3"]),
    ("aggregator.rule=[{krum={pwr=2}}]", &["aggregator.rule.0.krum", "unknown key `pwr`"]),
    ("aggregator.rule=[{krum=2}]", &["aggregator.rule.0", "must be a table"]),
    ("aggregator.step.lr=0.1", &["aggregator.step", "`anytime-sgd.lr`"]),
    (
        "aggregator.step={lr=0.1}",
        &["aggregator.step", "must be a table", "below a name, as in { NAME = { lr"],
    ),
    ("workers.0.estimator.beta=0.5", &["is the name `storm`", "`estimator.storm.beta`"]),
    ("aggregator.rule.0.tau=2", &["is the name `ctma`", "`0.ctma.tau`"]),
    ("aggregator.rule=[{krum={},cwmed={}}]", &["aggregator.rule.0", "one name is expected"]),
    ("aggregator.rule=[{}]", &["aggregator.rule.0", "empty table"]),
    ("aggregator.rule=['krum']", &["krum", "m > 2f + 2", "m = 17", "f = 8"]),
    ("aggregator.rule=[{bucketing={size=2}},'cwmed']", &["bucketing", "m = 17, f = 8"]),
    ("aggregator.rule=['fltrust']", &["aggregator.rule", "task.root"]),
    ("aggregator.rule=['zeno']", &["aggregator.rule", "losses on data of the server's own", "task.root"]),
    ("aggregator.rule=['skymask']", &["aggregator.rule", "on data of its own", "task.root"]),
    (
        "aggregator.rule=[{monna={reference=17}}]",
        &["aggregator.rule", "monna: reference = 17: a worker whose vector is there"],
    ),
    ("aggregator.f=9", &["aggregator.rule", "ctma needs m > 2f, which m = 17, f = 9 does not meet"]),
    ("aggregator.f=17", &["aggregator.f", "f = 17 of m = 17 workers; f < m is needed"]),
    ("aggregator.step={sgd={lr=0}}", &["aggregator.step.sgd.lr", "a number above 0"]),
    ("aggregator.step=lamb", &["unknown step `lamb`", "sgd"]),
    ("attackers.0.count=9", &["aggregator.rule", "ctma needs m > 2f, which m = 18, f = 9 does not meet"]),
    ("attackers.0.count=-1", &["attackers.0.count"]),
    ("attackers.0.attack=sign-flop", &["attackers.0.attack", "did you mean `sign-flip`"]),
    ("attackers.0.attack.ipm.epsilom=1", &["attackers.0.attack.ipm", "unknown key `epsilom`"]),
    (
        "attackers.0.attack={switching={schedule=[{from=1,attack='ipm'},{from=9,attack={ipm={eps=1}}}]}}",
        &["attackers.0.attack.switching.schedule.1.attack", "unknown key `eps`"],
    ),
    (
        "attackers.0.attack={switching={schedule=[{from=1,attack={ipm={epsilon=inf}}}]}}",
        &["attackers.0.attack.switching.schedule.0.attack.ipm.epsilon", "inf is given"],
    ),
    ("attackers.0.attack={switching={schedule=[{from=2,attack='ipm'}]}}", &["the first is 1"]),
    ("attackers.0.attack=label-flip", &["attackers.0.attack.label-flip", "no labels that could be flipped"]),
    (
        "attackers.0.attack={switching={schedule=[{from=1,attack='ipm'},{from=9,attack='label-flip'}]}}",
        &["attackers.0.attack.switching.schedule.1.attack.label-flip", "no labels"],
    ),
    (
        "attackers.0.attack={mimic={victim=9}}",
        &["attackers.0.attack.mimic.victim", "victim = 9: there are 9 honest workers"],
    ),
    (
        "attackers.0.attack={single-coordinate={coordinate=30}}",
        &["attackers.0.attack.single-coordinate.coordinate", "coordinate = 30: vectors have 30 of them"],
    ),
    ("attackers.0.actor=nobody", &["attackers.0", "one of them"]),
    ("attackers.3.count=1", &["`attackers` has one element, `attackers.0`; there is no `attackers.3`"]),
    ("aggregator.rule.2=mean", &["`rule` has 2 elements, `rule.0` to `rule.1`; there is no `rule.2`"]),
    (
        "faults=[{fault='silence',workers=[17]}]",
        &["faults.0.workers: there is no worker 17; ids are 0 to 16"],
    ),
    (
        "faults=[{fault={impostor={of=17}},workers=[3]}]",
        &["faults.0.fault.impostor.of: there is no worker 17; ids are 0 to 16"],
    ),
    ("workers=[]", &["workers", "no honest workers"]),
    (
        "workers={count=3}",
        &["workers: found a table, a list of tables is expected: write --set 'workers=[{…}]'"],
    ),
    (
        "faults={fault='silence'}",
        &["faults: found a table, a list of tables is expected: write --set 'faults=[{…}]'"],
    ),
    (
        "faults.0.fault=silence",
        &["faults: found a table, a list of tables is expected: write --set 'faults=[{…}]'"],
    ),
    ("workers.0.count=-3", &["workers.0.count"]),
    ("workers.0.batch_size=0", &["workers.0.batch_size"]),
    ("workers.0.estimator=momentom", &["workers.0.estimator", "did you mean `momentum`"]),
    ("workers.0.estimator={momentum={beta=1.5}}", &["workers.0.estimator.momentum.beta", "1.5"]),
    ("barrier.deadline_seconds=0", &["barrier.deadline_seconds"]),
    ("barrier.absence=ignore", &["barrier.absence", "fail", "drop"]),
    ("machine.device=gpu", &["machine.device", "gpu"]),
    ("machine.threads=-1", &["machine.threads"]),
    ("evaluation.evry=3", &["evaluation", "did you mean `every`"]),
    ("novalue", &["--set novalue", "key=value"]),
    ("a..b=1", &["--set a..b=1", "empty part"]),
    ("name.first=1", &["--set name.first=1", "not a table"]),
];

#[test]
fn every_wrong_value_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "good.toml", harness::CONVEX);
    for (set, parts) in harness::sampled(WRONG) {
        let done = Program::run(&["check", &file, "--set", set]);
        assert_eq!(done.status, 2, "--set {set}: {}", done.stderr);
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert!(lines[0].starts_with("error: "), "--set {set}: {}", done.stderr);
        for part in *parts {
            assert!(done.stderr.contains(part), "--set {set}: no {part:?} in {}", done.stderr);
        }
    }
}

#[test]
fn labels_become_only_classes_that_the_task_has() {
    let folder = tempfile::tempdir().unwrap();
    let objective = "logistic-regression = { dim = 5, samples = 400 }";
    let text = harness::CONVEX.replace("least-squares = { dim = 30 }", objective);
    let file = experiment(folder.path(), "labels.toml", &text);
    let set = |attack: &str| format!("attackers.0.attack={attack}");
    let message = "label-flip.target: target = 2: the task has 2 classes, counted from 0";
    let beyond = "{label-flip={map='all-to-one',target=2}}";
    let later = format!("{{switching={{schedule=[{{from=1,attack='ipm'}},{{from=9,attack={beyond}}}]}}}}");
    for (attack, key) in [(beyond, "attack"), (&later, "attack.switching.schedule.1.attack")] {
        let said = Program::fails(&["check", &file, "--set", &set(attack)]);
        assert!(said.contains(&format!("attackers.0.{key}.{message}")), "{said}");
    }
    for within in ["label-flip", "{label-flip={map='all-to-one',target=1}}", "{label-flip={target=2}}"] {
        let done = Program::run(&["check", &file, "--set", &set(within)]);
        assert_eq!(done.status, 0, "{within}: {}", done.stderr);
    }
}

#[test]
fn a_key_of_the_file_is_named_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = harness::CONVEX.replace("count = 8", "cont = 8");
    let file = experiment(folder.path(), "typo.toml", &text);
    let done = Program::run(&["check", &file]);
    assert_eq!(done.status, 2);
    assert!(
        done.stderr.contains("typo.toml: attackers.0.cont: unknown key `cont`; did you mean `count`?"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_key_of_the_environment_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "good.toml", harness::CONVEX);
    let done = Program::with_env(&["check", &file], &[("PHALANX_ROUNDZ", "3")]);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("environment"), "{}", done.stderr);
    let done = Program::with_env(&["check", &file], &[("PHALANX_TASK__CLIP", "-3")]);
    assert!(done.stderr.contains("environment") && done.stderr.contains("task.clip"), "{}", done.stderr);
}

#[test]
fn a_flag_that_the_environment_gives_is_not_called_required() {
    let data: [&[&str]; 4] = [&["run"], &["check"], &["sweep"], &["data", "get"]];
    for command in data {
        let said = Program::with_env(command, &[("PHALANX_DATA", "/data")]).stderr;
        assert!(said.contains("Usage: ") && said.contains("[OPTIONS] <"), "{said}");
        assert!(!said.contains("--data"), "{said}");
    }
}

#[test]
fn files_that_are_no_experiments() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml").display().to_string();
    assert!(Program::fails(&["check", &missing]).contains("missing.toml: No such file"));
    let broken = experiment(folder.path(), "broken.toml", "name = \"x\nrounds");
    let message = Program::fails(&["check", &broken]);
    assert!(message.contains("broken.toml") && message.contains("line 2"), "{message}");
    std::fs::write(folder.path().join("binary.toml"), [0xff, 0xfe, 0x00]).unwrap();
    let binary = folder.path().join("binary.toml").display().to_string();
    assert!(Program::fails(&["check", &binary]).contains("UTF-8"));
    let empty = experiment(folder.path(), "empty.toml", "");
    assert!(Program::fails(&["check", &empty]).contains("empty.toml"));
    assert!(Program::fails(&["check", &folder.path().display().to_string()]).contains("irectory"));
}

/// Whatever the form of the chain below.
#[test]
fn a_parameter_of_a_rule_has_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let table = "{geometric-median={steps=9}}";
    for chain in ["'geometric-median'", "'nnm > geometric-median'", "['nnm', 'geometric-median']", table] {
        let at = usize::from(chain.contains("nnm"));
        let set = format!("aggregator.rule={chain}");
        let nu = format!("aggregator.rule.{at}.geometric-median.nu=0.5");
        let done = Program::run(&["check", &file, "--print", "--set", &set, "--set", &nu]);
        assert_eq!(done.status, 0, "{chain}: {}", done.stderr);
        assert!(done.stdout.contains("nu = 0.5"), "{chain}: {}", done.stdout);
    }
}

/// It is no error: a run may be shorter for a first look.
#[test]
fn an_attack_whose_turn_never_comes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "experiment.toml", harness::CONVEX);
    let turns = "{from=1,attack={switching={schedule=[{from=1,attack='ipm'},{from=50,attack='alie'}]}}}";
    for (schedule, place) in [
        ("{from=1,attack='ipm'},{from=50,attack='alie'}", "1.from"),
        (turns, "0.attack.switching.schedule.1.from"),
    ] {
        let set = format!("attackers.0.attack={{switching={{schedule=[{schedule}]}}}}");
        let done = Program::run(&["check", &file, "--set", &set]);
        let told =
            format!("attack.switching.schedule.{place}: 50 is after the last round, 40; it never comes");
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(done.stderr.contains(&told), "{}", done.stderr);
        let enough = Program::run(&["check", &file, "--set", &set, "--set", "rounds=50"]);
        assert!(!enough.stderr.contains("never comes"), "{}", enough.stderr);
    }
}

/// As it stands in the run folder, and a file from which the same run comes.
#[test]
fn check_prints_what_an_experiment_is_resolved_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "good.toml", harness::CONVEX);
    let print = |file: &str, more: &[&str]| {
        let done = Program::run(&[&["check", file, "--print"], more].concat());
        assert!(done.status == 0 && done.stderr.is_empty(), "{}", done.stderr);
        done.stdout
    };
    let sets = ["--set", "seed=9"];
    let printed = print(&file, &sets);
    let keys = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    assert_eq!(keys(&printed)["seed"].as_integer(), Some(9));
    assert!(keys(&printed)["attackers"][0]["attack"]["ipm"]["epsilon"].is_float(), "{printed}");
    let again = experiment(folder.path(), "again.toml", &printed);
    assert_eq!(keys(&print(&again, &[])), keys(&printed));
    let run = Program::folder(&[&again], folder.path());
    let mut left = keys(&std::fs::read_to_string(run.join("config.toml")).unwrap());
    left.insert("machine".to_owned(), keys(&printed)["machine"].clone()); // the folder for results is another one
    assert_eq!(left, keys(&printed));
    assert!(Program::fails(&["check", &file, "--print", "--set", "rounds=0"]).contains("at least one round"));
}

#[test]
fn check_says_what_would_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "good.toml", harness::CONVEX);
    let done = Program::run(&["check", &file]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stdout.contains("ok, 17 workers, 8 of them Byzantine, f = 8"), "{}", done.stdout);
    assert!(done.stdout.contains("least-squares in 30 dimensions, f32 on cpu, 40 rounds"), "{}", done.stdout);
}

#[test]
fn a_run_that_cannot_fit_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let text = harness::CONVEX.replace("dim = 30", "dim = 10_000_000").replace("count = 9", "count = 9_992");
    let file = experiment(folder.path(), "large.toml", &text);
    let message = Program::fails(&["run", &file]);
    assert!(message.contains("about 1199.7 GB") && message.contains("GB are available"), "{message}");
    // Start, optimum and eigenvalues in f64.
    assert!(message.contains("of 10000000 numbers of 4 bytes, the objective 0.2 GB"), "{message}");
    let needs = |step: &str| {
        let message = Program::fails(&["run", &file, "--set", &format!("aggregator.step={step}")]);
        let number = message.split("needs about ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        (number.parse::<f64>().unwrap() * 10.0).round()
    };
    // Tenths of a gigabyte: a vector takes 40 MB, and adam remembers two.
    assert_eq!(needs("adam") - needs("sgd"), 1.0);
    let small = experiment(folder.path(), "small.toml", harness::CONVEX);
    let message = Program::fails(&["check", &small, "--set", "machine.memory_gb=0.000001"]);
    assert!(message.contains("allowed by machine.memory_gb"), "{message}");
}

#[test]
fn tables_of_pairs_count_where_a_rule_or_an_attack_asks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = experiment(folder.path(), "many.toml", &harness::CONVEX.replace("count = 9", "count = 40000"));
    let checked = |rule: &str, attack: &str| {
        let sets = [format!("aggregator.rule={rule}"), format!("attackers.0.attack={attack}")];
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let arguments = ["check", &file, "--set", "machine.memory_gb=1"];
        Program::run(&arguments.into_iter().chain(sets).collect::<Vec<_>>())
    };
    for (rule, attack) in [("cwmed", "ipm"), ("mean", "opt-ipm"), ("bucketing,cwtm", "alie")] {
        let done = checked(rule, attack);
        assert_eq!(done.status, 0, "{rule} against {attack}: {}", done.stderr);
    }
    let switching = "{switching={schedule=[{from=1,attack='ipm'},{from=9,attack='min-sum'}]}}";
    for (rule, attack) in [("krum", "ipm"), ("nnm,cwmed", "ipm"), ("cwmed", "min-max"), ("cwmed", switching)]
    {
        let done = checked(rule, attack);
        assert_eq!(done.status, 2, "{rule} against {attack}");
        assert!(done.stderr.contains("tables of 40008 x 40008 numbers"), "{}", done.stderr);
    }
}

/// Before memory for its parameters is asked for, which would end the program.
#[cfg(feature = "torch")]
#[test]
fn a_model_that_cannot_fit_is_refused_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let task = "dataset = \"digits\"\nmodel = \"mlp\"";
    let text = harness::CONVEX.replace("objective = { least-squares = { dim = 30 } }", task);
    let file = experiment(folder.path(), "wide.toml", &text);
    let refused = |hidden: &str| {
        Program::fails(&["check", &file, "--set", &format!("task.model={{mlp={{hidden={hidden}}}}}")])
    };
    let needs = refused("[10000000, 10000]");
    // 64 inputs and a bias, one layer over the other, ten classes
    assert!(needs.contains("vectors of 100650110010 numbers of 4 bytes"), "{needs}");
    assert!(refused("[10000000, 10000000, 10000000]").contains("the run needs about"));
    for hidden in ["[0]", "[8, 10000001]", "[9000000000000000000]"] {
        let wrong = refused(hidden);
        assert!(wrong.contains("task.model.mlp.hidden") && !wrong.contains("digits"), "{wrong}");
    }
}

#[cfg(feature = "torch")]
#[test]
fn a_run_whose_passes_cannot_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let task = "dataset = \"digits\"\nmodel = \"simple-cnn\"";
    let text = harness::CONVEX.replace("objective = { least-squares = { dim = 30 } }", task);
    let file = experiment(folder.path(), "passes.toml", &text);
    let checked = |batch: usize, way: &str, root: usize| {
        let sets = [
            format!("task.root={root}"),
            format!("workers.0.batch_size={batch}"),
            format!("task.way={way}"),
            "aggregator.rule=[\"fltrust\"]".to_owned(),
            "machine.threads=2".to_owned(),
            "machine.memory_gb=0.006".to_owned(),
        ];
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        Program::run(&["check", &file].into_iter().chain(sets).collect::<Vec<_>>())
    };
    // 36 vectors of 14,634 numbers take 2.1 MB, and a sample on its way through the model 51 kB; through
    // libtorch as many workers go as make 600 MFLOP.
    for way in ["kernels", "torch"] {
        assert_eq!(checked(2, way, 40).status, 0, "{}", checked(2, way, 40).stderr);
        for refused in [checked(80, way, 40), checked(2, way, 400)] {
            assert_eq!(refused.status, 2, "{}", refused.stderr);
            assert!(refused.stderr.contains(" MB (less with smaller batches)"), "{}", refused.stderr);
        }
    }
}
