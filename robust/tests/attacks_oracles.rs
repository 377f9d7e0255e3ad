//! Every attack against its equation, written out again with plain loops in f64.

#![expect(clippy::unwrap_used, reason = "a test")]

mod attacks_stage;

use std::ops::Range;

use attacks_stage::{
    Rows, Stage, assert_close, deviation, distance2, dot, everywhere, mean, norm, normal, plus, scaled,
};
use phalanx_robust::{
    Layout, Size,
    attack::{
        Alie, AntiCge, AntiLasa, Attack, AttackRule, Constant, Direction, Drift, Fang, Flip, Flipped, Foe,
        Gaussian, Heading, HybridSparse, Inf, Ipm, LabelFlip, MinMax, MinSum, Nan, NoAttack, Rop, Saliency,
        Scope, Share, Sign, SignFlip, SingleCoordinate, Switching, Target, Towards, Zero,
    },
    describe::{Described, Preset},
};

#[test]
fn those_of_the_protocol_send_their_own_vectors() {
    everywhere(|stage, tolerance| {
        let sent = stage.play(stage.build(&NoAttack::default()).as_mut(), 1);
        let labels = stage.play(stage.build(&LabelFlip::default()).as_mut(), 1);
        let flipped = stage.play(stage.build(&SignFlip::default()).as_mut(), 1);
        for (i, own) in stage.own.iter().enumerate() {
            assert_close(&sent[i], own, tolerance);
            assert_close(&labels[i], own, tolerance);
            assert_close(&flipped[i], &scaled(-1.0, own), tolerance);
        }
        let byzfl = stage.common(&SignFlip { of: Flipped::HonestMean });
        assert_close(&byzfl, &scaled(-1.0, &mean(&stage.honest)), tolerance);
    });
}

#[test]
fn labels_are_flipped() {
    let flip = |rule: LabelFlip, labels: &[i64]| {
        let mut labels = labels.to_vec();
        rule.build(Size::new(17, 8)).unwrap().poison(1, &mut labels, 10);
        labels
    };
    let map = |map| LabelFlip { map, target: 3 };
    assert_eq!(flip(map(Flip::Reverse), &[0, 1, 5, 9]), [9, 8, 4, 0]);
    assert_eq!(flip(map(Flip::AllToOne), &[0, 1, 5, 9]), [3, 3, 3, 3]);
    assert_eq!(flip(map(Flip::Pairwise), &[0, 1, 5, 9]), [1, 2, 6, 0]);
    let mut labels = [0, 5, 9];
    SignFlip::default().build(Size::new(17, 8)).unwrap().poison(1, &mut labels, 10);
    assert_eq!(labels, [0, 5, 9], "the others leave labels alone");
}

/// What the attackers say of labels is what they want of predictions; the others want nothing of single classes.
#[test]
fn targets_are_the_flipped_labels() {
    for (map, classes) in [(Flip::Reverse, 10), (Flip::Reverse, 5), (Flip::AllToOne, 10), (Flip::Pairwise, 3)]
    {
        let attack = LabelFlip { map, target: 3 }.build(Size::new(17, 8)).unwrap();
        let mut labels: Vec<i64> = (0..classes).collect();
        attack.poison(1, &mut labels, classes);
        let targets: Vec<i64> = (0..classes).map(|y| attack.target_class(1, y, classes)).collect();
        assert_eq!(targets, labels, "{map:?}");
    }
    let middle = LabelFlip::default().build(Size::new(17, 8)).unwrap();
    assert_eq!(middle.target_class(1, 2, 5), 2, "it maps to itself");
    let other = SignFlip::default().build(Size::new(17, 8)).unwrap();
    assert!((0..10).all(|y| other.target_class(1, y, 10) == y));
}

#[test]
fn multiples_of_the_mean() {
    everywhere(|stage, tolerance| {
        let mu = mean(&stage.honest);
        for (preset, epsilon) in [(Preset::Paper, 0.1), (Preset::Dahan, 0.5), (Preset::Byzfl, 2.0)] {
            assert_close(&stage.common(&Ipm::preset(preset)), &scaled(-epsilon, &mu), tolerance);
        }
        assert_close(&stage.common(&Foe { c: 3.0 }), &scaled(-2.0, &mu), tolerance);
    });
}

