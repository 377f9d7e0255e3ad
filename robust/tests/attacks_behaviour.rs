//! Attacks that search, remember or change: the line searches through the
//! defence, mimicry, replay and schedules.

#![expect(clippy::unwrap_used, reason = "a test")]

mod attacks_stage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use attacks_stage::{Rows, Stage, assert_close, deviation, dot, mean, norm, normal, plus, scaled};
use phalanx_robust::{
    Batch, Size, Vector,
    aggregation::{
        Aggregate, Aggregator, Context, Ctma, Cwmed, Defence, Mean, MultiKrum, Nnm, Rule, RuleError, Select,
    },
    attack::{
        Alie, Attack, AttackError, AttackRule, Choice, Flip, Gaussian, Ipm, Knowledge, LabelFlip, Mimic,
        NoAttack, OptAlie, OptIpm, Probe, Replayed, Setting, SingleCoordinate, Stale, Switching, View,
    },
    describe::{Described, Preset},
    random::Seed,
    state::{State, StateError, Stateful},
};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// A rule with memory and randomness, that counts how often it and its copies are used: a weighted
/// mean of the rows and the last output, with weights that are drawn anew each time.
#[derive(Clone, Default)]
struct Wandering {
    uses: Arc<AtomicUsize>,
    steps: u64,
    last: Option<Vector>,
}

impl Stateful for Wandering {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert("steps".to_owned(), self.steps.into());
        state.vectors.extend(self.last.clone().map(|v| ("last".to_owned(), v)));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.steps = state.value("wandering", "steps")?;
        self.last = state.vectors.get("last").cloned();
        Ok(())
    }
}

impl Aggregator for Wandering {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        self.steps += 1;
        let weights: Vec<f64> = (0..batch.m()).map(|_| context.rng.random::<f64>()).collect();
        let total: f64 = weights.iter().sum();
        let mut output = batch.combine(&weights.iter().map(|w| w / total).collect::<Vec<_>>());
        if let Some(last) = &self.last {
            output.lerp(0.5, last);
        }
        self.last = Some(output.clone());
        Ok(Aggregate::vector(output))
    }
}

/// Follows the last row if it lies above the first at coordinate 0 (or below), and else returns the first.
#[derive(Clone)]
struct OneSided {
    above: bool,
}

impl Stateful for OneSided {}

impl Aggregator for OneSided {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let (first, last) = (batch.row(0), batch.row(batch.m() - 1));
        let above = last.to_f64()[0] > first.to_f64()[0];
        Ok(Aggregate::vector(if above == self.above { last } else { first }))
    }
}

fn defences() -> Vec<Defence> {
    let base = || Cwmed::default().build().unwrap();
    vec![
        Defence::base(Mean::default()),
        Defence::base(Cwmed::default()),
        Defence::new(vec![Nnm::default().build().unwrap(), base()]).unwrap(),
        Defence::new(vec![Ctma::default().build().unwrap(), base()]).unwrap(),
    ]
}

#[test]
fn probing_leaves_no_trace() {
    let rule = Wandering::default();
    let uses = rule.uses.clone();
    let mut defence = Defence::base(rule);
    let first = Stage::new(normal(1, 9, 30, 1.0, 0.4), 4);
    let rows = first.vectors(&first.honest);
    defence.aggregate(&rows, 4, Seed(5).stream("rule", 0, "round", 1)).unwrap();
    let mut untouched = defence.clone();

    let stage = Stage { defence, ..first };
    let used = uses.load(Ordering::Relaxed);
    let attack = OptAlie { evaluations: 25, ..OptAlie::default() };
    let sent = stage.play(stage.build(&attack).as_mut(), 2);
    assert_eq!(uses.load(Ordering::Relaxed) - used, 25, "it did probe");

    assert_eq!(stage.defence.state().values["steps"], 1);
    let mut all = stage.vectors(&stage.honest);
    all.extend(stage.vectors(&sent));
    let rng = || Seed(5).stream("rule", 0, "round", 2);
    let probed = stage.defence.clone().aggregate(&all, 4, rng()).unwrap().output.to_f64();
    assert_eq!(probed, untouched.aggregate(&all, 4, rng()).unwrap().output.to_f64());
    assert_eq!(sent, stage.play(stage.build(&attack).as_mut(), 2), "and every search finds the same");
}

