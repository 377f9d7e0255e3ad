//! Partitions that are not iid: what holds of every deal, and what each promises beside.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::{path::Path, sync::Arc};

use phalanx::data::{
    Dataset, HoldOutError, load,
    partition::{
        Classes, Deal, Dirichlet, Extreme, GammaSimilarity, Iid, PartitionError, PartitionRule, Quantity,
        Shards, SharedStream, Sizes,
    },
};
use phalanx_robust::random::Seed;
use proptest::prelude::*;

const CLASSES: usize = 7;

fn labels(count: usize) -> Vec<u8> {
    // Classes of unequal size: 0 is the largest.
    (0..count).map(|at| ((at * at + at / 3) % 13 % CLASSES) as u8).collect()
}

fn deal(rule: &impl PartitionRule, labels: &[u8], workers: usize, seed: u64) -> Shards {
    match rule.deal(labels, workers, Seed(seed)).unwrap() {
        Deal::Shards(shards) => shards,
        Deal::Stream => panic!("shards are expected"),
    }
}

/// Every sample is dealt to exactly one worker, and the same seed deals the same shards.
fn sound(
    rule: &impl PartitionRule,
    labels: &[u8],
    workers: usize,
    seed: u64,
) -> Result<Shards, TestCaseError> {
    let dealt = deal(rule, labels, workers, seed);
    prop_assert_eq!(dealt.shards.len(), workers);
    let mut all: Vec<u32> = dealt.shards.concat();
    all.sort_unstable();
    prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
    prop_assert_eq!(&dealt, &deal(rule, labels, workers, seed));
    Ok(dealt)
}

/// How many samples of each class a shard holds.
fn histogram(labels: &[u8], shard: &[u32]) -> Vec<usize> {
    let mut counts = vec![0; CLASSES];
    shard.iter().for_each(|&at| counts[usize::from(labels[at as usize])] += 1);
    counts
}

/// Fails if the shard's classes are not those of a random sample of its size: five standard deviations of the
/// hypergeometric distribution are allowed.
fn like_iid(labels: &[u8], shard: &[u32]) {
    let (n, size) = (labels.len() as f64, shard.len() as f64);
    let whole = histogram(labels, &(0..labels.len() as u32).collect::<Vec<_>>());
    for (class, (&count, &all)) in histogram(labels, shard).iter().zip(&whole).enumerate() {
        let p = all as f64 / n;
        let spread = (size * p * (1.0 - p) * (n - size) / (n - 1.0)).sqrt();
        let off = (count as f64 - size * p).abs();
        assert!(off <= 5.0 * spread + 1.0, "class {class}: {count} of {size}, expected {}", size * p);
    }
}

fn sizes(shards: &[Arc<[u32]>]) -> Vec<usize> {
    shards.iter().map(|shard| shard.len()).collect()
}