#[test]
fn alie_stands_beside_the_mean() {
    everywhere(|stage, tolerance| {
        let mu = mean(&stage.honest);
        let beside = |z, ddof| plus(&mu, z, &deviation(&stage.honest, ddof));
        let byzfl = Alie::preset(Preset::Byzfl);
        assert_close(&stage.common(&byzfl), &beside(1.5, 1), tolerance);
        let minus = Alie { z: Some(0.7), ddof: 0, ..Alie::default() };
        assert_close(&stage.common(&minus), &beside(-0.7, 0), tolerance);
        let dahan = Alie::preset(Preset::Dahan);
        if let Ok(z) = dahan.deviations(stage.size) {
            assert_close(&stage.common(&dahan), &beside(-z, 1), tolerance);
        }
    });
}

/// Made by
/// ```python
/// from statistics import NormalDist; from math import floor
/// def z(m, f): s = floor(m / 2 + 1) - f; return NormalDist().inv_cdf((m - f - s) / (m - f))
/// def byzpy(m, f): s = floor(m / 2 + 1) - f; return NormalDist().inv_cdf((m - s) / m)
/// for m, f in [(17, 8), (17, 4), (9, 4), (25, 11)]: print(m, f, z(m, f), byzpy(m, f))
/// ```
#[test]
fn z_of_alie() {
    let golden = [
        (17, 8, 1.2206403488473494, 1.5647264713617985),
        (17, 4, 0.29338123212119355, 0.541395085129088),
        (9, 4, 0.8416212335729144, 1.2206403488473494),
        (25, 11, 1.0675705238781414, 1.4050715603096327),
    ];
    for (m, f, honest, all) in golden {
        let z = |share| Alie { share, ..Alie::default() }.deviations(Size::new(m, f)).unwrap();
        assert!((z(Share::Honest) - honest).abs() < 1e-9, "{m} {f}: {}", z(Share::Honest));
        assert!((z(Share::All) - all).abs() < 1e-9, "{m} {f}: {}", z(Share::All));
    }
    assert!(Alie::default().deviations(Size::new(4, 3)).is_err(), "a Byzantine majority has no z");
    assert!(Alie { sign: Sign::Plus, ..Alie::default() }.build(Size::new(2, 1)).is_err());
}

#[test]
fn constants() {
    everywhere(|stage, _| {
        assert!(stage.common(&Zero::default()).iter().all(|&v| v == 0.0));
        assert!(stage.common(&Constant { value: -2.5 }).iter().all(|&v| v == -2.5));
        assert!(stage.common(&Inf::default()).iter().all(|&v| v == f64::INFINITY));
        let sent = stage.play(stage.build(&Nan::default()).as_mut(), 1);
        assert!(sent.len() == stage.members.len() && sent.concat().iter().all(|v| v.is_nan()));
    });
}

#[test]
fn noise_has_its_moments_and_differs_by_worker_and_round() {
    let stage = Stage::new(normal(1, 9, 20_000, 1.0, 0.0), 4);
    let mut attack = stage.build(&Gaussian { mean: 2.0, std: 3.0 });
    let (first, second) = (stage.play(attack.as_mut(), 1), stage.play(attack.as_mut(), 2));
    for row in &first {
        let mu = row.iter().sum::<f64>() / 2e4;
        let variance = row.iter().map(|x| (x - mu).powi(2)).sum::<f64>() / 2e4;
        // Five standard errors: 3/√20000 = 0.021 for the mean, 9 √(2/20000) = 0.09 for the variance.
        assert!((mu - 2.0).abs() < 0.11 && (variance - 9.0).abs() < 0.45, "{mu} {variance}");
    }
    assert!(first[0] != first[1] && first[0] != second[0]);
    assert_eq!(first, stage.play(attack.as_mut(), 1), "the same stream gives the same noise");
}