#[test]
fn optimised_attacks_are_at_least_as_strong() {
    for seed in 0..6 {
        for defence in defences() {
            let honest = normal(seed, 9, 60, 1.0, 0.5 * seed as f64);
            let stage = Stage { defence, ..Stage::new(honest, 8) };
            let ipm = stage.damage(&stage.common(&OptIpm::default()));
            assert!(ipm >= stage.damage(&stage.common(&Ipm::default())));
            let dahan = stage.damage(&stage.common(&OptIpm::preset(Preset::Dahan)));
            assert!(dahan >= stage.damage(&stage.common(&Ipm::preset(Preset::Dahan))));
            let alie = stage.damage(&stage.common(&OptAlie::default()));
            assert!(alie >= stage.damage(&stage.common(&Alie::default())));
            let searched = SingleCoordinate::default();
            let fixed = SingleCoordinate { gamma: Some(searched.start), ..searched.clone() };
            assert!(stage.damage(&stage.common(&searched)) >= stage.damage(&stage.common(&fixed)));
        }
    }
}

/// The damage jumps where the defence begins to ignore a vector, so the search may end at another peak than the highest.
#[test]
fn the_search_comes_near_the_best_of_a_grid() {
    for seed in 0..8 {
        let honest = normal(seed, 9, 60, 1.0, 0.4);
        let stage = Stage { defence: defences().remove(2), ..Stage::new(honest, 8) };
        let (mu, sigma) = (mean(&stage.honest), deviation(&stage.honest, 1));
        let grid = |direction: &[f64]| {
            let damage = |i: i32| stage.damage(&plus(&mu, f64::from(i) / 20.0, direction));
            (-200..=200).map(damage).fold(0.0, f64::max)
        };
        let fine = |evaluations| OptAlie { evaluations, ..OptAlie::default() };
        assert!(stage.damage(&stage.common(&fine(60))) > 0.8 * grid(&sigma), "opt-alie, seed {seed}");
        let fine = OptIpm { evaluations: 60, ..OptIpm::default() };
        assert!(stage.damage(&stage.common(&fine)) > 0.8 * grid(&mu), "opt-ipm, seed {seed}");
    }
}

#[test]
fn both_directions_are_searched() {
    for above in [true, false] {
        let honest = vec![vec![1.0, 1.0], vec![0.0, 2.0], vec![2.0, 0.0], vec![1.0, 1.0]];
        let stage = Stage { defence: Defence::base(OneSided { above }), ..Stage::new(honest, 2) };
        for start in [0.0, -1.2] {
            let sent = stage.common(&OptAlie { start: Some(start), ..OptAlie::default() });
            assert_eq!(sent[0] > 1.0, above, "{start}");
        }
        let sent = stage.common(&OptIpm::preset(Preset::Byzfl));
        assert_eq!(sent[0] > 1.0, above, "the mean's own direction counts too");
    }
}

#[test]
fn a_probe_does_without_the_other_groups() {
    // 9 honest workers and two groups of 4: with 13 rows, ctma and cwmed could not stand f = 8.
    let mut stage = Stage::new(normal(1, 9, 10, 1.0, 0.3), 8);
    stage.defence = defences().remove(3);
    stage.members.truncate(4);
    stage.own.truncate(4);
    assert_eq!(stage.play(stage.build(&OptIpm::default()).as_mut(), 1).len(), 4);
}

#[test]
fn mimic_copies_its_victim() {
    let stage = Stage::new(normal(2, 9, 7, 1.0, 0.0), 4);
    assert_eq!(stage.common(&Mimic { victim: 6, ..Mimic::default() }), stage.honest[6]);
}

