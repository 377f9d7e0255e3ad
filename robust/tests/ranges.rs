//! The ends of the range that a parameter's schema gives are values that can be used, and beyond them lie none.

use phalanx_robust::{
    Dtype, Size, Vector,
    aggregation::{self, Rule, RuleVisitor},
    attack::{self, AttackRule, AttackVisitor},
    describe::{Described, ParameterError},
    estimator::{self, EstimatorRule, EstimatorVisitor},
    step::{self, Domain, StepRule, StepVisitor},
};
use serde_json::Value;

/// Its end is another parameter, which its help says.
const DEPENDENT: (&str, &str) = ("safeguard", "long");

/// What the schema says and what is so, where they differ.
#[derive(Default)]
struct Differences {
    seen: usize,
    found: Vec<String>,
}

impl Differences {
    /// Tries the ends of all of C's numbers, each beside the defaults of all others.
    fn look<C: Described>(&mut self, build: impl Fn(&C) -> Result<(), ParameterError>) {
        let schema = schemars::schema_for!(C).to_value();
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, property) in properties.filter(|(name, _)| (C::NAME, name.as_str()) != DEPENDENT) {
            for (end, is_in) in ends(property) {
                let mut written = serde_json::to_value(C::default()).expect("parameters are data");
                written[name] = if whole(property) { (end as i64).into() } else { end.into() };
                let refused = |e: &ParameterError| e.parameter.as_ref() == name.as_str();
                let taken = serde_json::from_value(written)
                    .is_ok_and(|config: C| build(&config).err().is_none_or(|e| !refused(&e)));
                self.seen += 1;
                if taken != is_in {
                    self.found.push(format!("{}.{name} = {end}: taken {taken}, documented {is_in}", C::NAME));
                }
            }
        }
    }
}

fn whole(property: &Value) -> bool {
    property["type"].to_string().contains("integer")
}

/// The ends of a property's range and values just beyond them, and whether they are in it; or its only values.
fn ends(property: &Value) -> Vec<(f64, bool)> {
    if let Some(values) = property["enum"].as_array() {
        return values.iter().filter_map(|value| Some((value.as_f64()?, true))).collect();
    }
    let step = if whole(property) { 1.0 } else { 1e-6 };
    let keys = [
        ("minimum", true, -step),
        ("maximum", true, step),
        ("exclusiveMinimum", false, step),
        ("exclusiveMaximum", false, -step),
    ];
    let ends = keys.iter().filter_map(|&(key, is_in, next)| Some((property[key].as_f64()?, is_in, next)));
    ends.flat_map(|(end, is_in, next)| [(end, is_in), (end + next, !is_in)]).collect()
}

impl RuleVisitor for Differences {
    fn visit<R: Rule>(&mut self) {
        self.look(|rule: &R| rule.build().map(drop));
    }
}

impl AttackVisitor for Differences {
    fn visit<A: AttackRule>(&mut self) {
        self.look(|attack: &A| attack.build(Size { m: 21, f: 5 }).map(drop));
    }
}

impl EstimatorVisitor for Differences {
    fn visit<E: EstimatorRule>(&mut self) {
        self.look(|estimator: &E| estimator.build().map(drop));
    }
}

impl StepVisitor for Differences {
    fn visit<S: StepRule>(&mut self) {
        let start = Vector::zeros(3, Dtype::F32);
        self.look(|step: &S| step.build(&start, Domain::Everywhere).map(drop));
    }
}

#[test]
fn documented_ranges_are_those_that_are_checked() {
    let mut differences = Differences::default();
    aggregation::built_in(&mut differences);
    attack::built_in(&mut differences);
    estimator::built_in(&mut differences);
    step::built_in(&mut differences);
    assert!(differences.seen > 100, "{} ends", differences.seen);
    assert!(differences.found.is_empty(), "{:#?}", differences.found);
}

#[test]
fn weights_whose_sum_overflows_are_refused() {
    let of = |weight: f64| {
        aggregation::WeightedCwmed { weights: vec![weight; 3].into(), ..Default::default() }.build()
    };
    assert_eq!(of(1e308).err().map(|error| error.parameter.into_owned()).as_deref(), Some("weights"));
    assert!(of(1e307).is_ok());
}