fn directions(rows: &Rows) -> [(Direction, Vec<f64>); 3] {
    let mu = mean(rows);
    let signs: Vec<f64> = mu.iter().map(|v| if *v > 0.0 { -1.0 } else { 1.0 }).collect();
    [
        (Direction::Std, scaled(-1.0, &deviation(rows, 1))),
        (Direction::Sign, signs),
        (Direction::Unit, scaled(-1.0 / norm(&mu), &mu)),
    ]
}

/// The largest gamma with `holds(mu + gamma p)`, by bisection as the authors have it.
fn bisected(mu: &[f64], p: &[f64], holds: impl Fn(&[f64]) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while holds(&plus(mu, high, p)) {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if holds(&plus(mu, middle, p)) { low = middle } else { high = middle }
    }
    low
}

#[test]
fn min_max_and_min_sum_go_as_far_as_they_may() {
    everywhere(|stage, tolerance| {
        let (rows, mu) = (&stage.honest, mean(&stage.honest));
        let farthest = |x: &[f64]| rows.iter().map(|r| distance2(r, x)).fold(0.0, f64::max);
        let sum = |x: &[f64]| rows.iter().map(|r| distance2(r, x)).sum::<f64>();
        let diameter2 = rows.iter().map(|r| farthest(r)).fold(0.0, f64::max);
        let largest_sum = rows.iter().map(|r| sum(r)).fold(0.0, f64::max);
        // In f32 at a norm of 100 √d and a spread of 0.01, the vector sent is itself only known to 1e-3 of the spread.
        let coarse = stage.single && mu[0] > 50.0;
        let slack = if coarse { 5e-3 } else { 1e3 * tolerance };
        for (direction, p) in directions(rows) {
            let sent = stage.common(&MinMax { direction });
            let gamma = bisected(&mu, &p, |x| farthest(x) <= diameter2);
            assert!(farthest(&sent) <= diameter2 * (1.0 + slack), "{direction:?}: beyond the constraint");
            assert!(farthest(&sent) >= diameter2 * (1.0 - slack), "{direction:?}: it could go farther");
            assert_close(&sent, &plus(&mu, gamma, &p), if coarse { 1e-5 } else { 1e2 * tolerance });

            let sent = stage.common(&MinSum { direction });
            let gamma = bisected(&mu, &p, |x| sum(x) <= largest_sum);
            assert!(sum(&sent) <= largest_sum * (1.0 + slack), "{direction:?}: beyond the constraint");
            assert!(sum(&sent) >= largest_sum * (1.0 - slack), "{direction:?}: it could go farther");
            assert_close(&sent, &plus(&mu, gamma, &p), if coarse { 1e-5 } else { 1e2 * tolerance });
        }
    });
}

#[test]
fn without_room_min_max_and_min_sum_send_the_mean() {
    let stage = Stage::new(vec![vec![1.0, -2.0]; 5], 2);
    for direction in [Direction::Std, Direction::Sign, Direction::Unit] {
        assert_eq!(stage.common(&MinMax { direction }), [1.0, -2.0]);
        assert_eq!(stage.common(&MinSum { direction }), [1.0, -2.0]);
    }
}

#[test]
fn fang_lies_just_beyond_the_honest_values() {
    for centre in [-3.0, 0.0, 3.0] {
        let stage = Stage::new(normal(3, 9, 500, 1.0, centre), 4);
        let mu = mean(&stage.honest);
        let sent = stage.play(stage.build(&Fang { b: 2.0, ..Fang::default() }).as_mut(), 1);
        assert_ne!(sent[0], sent[1], "every worker draws for itself");
        assert_eq!(
            sent,
            stage.play(stage.build(&Fang { target: Target::Cwmed, ..Fang::default() }).as_mut(), 1)
        );
        let mut places = Vec::new();
        for j in 0..500 {
            let column = || stage.honest.iter().map(move |r| r[j]);
            let (l, u) = (column().fold(f64::INFINITY, f64::min), column().fold(f64::NEG_INFINITY, f64::max));
            let (from, to) = match (mu[j] > 0.0, l > 0.0, u > 0.0) {
                (true, true, _) => (l / 2.0, l),
                (true, false, _) => (2.0 * l, l),
                (false, _, true) => (u, 2.0 * u),
                (false, _, false) => (u, u / 2.0),
            };
            places.extend(sent.iter().map(|row| (row[j] - from) / (to - from)));
        }
        assert!(places.iter().all(|p| (0.0..=1.0).contains(p)));
        let average = places.iter().sum::<f64>() / places.len() as f64;
        assert!((average - 0.5).abs() < 5.0 / (12.0 * 2000.0f64).sqrt(), "{average} is not uniform");
    }
}