/// Where the rule refuses the number of vectors that the group can know of, it attacks all the same.
#[test]
fn a_search_that_the_rule_refuses_sends_its_first_candidate() {
    let multi_krum = MultiKrum { select: Select::Exactly(16), ..MultiKrum::default() };
    let Ok(layer) = multi_krum.build() else { panic!("a rule") };
    let refusing = Defence::new(vec![layer]).unwrap();
    let stage = Stage { size: Size::new(17, 4), ..Stage::new(normal(3, 13, 6, 1.0, 0.4), 2) };
    let first = stage.common(&OptIpm { evaluations: 1, ..OptIpm::default() });
    let stage = Stage { defence: refusing, ..stage };
    assert_eq!(stage.common(&OptIpm::default()), first);
}

/// Old vectors that the server takes for those of absent workers are in what a probe answers.
#[test]
fn a_probe_has_those_who_stand_in() {
    let rows = Stage::new(normal(3, 3, 2, 1.0, 0.0), 2);
    let (honest, own, old) = (rows.vectors(&rows.honest), rows.vectors(&rows.own), rows.vector(&[9.0, -9.0]));
    let defence = Defence::base(Mean::default());
    let standing_in = [(3, old.clone())];
    let rng = Seed(1).stream("rule", 0, "round", 1);
    let probe = Probe {
        defence: &defence,
        rng: rng.clone(),
        f: 2,
        honest: &honest,
        honest_ids: &[0, 1, 2],
        standing_in: &standing_in,
        reference: None,
        point: None,
        judge: None,
    };
    let found = probe.aggregate(&[4, 5], &own).unwrap();
    let all = [&honest[..], &[old], &own].concat();
    assert_eq!(found.to_f64(), defence.clone().aggregate(&all, 2, rng).unwrap().output.to_f64());
}

/// The victim is a worker, not a place among those who are there; where it is not, another stands in for it.
#[test]
fn mimic_knows_its_victim_when_some_are_absent() {
    // honest workers 0 and 3 are absent: rows are those of 1, 2, 4, 5, 6
    let all = normal(2, 7, 5, 1.0, 0.0);
    let rows = |present: &[usize]| present.iter().map(|&id| all[id].clone()).collect::<Rows>();
    let present = [1, 2, 4, 5, 6];
    let stage = Stage { members: vec![0, 3, 7, 8], ..Stage::new(rows(&present), 2) };
    let stage = Stage { size: Size::new(9, 4), ..stage };
    for (victim, copied) in [(4, 4), (3, 4), (0, 1)] {
        assert_eq!(stage.common(&Mimic { victim, ..Mimic::default() }), all[copied], "victim {victim}");
    }
    let learning = Mimic { choice: Choice::Variance, warm_up: 1, ..Mimic::default() };
    let mut attack = stage.build(&learning);
    let learnt = stage.play(attack.as_mut(), 1)[0].clone();
    let victim = all.iter().position(|row| *row == learnt).unwrap();
    let others: Vec<usize> = present.iter().copied().filter(|&id| id != victim).collect();
    let z = attack.state().vectors["direction"].to_f64();
    let farthest = others.iter().copied().max_by(|&i, &j| dot(&all[i], &z).total_cmp(&dot(&all[j], &z)));
    let without = Stage { members: vec![0, 3, victim, 7, 8], ..Stage::new(rows(&others), 2) };
    let without = Stage { size: Size::new(9, 5), ..without };
    assert_eq!(without.play(attack.as_mut(), 2)[0], all[farthest.unwrap()]);
    assert_eq!(stage.play(attack.as_mut(), 3)[0], learnt, "it is there again");
}

