//! Chains, names, presets, conditions.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use phalanx_robust::{
    Batch, BatchError, Dtype, Median, Pass, Size, Vector, Watch,
    aggregation::{
        Aggregate, Aggregator, Context, Ctma, Cwmed, Defence, GeometricMedian, Judge, Layer, Mixer, Rule,
        RuleError, RuleVisitor, Ties, built_in,
    },
    describe::{Described, Preset},
    state::Stateful,
};
use serde_json::json;

use crate::stage::{aggregate, chain, gaussian, layer, plain, stream, vectors};

#[derive(Default)]
struct Names(Vec<&'static str>);

impl RuleVisitor for Names {
    fn visit<R: Rule>(&mut self) {
        assert!(!R::SOURCE.is_empty() && !R::condition().is_empty());
        assert!(R::NAME.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", R::NAME);
        for preset in [Preset::Paper, Preset::Dahan, Preset::Byzfl] {
            R::preset(preset).build().unwrap_or_else(|e| panic!("{} {preset:?}: {e}", R::NAME));
        }
        // what is written is read back, and what is unknown is refused
        let written = serde_json::to_value(R::default()).unwrap();
        let read: R = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
        assert!(serde_json::from_value::<R>(json!({ "no_such_key": 1 })).is_err(), "{}", R::NAME);
        let schema = serde_json::to_value(schemars::schema_for!(R)).unwrap();
        assert!(schema["description"].is_string(), "{} has no summary", R::NAME);
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string();
            assert!(described, "{}.{key} has no description: {property}", R::NAME);
        }
        self.0.push(R::NAME);
    }
}

#[test]
fn every_rule_is_listed_described_and_buildable() {
    let mut names = Names::default();
    built_in(&mut names);
    assert_eq!(names.0.iter().collect::<BTreeSet<_>>().len(), names.0.len());
    for name in
        ["mean", "cwmed", "cwtm", "krum", "geometric-median", "nnm", "bucketing", "ctma", "mda", "smea"]
    {
        assert!(names.0.contains(&name));
    }
}

#[test]
fn presets_take_the_meaning_of_their_source() {
    assert_eq!(Cwmed::preset(Preset::Dahan).even, Median::Lower);
    assert_eq!(Cwmed::preset(Preset::Byzfl).even, Median::Midpoint);
    assert_eq!(Ctma::preset(Preset::Dahan).ties, Ties::Kept);
    let rfa = GeometricMedian::preset(Preset::Dahan);
    assert_eq!((rfa.nu, rfa.steps, rfa.tolerance), (Some(0.1), 3, 0.0));
    assert_eq!(rfa, GeometricMedian::preset(Preset::Byzfl));
}

#[test]
fn a_chain_ends_with_its_only_base() {
    let refused = |rules: &[&str]| {
        let layers = rules.iter().map(|r| layer(r, &json!({}))).collect();
        matches!(Defence::new(layers).err(), Some(RuleError::Chain(_)))
    };
    assert!(refused(&[]) && refused(&["nnm"]) && refused(&["ctma", "nnm"]));
    assert!(refused(&["cwmed", "nnm"]) && refused(&["cwmed", "cwmed"]));
    assert!(!refused(&["ctma", "nnm", "cwmed"]));
}

#[test]
fn every_layer_states_its_own_condition() {
    let refused = |rules: &[&str], m, f| plain(rules).check(Size::new(m, f)).unwrap_err().to_string();
    assert_eq!(refused(&["cwtm"], 8, 4), "cwtm needs m > 2f, which m = 8, f = 4 does not meet");
    assert_eq!(refused(&["krum"], 17, 8), "krum needs m > 2f + 2, which m = 17, f = 8 does not meet");
    assert_eq!(refused(&["bulyan"], 18, 4), "bulyan needs m >= 4f + 3, which m = 18, f = 4 does not meet");
    assert_eq!(refused(&["ctma", "mean"], 4, 2), "ctma needs m > 2f, which m = 4, f = 2 does not meet");
    assert_eq!(refused(&["nnm", "mean"], 4, 2), "nnm needs m > 2f, which m = 4, f = 2 does not meet");
    assert!(chain(&[("krum", json!({ "neighbours": "m-f-1" }))]).check(Size::new(17, 8)).is_ok());
    // and the batch in hand is checked, not only the plan
    let x = gaussian(8, 3, 1);
    assert!(matches!(aggregate(&mut plain(&["cwtm"]), &x, 4), Err(RuleError::Breakdown { m: 8, f: 4, .. })));
}

/// The conditions of the built-in rules, in their order.
#[derive(Default)]
struct Conditions(Vec<&'static str>);

impl RuleVisitor for Conditions {
    fn visit<R: Rule>(&mut self) {
        self.0.push(R::condition());
    }
}

#[test]
fn an_f_whose_double_overflows_is_refused() {
    let mut conditions = Conditions::default();
    built_in(&mut conditions);
    let size = Size::new(5, 1 << 63);
    for ((name, defence), condition) in every("mean").into_iter().zip(conditions.0) {
        assert_eq!(defence.check(size).is_err(), !condition.starts_with("m > 0"), "{name} needs {condition}");
        assert!(defence.bound(size).is_none_or(|bound| bound.coefficient.is_infinite()), "{name}");
    }
}

/// Finds fault with two rows of five, the later one first.
#[derive(Clone)]
struct Choosy;

impl Stateful for Choosy {}

impl Aggregator for Choosy {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        if batch.m() == 5 {
            return Err(BatchError::NonFinite(vec![3, 0]).into());
        }
        assert_eq!(context.f, 1, "two fewer");
        Ok(Aggregate::span(vec![1.0 / batch.m() as f64; batch.m()]))
    }
}

#[test]
fn rows_are_set_aside_in_whatever_order_they_are_named() {
    let x = gaussian(5, 3, 4);
    let got = aggregate(&mut Defence::base(Choosy), &x, 3).unwrap();
    let third = 1.0 / 3.0;
    assert_eq!(got.weights.unwrap(), [0.0, third, third, 0.0, third]);
}

/// Finds what it is told, whatever it is shown.
#[derive(Clone)]
struct Told(Aggregate);

impl Stateful for Told {}

impl Aggregator for Told {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, _: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(self.0.clone())
    }
}

