//! Label flipping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, Misfit, Setting, View};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// What becomes of a label y among K classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flip {
    /// K - 1 - y.
    #[default]
    Reverse,
    /// The class `target`, whatever y.
    AllToOne,
    /// The next class, y + 1, and class 0 after the last.
    Pairwise,
}

/// Label flipping: each Byzantine worker runs the honest protocol, with its own memory, on its own
/// data with changed labels (in every gradient), and sends the vector it comes to. The task must have
/// labels. ByzFL's variant, which averages flipped gradients over the honest workers' data and leaves
/// the momentum out, is not offered; its preset is this one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelFlip {
    /// What becomes of a label.
    pub map: Flip,
    /// The class that all labels become under `all-to-one`, counted from 0.
    #[schemars(range(min = 0))]
    pub target: i64,
}

impl Described for LabelFlip {
    const NAME: &'static str = "label-flip";
    const SOURCE: &'static str = "Biggio et al., 2012; as in the code of Dahan & Levy, 2024";
}

impl AttackRule for LabelFlip {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        if self.target < 0 {
            return Err(ParameterError::new("target", self.target, "a class, from 0"));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for LabelFlip {}

impl Attack for LabelFlip {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Own
    }

    fn follows_protocol(&self) -> bool {
        true
    }

    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        let classes = setting.classes;
        if classes == 0 {
            let message = "the task has no labels that could be flipped".to_owned();
            return Err(Misfit { path: Self::NAME.to_owned(), message });
        }
        if self.map == Flip::AllToOne && self.target >= classes {
            let message = format!("target = {}: the task has {classes} classes, counted from 0", self.target);
            return Err(Misfit { path: format!("{}.target", Self::NAME), message });
        }
        Ok(())
    }

    fn poison(&self, round: u64, labels: &mut [i64], classes: i64) {
        labels.iter_mut().for_each(|y| *y = self.target_class(round, *y, classes));
    }

    fn target_class(&self, _: u64, label: i64, classes: i64) -> i64 {
        match self.map {
            Flip::Reverse => classes - 1 - label,
            Flip::AllToOne => self.target,
            Flip::Pairwise => (label + 1) % classes,
        }
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.own()?.to_vec())
    }
}