/// Krum with squared distances and m - f - 2 neighbours; the index chosen.
fn krum(rows: &Rows, f: usize) -> usize {
    let score = |i: usize| {
        let mut others: Vec<f64> =
            (0..rows.len()).filter(|&j| j != i).map(|j| distance2(&rows[i], &rows[j])).collect();
        others.sort_by(f64::total_cmp);
        others[..rows.len() - f - 2].iter().sum::<f64>()
    };
    (0..rows.len()).min_by(|&i, &j| score(i).total_cmp(&score(j))).unwrap()
}

#[test]
fn fang_is_what_krum_chooses() {
    for (n, f, d) in [(9, 3, 40), (13, 4, 200), (7, 2, 5)] {
        for centre in [0.0, 0.2, 3.0] {
            let stage = Stage::new(normal(n as u64, n, d, 1.0, centre), f);
            let (rows, m) = (&stage.honest, n + f);
            let sent = stage.common(&Fang { target: Target::Krum, ..Fang::default() });
            let signs: Vec<f64> = mean(rows).iter().map(|v| -v.signum()).collect();
            let with = |lambda: f64| {
                let mut all = rows.clone();
                all.resize(m, scaled(lambda, &signs));
                all
            };
            let near = |i: usize| {
                let mut all: Vec<f64> = rows.iter().map(|r| distance2(r, &rows[i])).collect();
                all.sort_by(f64::total_cmp);
                all[..=m - f - 2].iter().sum::<f64>()
            };
            let smallest = (0..n).map(near).fold(f64::INFINITY, f64::min);
            let farthest = rows.iter().map(|r| norm(r)).fold(0.0, f64::max);
            let mut lambda = (smallest / ((m - 2 * f - 1) * d) as f64).sqrt() + farthest / (d as f64).sqrt();
            let mut halvings = 0;
            while lambda >= 1e-5 && krum(&with(lambda), f) < n {
                lambda /= 2.0;
                halvings += 1;
            }
            assert!(halvings > 0 || centre == 0.0, "the bound itself is rarely chosen");
            assert_close(&sent, &scaled(lambda, &signs), 1e-9);
        }
    }
}

#[test]
fn rop_turns_around_the_reference() {
    everywhere(|stage, tolerance| {
        let (mu, d) = (mean(&stage.honest), stage.last.len());
        if d == 1 {
            return;
        }
        let last = normal(9, 1, d, 0.5, 0.1).remove(0);
        let later =
            Stage { last: last.clone(), honest: stage.honest.clone(), ..Stage::new(stage.honest.clone(), 3) };
        let later = Stage { single: stage.single, ..later };
        for (angle, pi) in [(270.0f64, 1.0), (90.0, 0.0), (180.0, 0.5), (30.0, 0.25)] {
            let rule = Rop { pi, angle, lambda: 0.9, z: Some(1.3) };
            for (round, last, u) in
                [(1, vec![0.0; d], mu.clone()), (2, last.clone(), plus(&scaled(0.9, &last), 0.1, &mu))]
            {
                let played = if round == 1 { stage } else { &later };
                let sent = &played.play(played.build(&rule).as_mut(), round)[0];
                let ones = vec![1.0; d];
                let q = plus(&ones, -dot(&ones, &u) / dot(&u, &u), &u);
                let p = plus(
                    &scaled(angle.to_radians().sin() / norm(&q), &q),
                    angle.to_radians().cos() / norm(&u),
                    &u,
                );
                let place = plus(&scaled(pi, &last), 1.0 - pi, &mu);
                // Where u is almost (1, …, 1), the difference q is short and known less well.
                let loss = norm(&ones) / norm(&q);
                assert_close(sent, &plus(&place, 1.3, &p), 10.0 * loss * tolerance);
                assert!((norm(&p) - 1.0).abs() < 1e-9);
            }
        }
    });
}