#[test]
fn a_result_that_does_not_fit_the_vectors_is_refused_under_any_layer() {
    let x = gaussian(5, 3, 6);
    let span = |n: usize| Aggregate::span(vec![0.2; n]);
    let distances = |n: usize| Aggregate { distances: Some(vec![1.0; n]), ..span(5) };
    let found = |over: &str, told: &Aggregate| {
        let outer = (!over.is_empty()).then(|| layer(over, &json!({})));
        let layers = outer.into_iter().chain([Layer::Base(Box::new(Told(told.clone())))]).collect();
        aggregate(&mut Defence::new(layers).unwrap(), &x, 1).map(|found| found.output.to_f64())
    };
    for over in ["", "nnm", "arc", "ctma", "weighted-ctma"] {
        for (told, said) in [
            (span(1), "the rule makes 1 coefficient for 5 vectors"),
            (span(4), "the rule makes 4 coefficients for 5 vectors"),
            (span(6), "the rule makes 6 coefficients for 5 vectors"),
            (distances(4), "the rule makes 4 distances for 5 vectors"),
            (distances(6), "the rule makes 6 distances for 5 vectors"),
            (
                Aggregate::vector(vec![0f32; 3].into()),
                "the rule makes a vector of 3 coordinates of f32, where those that it is given have 3 coordinates of f64",
            ),
            (
                Aggregate::vector(vec![0.0; 2].into()),
                "the rule makes a vector of 2 coordinates of f64, where those that it is given have 3 coordinates of f64",
            ),
        ] {
            assert_eq!(found(over, &told).unwrap_err().to_string(), said, "{over}");
        }
        found(over, &distances(5)).unwrap();
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let refused = |rule: &str, parameters: serde_json::Value, parameter: &str| {
        struct Try<'a>(&'a str, serde_json::Value, Option<String>);
        impl RuleVisitor for Try<'_> {
            fn visit<R: Rule>(&mut self) {
                if R::NAME == self.0 {
                    let rule: R = serde_json::from_value(self.1.clone()).unwrap();
                    self.2 = rule.build().err().map(|e| e.parameter.into_owned());
                }
            }
        }
        let mut one = Try(rule, parameters, None);
        built_in(&mut one);
        assert_eq!(one.2.as_deref(), Some(parameter), "{rule}");
    };
    refused("krum", json!({ "power": 3 }), "power");
    refused("multi-krum", json!({ "select": { "exactly": 0 } }), "select");
    refused("geometric-median", json!({ "nu": -1.0 }), "nu");
    refused("geometric-median", json!({ "steps": 0 }), "steps");
    refused("auto-gm", json!({ "lambda": 0.0 }), "lambda");
    refused("auto-gm", json!({ "iterations": 0 }), "iterations");
    refused("centered-clipping", json!({ "tau": 0.0 }), "tau");
    refused("sequential-centered-clipping", json!({ "tau": -1.0 }), "tau");
    refused("sequential-centered-clipping", json!({ "size": 0 }), "size");
    refused("bucketing", json!({ "size": 0 }), "size");
    refused("clipping", json!({ "radius": -0.1 }), "radius");
    refused("dnc", json!({ "iterations": 0 }), "iterations");
    refused("dnc", json!({ "iterations": 10_001 }), "iterations");
    refused("signguard", json!({ "coordinates": 0.0 }), "coordinates");
    refused("flame", json!({ "min_samples": 0 }), "min_samples");
    refused("fools-gold", json!({ "confidence": 0.0 }), "confidence");
    refused("fedseca", json!({ "sparsity": 1.0 }), "sparsity");
    refused("lasa", json!({ "sparsity": 1.0 }), "sparsity");
    refused("lasa", json!({ "lambda_n": 0.0 }), "lambda_n");
    refused("lasa", json!({ "lambda_s": -1.0 }), "lambda_s");
    refused("foundation-fl", json!({ "copies": 0 }), "copies");
    refused("safeguard", json!({ "short": 9, "long": 3 }), "long");
    refused("weighted-cwmed", json!({ "weights": [1.0, 0.0] }), "weights");
    refused("weighted-ctma", json!({ "delta": 0.5 }), "delta");
    refused("gas", json!({ "groups": 0 }), "groups");
    refused("fldetector", json!({ "window": 0 }), "window");
    refused("zeno", json!({ "gamma": 0.0 }), "gamma");
    refused("zeno", json!({ "rho": -1.0 }), "rho");
    refused("reconstruction", json!({ "components": 0 }), "components");
    refused("reconstruction", json!({ "components": 101 }), "components");
    refused("reconstruction", json!({ "threshold": 0.0 }), "threshold");
    refused("skymask", json!({ "gamma": 0.0 }), "gamma");
    refused("skymask", json!({ "steps": 0 }), "steps");
    refused("skymask", json!({ "rate": 0.0 }), "rate");
    refused("skymask", json!({ "reach": -1.0 }), "reach");
    refused("skymask", json!({ "threshold": 1.0 }), "threshold");
    refused("fldetector", json!({ "references": 0 }), "references");
    let many = chain(&[("robust-lr", json!({ "theta": 4 }))]);
    assert!(many.check(Size::new(4, 1)).is_ok());
    assert!(matches!(many.check(Size::new(3, 1)), Err(RuleError::Breakdown { rule: "robust-lr", .. })));
    let few = chain(&[("weighted-cwmed", json!({ "weights": [1.0, 2.0] }))]).check(Size::new(3, 1));
    assert!(matches!(few, Err(RuleError::Parameter { rule: "weighted-cwmed", .. })));
}

