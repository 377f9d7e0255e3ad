//! What is said of classes, against counting sample by sample.

use phalanx_actors::Confusion;
use phalanx_robust::{
    Size,
    attack::{AttackRule, Flip, LabelFlip},
};
use proptest::prelude::*;

/// Samples, each a label and a prediction, of so many classes.
fn samples() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
    (1..7usize).prop_flat_map(|classes| {
        let sample = (0..classes, 0..classes);
        (Just(classes), prop::collection::vec(sample, 0..60))
    })
}

fn counted(classes: usize, samples: &[(usize, usize)]) -> Confusion {
    let mut confusion = Confusion::new(classes);
    samples.iter().for_each(|&(label, predicted)| confusion.count(label, predicted));
    confusion
}

/// Part of those of `all` that are `of` something, for which `such` holds; NaN without any.
fn share(
    all: &[(usize, usize)],
    of: impl Fn(&(usize, usize)) -> bool,
    such: impl Fn(&(usize, usize)) -> bool,
) -> f64 {
    let those: Vec<_> = all.iter().filter(|sample| of(sample)).collect();
    those.iter().filter(|sample| such(sample)).count() as f64 / those.len() as f64
}

/// Equal up to rounding, or both no number.
fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-12
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let known: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

proptest! {
    #[test]
    fn classes_are_as_counted_by_hand((classes, samples) in samples()) {
        let confusion = counted(classes, &samples);
        let right = |sample: &(usize, usize)| sample.0 == sample.1;
        let recall = |class| share(&samples, |s| s.0 == class, right);
        let precision = |class| share(&samples, |s| s.1 == class, right);
        let f1 = |class| {
            let (recall, precision): (f64, f64) = (recall(class), precision(class));
            // Of a class that is never right: 0, unless nobody is of it nor taken for it.
            match (recall.is_nan(), precision.is_nan()) {
                (true, true) => f64::NAN,
                _ if recall > 0.0 => 2.0 / (1.0 / recall + 1.0 / precision),
                _ => 0.0,
            }
        };
        for (class, counts) in confusion.each().enumerate() {
            prop_assert!(same(counts.recall(), recall(class)));
            prop_assert!(same(counts.precision(), precision(class)));
            prop_assert!(same(counts.f1(), f1(class)), "{} {}", counts.f1(), f1(class));
        }
        prop_assert!(same(confusion.balanced_accuracy(), mean((0..classes).map(recall))));
        prop_assert!(same(confusion.macro_f1(), mean((0..classes).map(f1))));
        let pairs = confusion.pairs().all(|(label, predicted, count)| {
            count > 0 && count == samples.iter().filter(|sample| **sample == (label, predicted)).count() as u64
        });
        prop_assert!(pairs && confusion.pairs().map(|pair| pair.2).sum::<u64>() == samples.len() as u64);
    }

    /// Each class weighs as much as it has samples.
    #[test]
    fn recalls_weighted_by_samples_are_the_accuracy((classes, samples) in samples()) {
        let confusion = counted(classes, &samples);
        let with = confusion.each().filter(|class| class.samples > 0);
        let weighted: f64 = with.map(|class| class.samples as f64 * class.recall()).sum();
        prop_assert!(same(weighted / confusion.samples() as f64, share(&samples, |_| true, |s| s.0 == s.1)));
        prop_assert_eq!(confusion.right(), samples.iter().filter(|s| s.0 == s.1).count() as u64);
    }

    /// Under every map, also those that leave a class as it is: the middle one, or the target.
    #[test]
    fn success_is_as_counted_by_the_poisoned_labels(
        (classes, samples) in samples(),
        maps in prop::collection::vec(prop_oneof![Just(Flip::Reverse), Just(Flip::AllToOne), Just(Flip::Pairwise)], 0..3),
    ) {
        let target = classes as i64 / 2;
        let attacks: Vec<_> =
            maps.iter().map(|&map| LabelFlip { map, target }.build(Size::new(17, 4)).unwrap()).collect();
        let targets = attacks.iter().map(|attack| {
            (0..classes).map(|label| attack.target_class(1, label as i64, classes as i64) as usize).collect()
        });
        // By what becomes of each sample's label in the hands of each attack.
        let poisoned = |label: usize| attacks.iter().filter_map(move |attack| {
            let mut labels = [label as i64];
            attack.poison(1, &mut labels, classes as i64);
            Some(labels[0] as usize).filter(|poisoned| *poisoned != label)
        });
        let success = share(&samples, |s| poisoned(s.0).next().is_some(), |s| poisoned(s.0).any(|p| p == s.1));
        let told = counted(classes, &samples).attack_success(&targets.collect::<Vec<Vec<usize>>>());
        prop_assert!(same(told, success), "{told} {success}");
    }
}

#[test]
#[should_panic(expected = "class 1 as 3 of 3")]
fn a_class_that_is_not_there_is_not_counted_as_another() {
    Confusion::new(3).count(1, 3);
}
