//! The built-in rules by name, as they are by default: for the tests that go through all of them.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of it")]

use phalanx_robust::aggregation::{Defence, Layer, Rule, RuleVisitor, built_in};

struct Layers(Vec<(&'static str, Layer)>);

impl RuleVisitor for Layers {
    fn visit<R: Rule>(&mut self) {
        let mut layer = R::default().build().expect(R::NAME);
        if let Layer::Base(rule) = &mut layer {
            rule.count_samples(Some(&[1; 1000])).expect(R::NAME); // all hold the same
        }
        self.0.push((R::NAME, layer));
    }
}

/// Every built-in rule.
pub fn layers() -> Vec<(&'static str, Layer)> {
    let mut all = Layers(Vec::new());
    built_in(&mut all);
    all.0
}

/// The chain of these rules, outermost first.
pub fn chain(names: &[&str]) -> Defence {
    let find = |name: &&str| layers().into_iter().find(|(n, _)| n == name).expect("a rule").1;
    Defence::new(names.iter().map(find).collect()).expect("a chain")
}