/// A bucket is drawn anew each round: neither a memory nor a weight of workers can be that of buckets.
#[test]
fn nothing_that_goes_by_workers_stands_under_buckets() {
    let weights = json!({ "weights": vec![1.0; 9] });
    let made = |rules: &[(&str, serde_json::Value)]| {
        let layers = [&[("bucketing", json!({}))], rules].concat();
        Defence::new(layers.iter().map(|(name, parameters)| layer(name, parameters)).collect()).map(|_| ())
    };
    for rules in [
        &[("safeguard", json!({}))][..],
        &[("fools-gold", json!({}))],
        &[("fl-defender", json!({}))],
        &[("weighted-cwmed", weights.clone())],
        &[("weighted-mean", json!({ "weights": "samples" }))],
        &[("nnm", json!({})), ("weighted-geometric-median", weights.clone())],
        &[("weighted-ctma", weights), ("cwmed", json!({}))],
        &[("ctma", json!({})), ("safeguard", json!({}))],
        &[("fldetector", json!({})), ("cwmed", json!({}))],
    ] {
        let error = made(rules).unwrap_err();
        assert!(matches!(&error, RuleError::Chain(why) if why.contains("who sent them")), "{error}");
    }
    made(&[("weighted-ctma", json!({})), ("weighted-cwmed", json!({}))]).unwrap();
}

