//! The promises of attacks.

use std::sync::Arc;

use super::{
    Broken, Promise,
    memory::{ROUNDS, hand_over, requires_room},
    trial::{D, Pairs, Same, Trial, stream, two_layers},
};
use crate::{
    Batch, Dtype, Size, Vector, Watch,
    aggregation::{Cwmed, Defence},
    attack::{Attack, AttackError, Probe, Scene, Setting},
};

/// The classes of a task whose labels may be poisoned.
const CLASSES: [i64; 2] = [2, 10];

/// Holds an attack against what runs rely on: f attackers beside m - f honest workers, and the median as the rule.
///
/// # Errors
/// The first [`Promise`] that is broken.
pub fn conform_attack(make: impl Fn() -> Box<dyn Attack> + Sync, size: Size) -> Result<(), Broken> {
    let subject = Subject { make: &make, size };
    for dtype in [Dtype::F32, Dtype::F64] {
        let trial = subject.trial(dtype, 1);
        trial.repeated(|| subject.play(subject.fresh(&trial)?.as_mut(), &trial))?;
        subject.goes_on_from_memory(dtype)?;
    }
    subject.asks_for_pairs_as_told()?;
    subject.labels()
}

struct Subject<'a> {
    make: &'a (dyn Fn() -> Box<dyn Attack> + Sync),
    size: Size,
}

impl Subject<'_> {
    /// What the honest workers send.
    fn trial(&self, dtype: Dtype, round: u64) -> Trial {
        Trial::drawn(self.size.honest(), self.size.f, D, dtype, round)
    }

    fn fresh(&self, trial: &Trial) -> Result<Box<dyn Attack>, Broken> {
        let mut attack = trial.calm(self.make)?;
        trial.calm(|| attack.know_layout(&two_layers(D)))?;
        let setting = Setting { honest: trial.vectors.len(), d: D, classes: CLASSES[1] };
        let fits = trial.calm(|| attack.check(&setting))?;
        fits.map_err(|error| trial.breaks(Promise::Works, error.to_string()))?;
        Ok(attack)
    }

    /// What the attackers send, seeing what they declare.
    fn play(&self, attack: &mut dyn Attack, trial: &Trial) -> Result<Vec<Vector>, Broken> {
        self.watched(attack, trial, None)
    }

    fn watched(
        &self,
        attack: &mut dyn Attack,
        trial: &Trial,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Vec<Vector>, Broken> {
        let sent = trial.calm(|| self.forged(attack, trial, watch))?.map_err(|error| {
            let hidden = matches!(error, AttackError::Knowledge { .. } | AttackError::NoOwnVectors);
            trial.breaks(if hidden { Promise::Declared } else { Promise::Works }, error.to_string())
        })?;
        let count = sent.len();
        trial.require(Promise::Fits, count == self.size.f, || {
            format!("{count} vectors for {}", self.size.f)
        })?;
        let odd = sent.iter().find(|vector| !vector.is_like(&trial.vectors[0])).map(Vector::kind);
        trial.require(Promise::Fits, odd.is_none(), || format!("a vector of {}", odd.unwrap_or_default()))?;
        Ok(sent)
    }

    fn forged(
        &self,
        attack: &mut dyn Attack,
        trial: &Trial,
        watch: Option<Arc<dyn Watch>>,
    ) -> Result<Vec<Vector>, AttackError> {
        let ids: Vec<usize> = (0..self.size.m).collect();
        let (honest_ids, members) = ids.split_at(trial.vectors.len());
        let dtype = trial.vectors[0].dtype();
        let own = Trial::drawn(self.size.f, 0, D, dtype, 1000 + trial.round).vectors;
        let honest = Batch::new(&trial.vectors).map_err(crate::aggregation::RuleError::from)?.watched(watch);
        let (defence, shape) = (Defence::base(Cwmed::default()), trial.vectors[0].zeros_like());
        let point = Trial::drawn(1, 0, D, dtype, 3000 + trial.round).vectors.remove(0);
        let probe = Probe {
            defence: &defence,
            rng: stream("rule", trial.round),
            f: self.size.f,
            honest: &trial.vectors,
            honest_ids,
            standing_in: &[],
            reference: None,
            point: Some(&point),
            judge: None,
        };
        let last = match trial.round {
            1 => shape.clone(),
            round => Trial::drawn(1, 0, D, dtype, 2000 + round).vectors.remove(0),
        };
        let scene = Scene {
            round: trial.round,
            size: self.size,
            honest: &honest,
            last_aggregate: &last,
            shape: &shape,
            probe: &probe,
        };
        let own = attack.follows_protocol().then_some(own.as_slice());
        attack.forge(&scene.view(attack.knowledge(), members, own, stream("attack", trial.round)))
    }

    fn goes_on_from_memory(&self, dtype: Dtype) -> Result<(), Broken> {
        let first = self.trial(dtype, 1);
        let (mut attack, mut other) = (self.fresh(&first)?, self.fresh(&first)?);
        let beginning = self.play(self.fresh(&first)?.as_mut(), &first)?;
        let [before, after] = ROUNDS;
        for round in before {
            let trial = self.trial(dtype, round);
            self.play(attack.as_mut(), &trial)?;
            requires_room(attack.as_ref(), &trial, self.size.f)?;
        }
        hand_over(attack.as_ref(), other.as_mut(), &first)?;
        for round in after {
            let trial = self.trial(dtype, round);
            let is_same = self.play(attack.as_mut(), &trial)?.is_same(&self.play(other.as_mut(), &trial)?);
            trial
                .require(Promise::Memory, is_same, || "other bits after memory was given back".to_owned())?;
        }
        if first.calm(|| attack.forget())?.is_ok() {
            let anew = self.play(attack.as_mut(), &first)?.is_same(&beginning);
            first.require(Promise::Forgets, anew, || "other bits than at the beginning".to_owned())?;
        }
        Ok(())
    }

    fn asks_for_pairs_as_told(&self) -> Result<(), Broken> {
        let trial = self.trial(Dtype::F32, 1);
        let (mut attack, pairs) = (self.fresh(&trial)?, Arc::<Pairs>::default());
        self.watched(attack.as_mut(), &trial, Some(pairs.clone()))?;
        let is_told = attack.needs_pairs() || !pairs.were_asked_for();
        trial.require(Promise::Pairs, is_told, || "it did, and `needs_pairs` denies it".to_owned())
    }

    fn labels(&self) -> Result<(), Broken> {
        let trial = self.trial(Dtype::F32, 1);
        let attack = self.fresh(&trial)?;
        for classes in CLASSES {
            let setting = Setting { honest: trial.vectors.len(), d: D, classes };
            if attack.check(&setting).is_err() {
                continue;
            }
            let mut labels: Vec<i64> = (0..classes).collect();
            let target = |label| attack.target_class(trial.round, label, classes);
            let targets: Vec<i64> = trial.calm(|| labels.iter().copied().map(target).collect())?;
            if attack.follows_protocol() {
                trial.calm(|| attack.poison(trial.round, &mut labels, classes))?;
            }
            labels.extend(targets);
            let strange = labels.iter().find(|label| !(0..classes).contains(*label));
            trial.require(Promise::Labels, strange.is_none(), || {
                format!("{strange:?} of {classes} classes")
            })?;
        }
        Ok(())
    }
}
