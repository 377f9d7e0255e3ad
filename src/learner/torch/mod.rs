//! Neural networks for many workers at one point, in one of two ways.
//!
//! A model is a list of [`Layer`]s. On the CPU each brings a [`Kernel`], its
//! forward and backward pass for one worker's batch; workers are spread over
//! threads ([`Way::Kernels`]). On other devices, and for layers without a
//! kernel, libtorch computes ([`Way::Torch`]): the images of g workers lie
//! beside each other in the channels, `[b, g * C, H, W]`, and every worker has
//! its own copy of the weights, `[g, n]`, so that one backward pass gives the
//! exact gradient of each. With g = 1 the same layers are the plain model.
//! [`TorchLearner`] cuts the jobs of a round into tiles of workers and answers
//! each tile by one pass. The tests hold the two ways against each other.
//!
//! A model of one's own is a config struct with [`ModelRule`]; a layer of one's
//! own implements [`Layer`] with tensors of [`tch`], and is computed by libtorch:
//! kernels cannot be added from outside. Nothing here knows an actor or the TOML file.

mod alone;
mod chance;
mod convert;
mod evaluate;
mod exact;
mod inputs;
mod judge;
mod kernels;
pub mod layer;
mod learner;
pub mod model;
mod pass;
mod peak;
mod precision;
mod resident;
mod round;
mod running;
mod tiles;
mod trial;

use phalanx_robust::describe::Described;

pub use kernels::Kernel;
pub use layer::{Layer, Shape};
pub use learner::{Settings, TorchLearner, Way};
pub use model::{Model, ModelError};
pub use pass::Pass;
pub use peak::peak;
pub use precision::Precision;
pub use running::BatchNormPolicy;
/// What layers compute with: a layer of one's own takes tensors of this version.
pub use tch;

/// A model as configured: its parameters, which make the network once the data set is known.
pub trait ModelRule: Described {
    /// Makes the model for images of `[channels, height, width]` and this number of classes.
    ///
    /// # Errors
    /// [`ModelError`] for a value out of range, or for images that the model is too large for.
    fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError>;
}

/// Is shown every built-in model.
pub trait ModelVisitor {
    /// Called once for each.
    fn visit<M: ModelRule>(&mut self);
}

/// The models built in.
pub fn built_in(v: &mut impl ModelVisitor) {
    v.visit::<model::SimpleCnn>();
    v.visit::<model::CnnMnist>();
    v.visit::<model::CnnCifar>();
    v.visit::<model::EmpireCnn>();
    v.visit::<model::Mlp>();
    v.visit::<model::Logistic>();
    v.visit::<model::Resnet18>();
    v.visit::<model::Resnet34>();
    v.visit::<model::Resnet50>();
    v.visit::<model::Resnet101>();
    v.visit::<model::Resnet152>();
}
