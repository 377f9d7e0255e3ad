//! What Byzantine workers send.
//!
//! A group of attackers is one adversary with several workers. It acts twice
//! in a round. In phase one its workers may take part in the honest protocol
//! ([`Attack::follows_protocol`]), with labels the attack may poison
//! ([`Attack::poison`]). In phase two, when all honest vectors are in, it
//! makes the vectors its workers submit ([`Attack::forge`]) from a [`View`]
//! that holds exactly what its declared [`Knowledge`] allows, and no more.

mod alie;
mod anti_cge;
mod anti_lasa;
mod constant;
mod drift;
mod error;
mod fang;
mod first_round;
mod foe;
mod gaussian;
mod hybrid_sparse;
mod inf;
mod ipm;
mod label_flip;
mod line_search;
mod mimic;
mod min_max;
mod min_sum;
mod nan;
mod none;
mod opt_alie;
mod opt_ipm;
mod rop;
mod setting;
mod sign_flip;
mod single_coordinate;
mod stale;
mod statistics;
mod switching;
mod view;
mod zero;

pub use alie::{Alie, Share, Sign};
pub use anti_cge::AntiCge;
pub use anti_lasa::AntiLasa;
pub use constant::Constant;
pub use drift::{Drift, Heading};
use dyn_clone::DynClone;
pub use error::AttackError;
pub use fang::{Fang, Target};
pub use first_round::FirstRound;
pub use foe::Foe;
pub use gaussian::Gaussian;
pub use hybrid_sparse::{HybridSparse, Saliency, Scope, Towards};
pub use inf::Inf;
pub use ipm::Ipm;
pub use label_flip::{Flip, LabelFlip};
pub use mimic::{Choice, Mimic};
pub use min_max::{Direction, MinMax};
pub use min_sum::MinSum;
pub use nan::Nan;
pub use none::NoAttack;
pub use opt_alie::OptAlie;
pub use opt_ipm::OptIpm;
pub use rop::Rop;
pub use setting::{Misfit, Setting};
pub use sign_flip::{Flipped, SignFlip};
pub use single_coordinate::SingleCoordinate;
pub use stale::{Replayed, Stale};
pub use switching::Switching;
pub use view::{Knowledge, Probe, Scene, View};
pub use zero::Zero;

use crate::{
    Layout, Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// An adversary: what a group of Byzantine workers does in a round.
pub trait Attack: DynClone + Stateful + Send {
    /// What the attack looks at; its view holds no more.
    fn knowledge(&self) -> Knowledge;

    /// Whether the group's workers compute honest-protocol vectors of their own in phase one.
    fn follows_protocol(&self) -> bool {
        false
    }

    /// Whether the attack asks for tables of all pairs of vectors, as [`Batch::gram`](crate::Batch::gram) is one; unlike
    /// rules, most do not. One that does and does not say so is left out of a run's need of memory.
    fn needs_pairs(&self) -> bool {
        false
    }

    /// Whether the attack can do what it is told where there is no more than `setting` says. Whoever plans a run
    /// asks before it.
    ///
    /// # Errors
    /// [`Misfit`].
    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        let _ = setting;
        Ok(())
    }

    /// Told before the first round where the parameter tensors lie in the vectors. An attack that is not told takes a vector
    /// as one tensor.
    fn know_layout(&mut self, layout: &Layout) {
        let _ = layout;
    }

    /// What whoever starts a run should know of the attack at the size that it was built for, if it is less than its
    /// name promises.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Changes the labels of a batch that one of the group's workers drew for `round`; `classes` is the number of
    /// classes. Called once for each worker that follows the protocol, before its gradients are computed.
    fn poison(&self, round: u64, labels: &mut [i64], classes: i64) {
        let _ = (round, labels, classes);
    }

    /// The class that the attack, as it acts in `round`, wants test samples of class `label` to be predicted as, of `classes`
    /// from 0; `label` itself, as here, where it wants nothing of them. How often it comes to that is its success.
    fn target_class(&self, round: u64, label: i64, classes: i64) -> i64 {
        let _ = (round, classes);
        label
    }

    /// Makes the vectors that the group submits, one for each of [`View::members`], in that order.
    ///
    /// # Errors
    /// [`AttackError`].
    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError>;
}

dyn_clone::clone_trait_object!(Attack);

/// An attack as configured: its parameters, which make the adversary of one group.
pub trait AttackRule: Described {
    /// Makes the adversary. `size` holds the number of workers and the number of *actual* Byzantine
    /// ones, which the parameters of some attacks depend on.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range.
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError>;

    /// What the attack with default parameters looks at, for the catalogue; `None` if it cannot be built.
    fn usual_knowledge() -> Option<Knowledge> {
        Self::default().build(Size::new(17, 4)).ok().map(|attack| attack.knowledge())
    }
}

/// Takes every attack that it is shown, built in or from outside.
pub trait AttackVisitor {
    /// Called once for each.
    fn visit<A: AttackRule>(&mut self);
}

/// The attacks built in. [`Switching`] is not among them: it is made of other attacks, by whoever
/// knows their names.
pub fn built_in(v: &mut impl AttackVisitor) {
    v.visit::<NoAttack>();
    v.visit::<SignFlip>();
    v.visit::<LabelFlip>();
    v.visit::<Ipm>();
    v.visit::<Foe>();
    v.visit::<Alie>();
    v.visit::<OptIpm>();
    v.visit::<OptAlie>();
    v.visit::<Mimic>();
    v.visit::<MinMax>();
    v.visit::<MinSum>();
    v.visit::<Fang>();
    v.visit::<Rop>();
    v.visit::<HybridSparse>();
    v.visit::<SingleCoordinate>();
    v.visit::<AntiCge>();
    v.visit::<AntiLasa>();
    v.visit::<Stale>();
    v.visit::<Drift>();
    v.visit::<Gaussian>();
    v.visit::<Constant>();
    v.visit::<Zero>();
    v.visit::<Inf>();
    v.visit::<Nan>();
}