/// Where the `part` of the largest values in every one of these ranges are.
fn marked(values: &[f64], ranges: &[Range<usize>], part: f64) -> Vec<bool> {
    let among = |j: usize| ranges.iter().find(|range| range.contains(&j)).unwrap().clone();
    let is_kept = |j: usize| {
        let range = among(j);
        let count = (part * range.len() as f64).round() as usize;
        range.filter(|&k| values[k] > values[j] || (values[k] == values[j] && k < j)).count() < count
    };
    (0..values.len()).map(is_kept).collect()
}

#[test]
fn a_hybrid_is_strong_where_pruning_would_keep_a_coordinate() {
    everywhere(|stage, tolerance| {
        let (mu, sigma) = (mean(&stage.honest), deviation(&stage.honest, 1));
        let d = mu.len();
        let first = d / 2;
        let layout = Layout::new([("0", first), ("1", d - first)]);
        let abs = |of: &dyn Fn(usize) -> f64| (0..d).map(|j| of(j).abs()).collect::<Vec<f64>>();
        for (saliency, values) in [
            (Saliency::Snip, abs(&|j| stage.point[j] * mu[j])),
            (Saliency::Magnitude, abs(&|j| stage.point[j])),
        ] {
            for (scope, ranges) in [(Scope::Tensor, [0..first, first..d]), (Scope::Global, [0..d, d..d])] {
                for (towards, part) in [(Towards::Minus, 0.3), (Towards::Zero, 0.04), (Towards::Minus, 1.0)] {
                    let kept = marked(&values, &ranges, part);
                    let aside = |j: usize| if kept[j] { 4.0 * sigma[j] } else { 0.7 * sigma[j] };
                    let side = |j: usize| if towards == Towards::Zero { mu[j].signum() } else { 1.0 };
                    let expected: Vec<f64> = (0..d).map(|j| mu[j] - side(j) * aside(j)).collect();
                    let rule = HybridSparse {
                        z: Some(0.7),
                        hidden: false,
                        scale: 4.0,
                        part,
                        saliency,
                        scope,
                        towards,
                    };
                    let mut attack = stage.build(&rule);
                    attack.know_layout(&layout);
                    let sent = stage.play(attack.as_mut(), 1);
                    assert!(sent.len() == stage.size.f && sent.iter().all(|v| *v == sent[0]));
                    assert_close(&sent[0], &expected, 10.0 * tolerance);
                }
            }
        }
    });
}

#[test]
fn chance_chooses_as_many_and_others_with_another_seed() {
    let rows = normal(3, 9, 200, 1.0, 0.3);
    let (mu, sigma) = (mean(&rows), deviation(&rows, 1));
    let rule = HybridSparse {
        z: Some(0.0),
        hidden: false,
        scale: 3.0,
        part: 0.2,
        saliency: Saliency::Random,
        scope: Scope::Global,
        towards: Towards::Minus,
    };
    let chosen = |seed: u64| -> Vec<usize> {
        let stage = Stage { seed, ..Stage::new(rows.clone(), 4) };
        let sent = stage.common(&rule);
        let moved = |j: &usize| (sent[*j] - mu[*j]).abs() > 1e-9;
        let chosen: Vec<usize> = (0..200).filter(moved).collect();
        assert!(chosen.iter().all(|&j| (sent[j] - (mu[j] - 3.0 * sigma[j])).abs() < 1e-9));
        chosen
    };
    let (one, other) = (chosen(1), chosen(2));
    assert_eq!((one.len(), other.len()), (40, 40));
    assert_ne!(one, other);
    assert_eq!(one, chosen(1));
    assert!(one[0] < 40 && one[39] >= 160, "they lie anywhere");
}