proptest! {
    #[test]
    fn dirichlet_deals_everything_and_keeps_its_minimum(
        samples in 200usize..600, workers in 1usize..12, alpha in 0.001f64..20.0, min_size in 0usize..17, seed: u64,
    ) {
        let rule = Dirichlet { alpha, min_size, ..Dirichlet::default() };
        let dealt = sound(&rule, &labels(samples), workers, seed)?;
        prop_assert!(dealt.shards.iter().all(|shard| shard.len() >= min_size));
    }

    #[test]
    fn gamma_deals_everything_in_nearly_equal_shards(
        samples in 40usize..600, workers in 1usize..20, gamma in 0.0f64..=1.0, seed: u64,
    ) {
        let labels = labels(samples);
        let dealt = sound(&GammaSimilarity { gamma, replacement: false }, &labels, workers, seed)?;
        let sizes = sizes(&dealt.shards);
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 2);
        // Behind the random share every shard is a piece of the sorted rest.
        let alike = (gamma * samples as f64).floor() as usize;
        let rest: Vec<u8> = dealt.shards.iter().enumerate().flat_map(|(worker, shard)| {
            let own = alike / workers + usize::from(worker < alike % workers);
            shard[own..].iter().map(|&at| labels[at as usize]).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(rest.len(), samples - alike);
        prop_assert!(rest.is_sorted());
    }

    #[test]
    fn extreme_is_sorted_by_label(samples in 40usize..400, workers in 1usize..20, seed: u64) {
        let labels = labels(samples);
        let dealt = sound(&Extreme::default(), &labels, workers, seed)?;
        prop_assert!(dealt.shards.concat().iter().map(|&at| labels[at as usize]).is_sorted());
        let gamma = GammaSimilarity { gamma: 0.0, replacement: false };
        prop_assert_eq!(dealt, deal(&gamma, &labels, workers, seed));
    }

    #[test]
    fn classes_deals_k_classes_a_worker_evenly(
        samples in 400usize..800, workers in CLASSES..20, per_worker in 1usize..=CLASSES, seed: u64,
    ) {
        let labels = labels(samples);
        let dealt = sound(&Classes { per_worker, replacement: false }, &labels, workers, seed)?;
        let counts: Vec<Vec<usize>> = dealt.shards.iter().map(|shard| histogram(&labels, shard)).collect();
        for hand in &counts {
            prop_assert_eq!(hand.iter().filter(|&&count| count > 0).count(), per_worker);
        }
        for class in 0..CLASSES {
            let held: Vec<usize> = counts.iter().map(|hand| hand[class]).filter(|&count| count > 0).collect();
            prop_assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn quantity_deals_everything_by_its_law(
        samples in 100usize..600, workers in 1usize..12, exponent in 0.0f64..3.0, min_size in 0usize..8, seed: u64,
    ) {
        let rule = Quantity { sizes: Sizes::PowerLaw { exponent }, min_size, replacement: false };
        let mut found = sizes(&sound(&rule, &labels(samples), workers, seed)?.shards);
        found.sort_unstable_by(|a, b| b.cmp(a));
        let whole: f64 = (1..=workers).map(|rank| (rank as f64).powf(-exponent)).sum();
        for (rank, &size) in found.iter().enumerate() {
            let share = ((rank + 1) as f64).powf(-exponent) / whole;
            let expected = min_size as f64 + share * (samples - min_size * workers) as f64;
            prop_assert!((size as f64 - expected).abs() <= 1.0, "{size}, expected {expected}");
        }
        let rule = Quantity { sizes: Sizes::Dirichlet { alpha: exponent + 0.01 }, min_size, replacement: false };
        let dealt = sound(&rule, &labels(samples), workers, seed)?;
        prop_assert!(dealt.shards.iter().all(|shard| shard.len() >= min_size));
    }

    #[test]
    fn the_validation_set_and_the_rest_are_the_training_set(held in 1usize..1437, seed: u64) {
        let whole = load("digits", &[]).unwrap();
        let cut = whole.clone().hold_out(held, Seed(seed)).unwrap();
        let validation = cut.validation.as_ref().unwrap();
        prop_assert_eq!((validation.len(), cut.train.len()), (held, whole.train.len() - held));
        prop_assert_eq!(sorted_images(&[&cut.train, validation]), sorted_images(&[&whole.train]));
        prop_assert_eq!(&cut.test.pixels, &whole.test.pixels);
        let again = whole.hold_out(held, Seed(seed)).unwrap();
        prop_assert_eq!(&again.validation.unwrap().pixels, &validation.pixels);
    }
}

proptest! {
    #[test]
    fn the_root_set_is_the_end_of_a_permuted_training_set(root in 1usize..1437, seed: u64) {
        let whole = load("digits", &[]).unwrap();
        let moved = whole.clone().set_root_last(root, Seed(seed)).unwrap();
        prop_assert_eq!(sorted_images(&[&moved.train]), sorted_images(&[&whole.train]));
        prop_assert!(moved.validation.is_none());
        let again = whole.set_root_last(root, Seed(seed)).unwrap();
        prop_assert_eq!(&again.train.pixels, &moved.train.pixels);
    }
}

fn sorted_images(parts: &[&phalanx::data::Images]) -> Vec<(Vec<u8>, u8)> {
    let all =
        parts.iter().flat_map(|part| (0..part.len()).map(|at| (part.image(at).to_vec(), part.labels[at])));
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all
}

#[test]
fn the_seed_decides_every_deal() {
    let labels = labels(500);
    let differ = |rule: &dyn Fn(u64) -> Shards| assert_ne!(rule(1), rule(2));
    differ(&|seed| deal(&Dirichlet::default(), &labels, 9, seed));
    differ(&|seed| deal(&GammaSimilarity::default(), &labels, 9, seed));
    differ(&|seed| deal(&Extreme::default(), &labels, 9, seed));
    differ(&|seed| deal(&Classes::default(), &labels, 9, seed));
    differ(&|seed| deal(&Quantity::default(), &labels, 9, seed));
}

#[test]
fn a_large_alpha_and_a_gamma_of_one_are_iid() {
    let labels = labels(7000);
    let alike = deal(&Dirichlet { alpha: 1e12, ..Dirichlet::default() }, &labels, 9, 3);
    let whole = histogram(&labels, &(0..7000).collect::<Vec<_>>());
    for shard in &alike.shards {
        for (count, all) in histogram(&labels, shard).into_iter().zip(&whole) {
            assert!((count as f64 - *all as f64 / 9.0).abs() <= 1.0);
        }
    }
    let gamma = GammaSimilarity { gamma: 1.0, replacement: false };
    deal(&gamma, &labels, 9, 3).shards.iter().for_each(|shard| like_iid(&labels, shard));
    deal(&Quantity::default(), &labels, 9, 3).shards.iter().for_each(|shard| like_iid(&labels, shard));
    deal(&Iid::default(), &labels, 9, 3).shards.iter().for_each(|shard| like_iid(&labels, shard));
}

#[test]
fn a_tiny_alpha_gives_each_class_to_one_worker() {
    let labels = labels(2000);
    let rule = Dirichlet { alpha: 1e-6, min_size: 0, ..Dirichlet::default() };
    let counts: Vec<Vec<usize>> =
        deal(&rule, &labels, 5, 1).shards.iter().map(|shard| histogram(&labels, shard)).collect();
    for class in 0..CLASSES {
        assert_eq!(counts.iter().filter(|hand| hand[class] > 0).count(), 1);
    }
    let mended = deal(&Dirichlet { min_size: 10, ..rule }, &labels, 20, 1);
    assert!(mended.moved >= 130, "seven classes leave 13 of 20 workers without any: {}", mended.moved);
    assert!(mended.shards.iter().all(|shard| shard.len() >= 10));
}

/// Shares of a class are Beta(alpha, (m - 1) alpha): mean 1/m, variance (1/m)(1 - 1/m) / (m alpha + 1).
#[test]
fn dirichlet_shares_have_the_moments_of_the_distribution() {
    let (workers, alpha, samples) = (4, 0.7, 7000);
    let labels = labels(samples);
    let rule = Dirichlet { alpha, min_size: 0, ..Dirichlet::default() };
    let whole = histogram(&labels, &(0..samples as u32).collect::<Vec<_>>());
    let shares: Vec<f64> = (0..400)
        .flat_map(|seed| {
            let first = histogram(&labels, &deal(&rule, &labels, workers, seed).shards[0]);
            first.into_iter().zip(&whole).map(|(count, &all)| count as f64 / all as f64).collect::<Vec<_>>()
        })
        .collect();
    let n = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / n;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / n;
    let (m, expected) = (workers as f64, 0.25 * 0.75 / (4.0 * alpha + 1.0));
    assert!((mean - 1.0 / m).abs() < 5.0 * (expected / n).sqrt(), "{mean}");
    assert!((variance / expected - 1.0).abs() < 0.1, "{variance}, expected {expected}");
}

#[test]
fn attackers_borrow_the_shards_of_the_honest() {
    let labels = labels(300);
    let Deal::Shards(lent) = Extreme::default().deal(&labels, 3, Seed(1)).unwrap().lend(5).unwrap() else {
        panic!("shards are expected")
    };
    assert_eq!(lent.shards.len(), 5);
    assert_eq!((&lent.shards[3], &lent.shards[4]), (&lent.shards[0], &lent.shards[1]));
    assert_eq!(lent.shards[..3].concat().len(), 300);
    assert_eq!(Deal::Stream.lend(5).unwrap_err(), PartitionError::Stream);
}

#[test]
fn what_cannot_be_dealt_is_refused() {
    let labels = labels(100);
    let told = |refused: Result<Deal, PartitionError>| refused.unwrap_err().to_string();
    let refused =
        |alpha, min_size| told(Dirichlet { alpha, min_size, replacement: false }.deal(&labels, 9, Seed(1)));
    assert_eq!(refused(0.0, 0), "alpha = 0: a number above 0");
    assert_eq!(refused(f64::NAN, 0), "alpha = NaN: a number above 0");
    assert_eq!(refused(1.0, 12), "min_size = 12: no more than an even share of the training set");
    let gamma = GammaSimilarity { gamma: 1.5, replacement: false };
    assert_eq!(told(gamma.deal(&labels, 9, Seed(1))), "gamma = 1.5: a number from 0 to 1");
    for per_worker in [0, 8] {
        let classes = Classes { per_worker, replacement: false };
        let expected = format!("per_worker = {per_worker}: from 1 to the number of classes");
        assert_eq!(told(classes.deal(&labels, 9, Seed(1))), expected);
    }
    let alone = Classes { per_worker: 1, replacement: false };
    let few: Vec<u8> = (0..50).map(|at| u8::from(at == 0)).collect();
    assert!(told(alone.deal(&few, 40, Seed(1))).ends_with("would hold no sample"));
    let quantity = Quantity { sizes: Sizes::PowerLaw { exponent: -1.0 }, ..Quantity::default() };
    let expected = "sizes.power-law.exponent = -1: a number of at least 0";
    assert_eq!(told(quantity.deal(&labels, 9, Seed(1))), expected);
    for workers in [0, 101] {
        let few = PartitionError::Few { samples: 100, workers };
        assert_eq!(Extreme::default().deal(&labels, workers, Seed(1)).unwrap_err(), few);
        assert_eq!(SharedStream::default().deal(&labels, workers, Seed(1)).unwrap_err(), few);
    }
    let digits: Dataset = load("digits", &[Path::new("nowhere").into()]).unwrap();
    let error = digits.hold_out(1437, Seed(1)).unwrap_err();
    assert_eq!(error, HoldOutError { samples: 1437, train: 1437 });
}

#[test]
fn nothing_held_out_changes_nothing() {
    let digits = load("digits", &[]).unwrap();
    assert_eq!(digits.clone().set_root_last(1437, Seed(1)).unwrap_err().train, 1437);
    let digits = digits.hold_out(0, Seed(1)).unwrap();
    assert!(digits.validation.is_none());
    assert_eq!(digits.train.len(), 1437);
}