/// The victim of each round by the definition, for rounds of these honest vectors.
fn victims(rounds: &[Rows], mut z: Vec<f64>, warm_up: usize) -> Vec<usize> {
    let mut mu = vec![0.0; z.len()];
    let mut victim = 0;
    let mut all = Vec::new();
    for (t, rows) in rounds.iter().enumerate() {
        if t < warm_up {
            let share = 1.0 / (t as f64 + 1.0);
            mu = plus(&scaled(1.0 - share, &mu), share, &mean(rows));
            let mut image = vec![0.0; z.len()];
            for row in rows {
                let away = plus(row, -1.0, &mu);
                image = plus(&image, dot(&away, &z), &away);
            }
            z = plus(&scaled(1.0 - share, &z), share / norm(&image), &image);
            z = scaled(1.0 / norm(&z), &z);
            victim =
                (0..rows.len()).max_by(|&i, &j| dot(&rows[i], &z).total_cmp(&dot(&rows[j], &z))).unwrap();
        }
        all.push(victim);
    }
    all
}

#[test]
fn mimic_learns_the_direction_of_largest_variance() {
    // Worker i stands at 3 i on the first axis, under noise; so the victim is at one end of the row. After
    // the warm-up they stand the other way round, which must not matter any more.
    let rounds: Vec<Rows> = (0..12)
        .map(|t| {
            let mut rows = normal(t, 9, 40, 1.0, 0.0);
            let place = |i: usize| if t < 8 { i } else { 8 - i };
            rows.iter_mut().enumerate().for_each(|(i, row)| row[0] += 3.0 * place(i) as f64);
            rows
        })
        .collect();
    let mut rng = Seed(5).stream("attack", 0, "forge", 1);
    let z: Vec<f64> = (0..40).map(|_| StandardNormal.sample(&mut rng)).collect();
    let expected = victims(&rounds, z, 8);
    let stage = |honest| Stage::new(honest, 4);
    let rule = Mimic { choice: Choice::Variance, warm_up: 8, ..Mimic::default() };
    let mut attack = rule.build(Size::new(13, 4)).unwrap();
    for (t, rows) in rounds.iter().enumerate() {
        let sent = stage(rows.clone()).play(attack.as_mut(), t as u64 + 1);
        assert_eq!(sent, vec![rows[expected[t]].clone(); 4], "round {}", t + 1);
    }
    assert!([0, 8].contains(&expected[7]), "{expected:?}");
    assert!(attack.state().vectors["direction"].to_f64()[0].abs() > 0.95);
}

#[test]
fn stale_is_so_many_rounds_old() {
    for of in [Replayed::Own, Replayed::HonestMean] {
        let round = |t: u64| Stage {
            own: normal(50 + t, 4, 6, 1.0, 0.0),
            ..Stage::new(normal(t, 9, 6, 1.0, 0.0), 4)
        };
        let right = |t: u64| match of {
            Replayed::Own => round(t).own,
            Replayed::HonestMean => vec![mean(&round(t).honest); 4],
        };
        let mut attack = Stale { of, rounds: 3 }.build(Size::new(13, 4)).unwrap();
        for t in 1..=9 {
            let sent = round(t).play(attack.as_mut(), t);
            let expected = right(t.saturating_sub(3).max(1));
            sent.iter().zip(&expected).for_each(|(a, b)| assert_close(a, b, 1e-12));
        }
    }
}

/// What members 9 to 12 compute in round t, and who of them is there: worker i stands at 100 i + t. Worker 9 joins
/// in round 3, 10 misses every other round, 11 the rounds from 4 to 8, and 12 none; nobody is there in round 6.
fn attendance(t: u64) -> (Vec<usize>, Rows) {
    let there = |id: usize| match id {
        9 => t >= 3,
        10 => t % 2 == 1,
        11 => !(4..=8).contains(&t),
        _ => true,
    };
    let members: Vec<usize> = (9..13).filter(|&id| t != 6 && there(id)).collect();
    let own = members.iter().map(|&id| vec![(100 * id) as f64 + t as f64]).collect();
    (members, own)
}

fn with_gaps(t: u64) -> Stage {
    let (members, own) = attendance(t);
    Stage { own, members, ..Stage::new(vec![vec![t as f64]; 9], 4) }
}