#[test]
fn a_chain_has_an_end() {
    let made = |layers: usize| {
        let layers: Vec<_> = (1..layers).map(|_| layer("nnm", &json!({}))).collect();
        Mixer::new(layers.clone()).map(|_| ())?;
        Defence::new([layers, vec![layer("mean", &json!({}))]].concat()).map(|_| ())
    };
    made(32).unwrap();
    for layers in [33, 34] {
        let refused = made(layers).unwrap_err().to_string();
        let told = "the chain has 33 elements; at most 32 are accepted";
        assert_eq!(refused, told, "of {layers}, of which pre-aggregators are one less");
    }
}

#[test]
fn a_trusted_worker_is_one_of_the_cast_and_of_each_round() {
    let check = |before: &[(&str, serde_json::Value)], reference, workers| {
        let rules = [before, &[("monna", json!({ "reference": reference }))]].concat();
        chain(&rules).check_workers(workers, Size::new(9, 1))
    };
    for before in [vec![], vec![("nnm", json!({}))], vec![("arc", json!({}))]] {
        assert!(check(&before, 8, 9).is_ok());
        let refused = check(&before, 9, 9).unwrap_err().to_string();
        assert_eq!(refused, "monna: reference = 9: a worker whose vector is there and finite");
        let refused = check(&before, 99, 100).unwrap_err().to_string();
        assert_eq!(refused, "monna: it trusts worker 99, and a round calls 9 of 100 workers");
    }
}

#[test]
fn weights_are_for_the_whole_cast_not_for_a_round() {
    for (rule, rest) in [
        ("weighted-mean", vec![]),
        ("weighted-cwmed", vec![]),
        ("weighted-geometric-median", vec![]),
        ("weighted-ctma", vec!["cwmed"]),
    ] {
        let check = |weights: usize| {
            let weighted = [(rule, json!({ "weights": vec![1.0; weights] }))];
            let inner = rest.iter().map(|inner| (*inner, json!({})));
            let defence = chain(&weighted.into_iter().chain(inner).collect::<Vec<_>>());
            assert!(defence.check(Size::new(9, 1)).is_ok());
            defence.check_workers(100, Size::new(9, 1))
        };
        assert!(check(100).is_ok() && check(0).is_ok());
        let refused = check(9).unwrap_err().to_string();
        assert_eq!(refused, format!("{rule}: weights = 9: one weight for each worker"));
    }
}

/// The same vector as with these numbers as a list, also under other layers; nothing where nobody can say them.
#[test]
fn samples_that_workers_hold_are_their_weights() {
    let (x, held) = (vectors(&gaussian(5, 4, 2), Dtype::F64), [30, 5, 80, 11, 2]);
    let over = |layers: &[&'static str], rule, weights: serde_json::Value| {
        let plain = layers.iter().map(|layer| (*layer, json!({})));
        chain(&plain.chain([(rule, json!({ "weights": weights }))]).collect::<Vec<_>>())
    };
    for rule in ["weighted-mean", "weighted-cwmed", "weighted-geometric-median"] {
        for layers in [&[][..], &["nnm"], &["weighted-ctma", "nnm"]] {
            let mut given = over(layers, rule, json!(held));
            let mut counted = over(layers, rule, json!("samples"));
            let refused = counted.aggregate(&x, 1, stream(1)).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("{rule}: weights = samples: workers that hold shards")),
                "{refused}"
            );
            assert_eq!(counted.count_samples(None).unwrap_err().to_string(), refused);
            counted.count_samples(Some(&held)).unwrap();
            let outputs =
                [&mut given, &mut counted].map(|one| one.aggregate(&x, 1, stream(1)).unwrap().output);
            assert_eq!(outputs[0].to_f64(), outputs[1].to_f64(), "{layers:?} {rule}");
        }
    }
    let outer = |weights| chain(&[("weighted-ctma", json!({ "weights": weights })), ("cwmed", json!({}))]);
    let (mut given, mut counted) = (outer(json!(held)), outer(json!("samples")));
    counted.count_samples(Some(&held)).unwrap();
    let outputs = [&mut given, &mut counted].map(|one| one.aggregate(&x, 1, stream(1)).unwrap().output);
    assert_eq!(outputs[0].to_f64(), outputs[1].to_f64());
    assert!(counted.check_workers(6, Size::new(5, 1)).is_err(), "there are five");
}

