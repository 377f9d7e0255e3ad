//! Neural networks through libtorch, for many workers side by side.
//!
//! A model is a list of [`Layer`]s, each written once for g workers: their
//! images lie beside each other in the channels, `[b, g * C, H, W]`, and every
//! worker has its own copy of the weights, `[g, n]`, so that one backward pass
//! gives the exact gradient of each. With g = 1 the same layers are the plain
//! model. [`TorchLearner`] cuts the jobs of a round into tiles of workers and
//! answers each tile by one such pass.
//!
//! A model of one's own is a config struct with [`ModelRule`]; a layer of one's
//! own implements [`Layer`]. Nothing here knows an actor or the TOML file.

mod convert;
mod evaluate;
mod inputs;
pub mod layer;
mod learner;
pub mod model;
mod pass;
mod peak;
mod running;
mod tiles;

use phalanx_robust::describe::Described;

pub use layer::{Layer, Shape};
pub use learner::{Settings, TorchLearner};
pub use model::{Model, ModelError};
pub use pass::Pass;
pub use peak::peak;
pub use running::BatchNormPolicy;

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
    v.visit::<model::Mlp>();
    v.visit::<model::Logistic>();
    v.visit::<model::Resnet18>();
}