#[test]
fn stale_gives_every_worker_its_own_vectors_back_whoever_else_was_there() {
    let age = 2;
    let mut attack = Stale { rounds: age as usize, ..Stale::default() }.build(Size::new(13, 4)).unwrap();
    for t in (1..=12).filter(|&t| t != 6) {
        let (members, _) = attendance(t);
        let right = |id: usize| {
            let there: Vec<u64> = (1..=t).filter(|&s| attendance(s).0.contains(&id)).collect();
            let old = there.iter().copied().filter(|&s| s + age <= t).max();
            vec![(100 * id) as f64 + old.unwrap_or(there[0]) as f64]
        };
        let expected: Rows = members.iter().map(|&id| right(id)).collect();
        assert_eq!(with_gaps(t).play(attack.as_mut(), t), expected, "round {t}");
        let kept = attack.state().vectors;
        assert!(
            members.iter().all(|id| kept.keys().filter(|k| k.starts_with(&format!("{id}."))).count() <= 2)
        );
        let mut fresh = Stale { rounds: age as usize, ..Stale::default() }.build(Size::new(13, 4)).unwrap();
        fresh.restore(&attack.state()).unwrap();
        attack = fresh;
    }
}

#[test]
fn the_stale_mean_is_the_same_for_all_who_are_there() {
    let mut attack = Stale { of: Replayed::HonestMean, rounds: 2 }.build(Size::new(13, 4)).unwrap();
    let expected = [1, 1, 1, 2, 3, 0, 5, 5, 7, 8, 9, 10];
    for t in (1..=12).filter(|&t| t != 6) {
        let sent = with_gaps(t).play(attack.as_mut(), t);
        assert_eq!(sent, vec![vec![f64::from(expected[t as usize - 1])]; attendance(t).0.len()], "round {t}");
    }
}

fn built(rule: impl AttackRule) -> Box<dyn Attack> {
    rule.build(Size::new(13, 4)).unwrap()
}

fn switching() -> Switching {
    Switching::new(vec![
        (1, built(NoAttack::default())),
        (3, built(LabelFlip::default())),
        (5, built(Ipm::default())),
        (7, built(Stale { rounds: 1, ..Stale::default() })),
    ])
    .unwrap()
}

#[test]
fn switching_keeps_to_its_schedule() {
    let stage = Stage::new(normal(2, 9, 7, 1.0, 0.3), 4);
    let mut attack = switching();
    assert_eq!(attack.knowledge(), Knowledge::Honest);
    assert!(attack.follows_protocol());
    for round in 1..=8 {
        let mut labels = [0, 3];
        attack.poison(round, &mut labels, 10);
        assert_eq!(labels, if [3, 4].contains(&round) { [9, 6] } else { [0, 3] }, "round {round}");
        assert_eq!([0, 3].map(|label| attack.target_class(round, label, 10)), labels, "round {round}");
        let sent = stage.play(&mut attack, round);
        if [5, 6].contains(&round) {
            assert_close(&sent[0], &scaled(-0.1, &mean(&stage.honest)), 1e-12);
        } else {
            assert_eq!(sent, stage.own, "round {round}");
        }
    }
}

#[test]
fn labels_are_poisoned_for_their_round_whatever_was_before() {
    let poisoned = |attack: &Switching, round| {
        let mut labels = [0, 3];
        attack.poison(round, &mut labels, 10);
        labels
    };
    let stage = Stage::new(normal(2, 9, 7, 1.0, 0.3), 4);
    let mut attack = switching();
    stage.play(&mut attack, 1);
    assert_eq!(poisoned(&attack, 3), [9, 6], "after an absence in round 2");
    stage.play(&mut attack, 3);
    attack.forget().unwrap();
    assert_eq!(poisoned(&attack, 4), [9, 6], "after a new beginning");
    assert_eq!(poisoned(&attack, 5), [0, 3]);
}