#[test]
fn weights_and_references_belong_to_workers() {
    let x = gaussian(5, 4, 2);
    // worker 1 is absent: the rows are those of 0, 2, 3, 4
    let present: Vec<Vec<f64>> = [0, 2, 3, 4].iter().map(|&i| x[i].clone()).collect();
    let mut context = Context::new(1, stream(1));
    context.workers = vec![0, 2, 3, 4];
    let mut monna = chain(&[("monna", json!({ "reference": 3 }))]);
    let got = monna.aggregate_in(&vectors(&present, Dtype::F64), context.clone()).unwrap();
    assert!(got.weights.unwrap()[2] > 0.0, "worker 3 is row 2");
    let mut absent = chain(&[("monna", json!({ "reference": 1 }))]);
    let refused = absent.aggregate_in(&vectors(&present, Dtype::F64), context.clone()).unwrap_err();
    assert!(matches!(refused, RuleError::Parameter { rule: "monna", .. }), "{refused}");
    let mut heavy = chain(&[("weighted-cwmed", json!({ "weights": [1.0, 1.0, 1.0, 1.0, 99.0] }))]);
    let got = heavy.aggregate_in(&vectors(&present, Dtype::F64), context).unwrap();
    assert_eq!(got.output.to_f64(), x[4], "all the weight is worker 4's");
    // a row set aside does not shift the weights
    let mut y = x.clone();
    y[0][0] = f64::NAN;
    assert_eq!(aggregate(&mut heavy, &y, 2).unwrap().output.to_f64(), x[4]);
}

#[test]
fn the_report_can_do_without_distances() {
    let x = vectors(&gaussian(7, 9, 2), Dtype::F32);
    for rules in [&["krum"][..], &["cwmed"], &["ctma", "cwmed"], &["mean"]] {
        let mut context = Context::new(2, stream(1));
        assert!(plain(rules).aggregate_in(&x, context.clone()).unwrap().distances.is_some());
        context.wants_distances = false;
        assert!(plain(rules).aggregate_in(&x, context).unwrap().distances.is_none());
    }
    let got = plain(&["ctma", "cwmed"]).aggregate(&x, 2, stream(1)).unwrap();
    assert_eq!(got.weights.unwrap().iter().filter(|w| **w == 0.0).count(), 2, "two are trimmed");
}

/// Notes the passes over the vectors.
#[derive(Debug, Default)]
struct Passes(Mutex<Vec<Pass>>);

impl Watch for Passes {
    fn began(&self, pass: Pass) {
        self.0.lock().unwrap().push(pass);
    }

    fn ended(&self, _: Pass) {}
}

#[test]
fn a_gram_matrix_that_is_there_serves_whoever_comes_after() {
    let expected = [
        (&["ctma", "nnm", "cwmed"][..], &[Pass::Gram, Pass::Columns, Pass::Combine][..]),
        (&["ctma", "nnm", "mean"], &[Pass::Gram, Pass::Combine]),
        (&["nnm", "cge"], &[Pass::Gram, Pass::Combine]),
        (&["ctma", "mean"], &[Pass::Combine, Pass::Distances, Pass::Combine, Pass::Distances]),
    ];
    for (rules, passes) in expected {
        let noted = Arc::<Passes>::default();
        let context = Context { watch: Some(noted.clone()), ..Context::new(3, stream(1)) };
        plain(rules).aggregate_in(&vectors(&gaussian(11, 20, 1), Dtype::F32), context).unwrap();
        assert_eq!(*noted.0.lock().unwrap(), passes, "{rules:?}, with the distances of the report");
    }
}

