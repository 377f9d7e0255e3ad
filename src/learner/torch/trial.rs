//! Whether every layer of a model computes in bf16: each is tried alone, forward and back, on samples of zeros. A layer
//! from outside may use operations that libtorch has for other number formats only.

use phalanx_actors::LearnerError;
use phalanx_robust::random::Seed;
use tch::{Device, Kind, TchError, Tensor};

use super::{
    Layer, Model, Pass, Precision,
    chance::Chance,
    convert,
    learner::{failed, first_line},
    pass,
};

/// Enough for batch normalisation wherever a larger batch is.
const SAMPLES: i64 = 2;

/// `Ok` if they all do.
///
/// # Errors
/// [`LearnerError::Model`] with the name of the first that does not.
pub(super) fn check(model: &Model, device: Device) -> Result<(), LearnerError> {
    let (vectors, activations) = (Precision::Bf16.vectors(), Precision::Bf16.activations());
    let zeros = |size: &[i64], kind| Tensor::f_zeros(size, (kind, device)).map_err(failed);
    let point = zeros(&[1, model.dim() as i64], convert::kind(vectors))?;
    let parameters = pass::parameters(model, &point, 1).map_err(failed)?;
    let [channels, height, width] = model.input().map(|n| n as i64);
    let mut x = zeros(&[SAMPLES, channels, height, width], activations)?;
    let chance = Chance::of(&Seed(0).stream("model", 0, "trial", 0));
    let mut pass = Pass::train(vec![chance], &parameters, activations);
    for layer in model.layers() {
        let refusal = |error| {
            let why = first_line(&error);
            LearnerError::Model(format!("its layer {layer:?} does not compute in bf16: {why}"))
        };
        x = through(layer.as_ref(), x, &mut pass).map_err(refusal)?;
    }
    Ok(())
}

/// Takes x through the layer, and a gradient back.
fn through(layer: &dyn Layer, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
    let kind = x.kind();
    let y = layer.forward(x.detach().set_requires_grad(true), pass)?;
    y.f_sum(Kind::Float)?.f_backward()?;
    Ok(y.detach().to_kind(kind))
}