#[test]
fn switching_remembers_for_all_its_attacks() {
    let round = |t: u64| Stage { own: normal(t, 4, 7, 1.0, 0.0), ..Stage::new(normal(2, 9, 7, 1.0, 0.3), 4) };
    let mut attack = switching();
    (1..=7).for_each(|t| drop(round(t).play(&mut attack, t)));
    let mut fresh = switching();
    fresh.restore(&attack.state()).unwrap();
    for t in 8..=10 {
        let sent = round(t).play(&mut attack, t);
        assert_eq!(sent, round(t).play(&mut fresh, t));
        assert_eq!(sent, round(t - 1).own);
    }
}

/// Says that it is blind, and looks.
#[derive(Clone)]
struct Peeping;

impl Stateful for Peeping {}

impl Attack for Peeping {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.everyone(&view.honest()?.mean()))
    }
}

#[test]
fn switching_shows_each_attack_only_what_it_declares() {
    let stage = Stage::new(normal(2, 9, 7, 1.0, 0.3), 4);
    let mut attack = Switching::new(vec![(1, built(Ipm::default())), (2, Box::new(Peeping))]).unwrap();
    assert!(stage.try_play(&mut attack, 1).is_ok());
    let refused = AttackError::Knowledge { wanted: Knowledge::Honest, declared: Knowledge::Blind };
    assert_eq!(stage.try_play(&mut attack, 2), Err(refused));
}

#[test]
fn a_schedule_starts_at_round_1_and_ascends() {
    let schedule = |rounds: &[u64]| {
        Switching::new(rounds.iter().map(|&t| (t, built(Gaussian::default()))).collect()).map(|_| ())
    };
    assert!(schedule(&[1, 5, 6]).is_ok());
    for wrong in [&[][..], &[2, 3], &[0, 1], &[1, 1], &[1, 5, 4]] {
        assert_eq!(schedule(wrong).unwrap_err().parameter, "from");
    }
}

#[test]
fn an_attack_that_a_run_has_too_little_for_says_so_before_it() {
    let setting = Setting { honest: 9, d: 7, classes: 10 };
    let said =
        |attack: &dyn Attack, setting: Setting| attack.check(&setting).map_err(|misfit| misfit.to_string());
    let refused = |attack: &dyn Attack, setting, message: &str| {
        assert_eq!(said(attack, setting), Err(message.to_owned()));
    };
    let victim = |victim| built(Mimic { victim, ..Mimic::default() });
    assert!(said(victim(8).as_ref(), setting).is_ok());
    refused(victim(9).as_ref(), setting, "mimic.victim: victim = 9: there are 9 honest workers");
    let learnt = built(Mimic { choice: Choice::Variance, victim: 9, ..Mimic::default() });
    assert!(said(learnt.as_ref(), setting).is_ok(), "the parameter plays no part");

    let coordinate = |coordinate| built(SingleCoordinate { coordinate, ..SingleCoordinate::default() });
    assert!(said(coordinate(6).as_ref(), setting).is_ok());
    let message = "single-coordinate.coordinate: coordinate = 7: vectors have 7 of them";
    refused(coordinate(7).as_ref(), setting, message);

    let flip = |map, target| built(LabelFlip { map, target });
    assert!(said(flip(Flip::AllToOne, 9).as_ref(), setting).is_ok());
    assert!(said(flip(Flip::Pairwise, 10).as_ref(), setting).is_ok(), "the parameter plays no part");
    let message = "label-flip.target: target = 10: the task has 10 classes, counted from 0";
    refused(flip(Flip::AllToOne, 10).as_ref(), setting, message);
    let unlabelled = Setting { classes: 0, ..setting };
    let message = "label-flip: the task has no labels that could be flipped";
    refused(flip(Flip::Reverse, 0).as_ref(), unlabelled, message);
    assert!(said(&switching(), setting).is_ok());
    refused(&switching(), unlabelled, &format!("switching.schedule.1.attack.{message}"));
}