/// All points are as good.
#[derive(Debug)]
struct Flat;

impl Judge for Flat {
    fn loss(&self, _: &Vector) -> Result<f64, String> {
        Ok(0.0)
    }

    fn gradient(&self, point: &Vector) -> Result<Vector, String> {
        Ok(point.zeros_like())
    }
}

/// Every built-in rule, those that are no base rules over `base`; of up to 100 workers all hold as many samples.
fn every(base: &'static str) -> Vec<(&'static str, Defence)> {
    let mut names = Names::default();
    built_in(&mut names);
    let defence = |name| match layer(name, &json!({})) {
        Layer::Base(_) => plain(&[name]),
        Layer::Pre(_) | Layer::Meta(_) => plain(&[name, base]),
    };
    let told = |name| {
        let mut defence = defence(name);
        defence.count_samples(Some(&[1; 100])).unwrap();
        (name, defence)
    };
    names.0.into_iter().map(told).collect()
}

#[test]
fn what_rules_hold_is_known_before() {
    let mut with = BTreeSet::new();
    for (name, mut defence) in every("mean") {
        let own = Some(vectors(&gaussian(1, 20, 9), Dtype::F32).remove(0));
        let judge = Some(Arc::new(Flat) as Arc<dyn Judge>);
        let context = Context { reference: own.clone(), point: own, judge, ..Context::new(2, stream(1)) };
        for round in 0..4 {
            defence.aggregate_in(&vectors(&gaussian(11, 20, round), Dtype::F32), context.clone()).unwrap();
        }
        let held = defence.state().vectors.values().filter(|vector| vector.len() == 20).count() as u64;
        assert!(held <= defence.holds(11, 4), "{name} holds {held}");
        assert_eq!(held > 0, defence.holds(11, 4) > 0, "{name} holds {held}");
        if held > 0 {
            with.insert(name);
        }
    }
    assert_eq!(
        with,
        BTreeSet::from([
            "centered-clipping",
            "fldetector",
            "fools-gold",
            "safeguard",
            "sequential-centered-clipping"
        ])
    );
    let chained = plain(&["ctma", "nnm", "safeguard"]);
    assert_eq!(chained.holds(11, 4), plain(&["safeguard"]).holds(11, 4), "of the whole chain");
}

#[test]
fn rules_that_need_no_pairs_make_no_gram_matrix() {
    let mut without = BTreeSet::new();
    for (name, mut defence) in every("mean") {
        if defence.needs_pairs() {
            continue;
        }
        without.insert(name);
        let mut rows = gaussian(40, 20, 1); // of few rows a Gram matrix costs nothing
        for value in [0.0, f64::NAN] {
            rows[3][7] = value;
            let noted = Arc::<Passes>::default();
            let own = Some(vectors(&gaussian(1, 20, 2), Dtype::F32).remove(0));
            let (reference, point, watch) = (own.clone(), own, Some(noted.clone() as Arc<dyn Watch>));
            let judge = Some(Arc::new(Flat) as Arc<dyn Judge>);
            let context = Context { watch, reference, point, judge, ..Context::new(2, stream(1)) };
            defence.aggregate_in(&vectors(&rows, Dtype::F32), context).unwrap();
            assert!(!noted.0.lock().unwrap().contains(&Pass::Gram), "{name}, {value}");
        }
    }
    let coordinates = ["cwmed", "cwtm", "meamed", "phocas", "sign-majority", "robust-lr", "weighted-cwmed"];
    let norms = ["arc", "cge", "clipping", "norm-clipping"];
    let others = [
        "aksel",
        "bucketing",
        "ctma",
        "fldetector",
        "fltrust",
        "foundation-fl",
        "gas",
        "lasa",
        "mean",
        "weighted-ctma",
        "weighted-mean",
        "zeno",
    ];
    assert_eq!(without, [&coordinates[..], &norms, &others].concat().into_iter().collect());
}