#[test]
fn a_hidden_hybrid_is_as_near_to_the_honest_vectors_as_one_of_them() {
    for (seed, part, is_short) in [(1, 0.05, false), (2, 0.1, false), (3, 0.9, true)] {
        let stage = Stage::new(normal(seed, 9, 100, 1.0, 0.3), 4);
        let (mu, sigma) = (mean(&stage.honest), deviation(&stage.honest, 1));
        let rule = HybridSparse { hidden: true, part, ..HybridSparse::default() };
        let sent = stage.common(&rule);
        let sum = |x: &[f64]| stage.honest.iter().map(|row| distance2(row, x)).sum::<f64>();
        let least = stage.honest.iter().map(|row| sum(row)).fold(f64::INFINITY, f64::min);
        let mut times: Vec<f64> = (0..100).map(|j| (mu[j] - sent[j]) / sigma[j]).collect();
        times.sort_by(f64::total_cmp);
        let (few, chosen) = times.split_at(100 - (100.0 * part) as usize);
        assert!(chosen.iter().all(|t| (t - 1.5).abs() < 1e-9), "{chosen:?}");
        assert!(few.iter().all(|t| (t - few[0]).abs() < 1e-9), "{few:?}");
        if is_short {
            assert!(few[0].abs() < 1e-12 && sum(&sent) > least, "the chosen alone are farther");
        } else {
            assert!(few[0] > 0.1 && (sum(&sent) / least - 1.0).abs() < 1e-9, "{} {least}", sum(&sent));
        }
    }
}

#[test]
fn a_schedule_tells_its_attacks_of_tensors() {
    let (stage, layout) = (Stage::new(normal(3, 9, 40, 1.0, 0.3), 4), Layout::new([("0", 30), ("1", 10)]));
    let hybrid = HybridSparse { part: 0.1, ..HybridSparse::default() };
    for attack in [stage.build(&AntiLasa::default()), stage.build(&hybrid)] {
        let sent = |told: bool, scheduled: bool| {
            let alone = || attack.clone();
            let mut attack =
                if scheduled { Box::new(Switching::new(vec![(1, alone())]).unwrap()) } else { alone() };
            if told {
                attack.know_layout(&layout);
            }
            stage.play(attack.as_mut(), 1)
        };
        assert_eq!(sent(true, true), sent(true, false));
        assert_ne!(sent(true, true), sent(false, true));
    }
}

#[test]
fn a_hybrid_keeps_to_the_coordinates_that_it_has_chosen() {
    let stage = Stage::new(normal(3, 9, 40, 1.0, 0.3), 4);
    let moved =
        Stage { point: normal(9, 1, 40, 1.0, 0.0).remove(0), ..Stage::new(normal(3, 9, 40, 1.0, 0.3), 4) };
    let rule = HybridSparse { z: Some(0.5), scale: 3.0, part: 0.2, ..HybridSparse::default() };
    let mut attack = stage.build(&rule);
    let first = stage.play(attack.as_mut(), 1);
    assert_eq!(moved.play(attack.as_mut(), 2), first);
    attack.forget().unwrap();
    let anew = moved.play(attack.as_mut(), 2);
    assert_ne!(anew, first, "whoever begins there chooses others");
    assert_eq!(anew, moved.play(moved.build(&rule).as_mut(), 2));
}

#[test]
fn one_coordinate_carries_it_all() {
    everywhere(|stage, tolerance| {
        let mu = mean(&stage.honest);
        let n = stage.honest.len() as f64;
        let spread = (stage.honest.iter().map(|r| distance2(r, &mu)).sum::<f64>() / n).sqrt();
        let coordinate = mu.len() - 1;
        let mut expected = mu.clone();
        expected[coordinate] += 2.0 * spread;
        let rule = SingleCoordinate { coordinate, gamma: Some(2.0), ..SingleCoordinate::default() };
        assert_close(&stage.common(&rule), &expected, 1e2 * tolerance);
    });
}

#[test]
fn anti_cge_is_kept_by_cge() {
    everywhere(|stage, _| {
        let (f, m) = (stage.size.f, stage.size.m);
        let sent = stage.common(&AntiCge::default());
        let mut norms: Vec<(f64, bool)> = stage.honest.iter().map(|r| (norm(r), false)).collect();
        norms.extend((0..f).map(|_| (norm(&sent), true)));
        norms.sort_by(|a, b| a.0.total_cmp(&b.0));
        let kept = norms[..m - f].iter().filter(|(_, byzantine)| *byzantine).count();
        assert_eq!(kept, f, "all attackers are among the shortest m - f");
        assert!(dot(&sent, &mean(&stage.honest)) < 0.0);
        let dropped = norms[m - f].0;
        assert!((norm(&sent) / dropped - 0.999).abs() < 1e-5, "and hardly shorter than they must be");
    });
}

#[test]
fn anti_lasa_is_as_long_as_others_in_every_tensor_where_few_are_sparsified() {
    everywhere(|stage, tolerance| {
        let (mu, n) = (mean(&stage.honest), stage.honest.len());
        let d = mu.len();
        let first = d / 3;
        let rank = |values: &[f64], j: usize| {
            (0..values.len()).filter(|&k| values[k] < values[j] || (values[k] == values[j] && k < j)).count()
        };
        let is_short = |row: &Vec<f64>, j: usize| {
            let lengths: Vec<f64> = row.iter().map(|x| x.abs()).collect();
            rank(&lengths, j) < (0.4 * d as f64) as usize
        };
        let times: Vec<f64> =
            (0..d).map(|j| stage.honest.iter().filter(|row| is_short(row, j)).count() as f64).collect();
        let length = |j: usize| match rank(&times, j) {
            place if place < (0.05 * d as f64) as usize => 3.0,
            place if place < (0.6 * d as f64) as usize => 0.5,
            _ => 0.0,
        };
        let mut expected: Vec<f64> = (0..d).map(|j| -mu[j].signum() * length(j)).collect();
        for range in [0..first, first..d] {
            let mut norms: Vec<f64> = stage.honest.iter().map(|row| norm(&row[range.clone()])).collect();
            norms.sort_by(f64::total_cmp);
            let own = norm(&expected[range.clone()]);
            let factor = if own > 0.0 { norms[(n - 1) / 2] / own } else { 0.0 };
            expected[range].iter_mut().for_each(|x| *x *= factor);
        }
        let rule = AntiLasa { sparsity: 0.4, wide: 0.6, narrow: 0.05, z: Some(0.5), scale: 3.0 };
        let mut attack = stage.build(&rule);
        attack.know_layout(&Layout::new([("0", first), ("1", d - first)]));
        let sent = stage.play(attack.as_mut(), 1);
        assert!(sent.len() == stage.size.f && sent.iter().all(|v| *v == sent[0]));
        assert_close(&sent[0], &expected, 10.0 * tolerance);
    });
}

#[test]
fn drift_grows_to_its_limit() {
    let stage = Stage::new(normal(8, 9, 50, 1.0, 0.3), 4);
    let mu = mean(&stage.honest);
    let spread = (stage.honest.iter().map(|r| distance2(r, &mu)).sum::<f64>() / 9.0).sqrt();
    let bias = |attack: &mut dyn Attack, round| plus(&stage.play(attack, round)[0], -1.0, &mu);
    let mut against = stage.build(&Drift { rate: 0.1, limit: 0.35, heading: Heading::Against });
    let mut random = stage.build(&Drift { rate: 0.1, limit: 0.35, heading: Heading::Random });
    let first = bias(random.as_mut(), 1);
    for (round, size) in [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.35), (900, 0.35)] {
        assert_close(&bias(against.as_mut(), round), &scaled(-size * spread / norm(&mu), &mu), 1e-11);
        let drifted = bias(random.as_mut(), round);
        assert!((norm(&drifted) - size * spread).abs() < 1e-10);
        assert!(
            (dot(&drifted, &first) / norm(&drifted) / norm(&first) - 1.0).abs() < 1e-10,
            "it kept its heading"
        );
    }
}
