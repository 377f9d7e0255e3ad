//! One pass of g workers side by side through a model.

use phalanx_robust::to_device;
use tch::{Kind, TchError, Tensor};

use super::{Layer, Model, Shape, chance::Chance, running::Running};

/// PyTorch's default.
pub(super) const EPSILON: f64 = 1e-5;

/// What the layers of a model share while activations go through them: the
/// workers' parameters, the number format of activations, what the pass is for, and the statistics for batch normalisation.
pub struct Pass<'a> {
    groups: i64,
    activations: Kind,
    parameters: std::slice::Iter<'a, Tensor>,
    mode: Mode<'a>,
}

enum Mode<'a> {
    /// Gradients: every worker has its own chance, and its own batch's statistics, which are kept, per layer.
    Training { chances: Vec<Chance>, found: Vec<(Tensor, Tensor)> },
    /// An evaluation, by the running statistics; so many channels are used up.
    Evaluation(&'a Running, i64),
}

impl<'a> Pass<'a> {
    /// A pass for the gradients of workers with these chances; `parameters` are `[g, n]` each, in the model's order.
    pub(super) fn train(chances: Vec<Chance>, parameters: &'a [Tensor], activations: Kind) -> Self {
        let groups = chances.len() as i64;
        let mode = Mode::Training { chances, found: Vec::new() };
        Self { groups, activations, parameters: parameters.iter(), mode }
    }

    /// A pass of one group that normalises by the running statistics.
    pub(super) fn evaluate(parameters: &'a [Tensor], running: &'a Running, activations: Kind) -> Self {
        let mode = Mode::Evaluation(running, 0);
        Self { groups: 1, activations, parameters: parameters.iter(), mode }
    }

    /// Takes activations through `layers`, in their number format.
    ///
    /// # Errors
    /// libtorch's, or that of a layer that gives another form than it says.
    pub fn through(&mut self, layers: &[Box<dyn Layer>], x: Tensor) -> Result<Tensor, TchError> {
        layers.iter().try_fold(x, |x, layer| {
            let wanted = self.output(layer.as_ref(), &x.size())?;
            let y = layer.forward(x.to_kind(self.activations), self)?;
            let found = y.size();
            if found == wanted {
                return Ok(y);
            }
            Err(TchError::Shape(format!("{layer:?} gives {found:?} where {wanted:?} is wanted")))
        })
    }

    /// The sizes of what the layer says that it gives for activations of these `sizes`.
    fn output(&self, layer: &dyn Layer, sizes: &[i64]) -> Result<Vec<i64>, TchError> {
        let (input, batch) = self.samples(sizes)?;
        let misfit = |needs| TchError::Shape(format!("{layer:?} is given {input} and needs {needs}"));
        Ok(layer.output(input).map_err(misfit)?.sizes(self.groups, batch))
    }

    /// The form of a sample of activations of these `sizes`, and the number of samples of a worker.
    fn samples(&self, sizes: &[i64]) -> Result<(Shape, i64), TchError> {
        match *sizes {
            [batch, channels, height, width] => {
                let [channels, height, width] = [channels / self.groups, height, width].map(|n| n as usize);
                Ok((Shape::Image { channels, height, width }, batch))
            }
            [_, batch, n] => Ok((Shape::Flat(n as usize), batch)),
            _ => Err(TchError::Shape(format!("{sizes:?} are sizes of no activations"))),
        }
    }

    /// Number of workers side by side, g.
    pub fn groups(&self) -> i64 {
        self.groups
    }

    /// The next parameter of all workers, `[g, n]` seen in this shape, in the number format of activations; one size may
    /// be -1.
    ///
    /// # Errors
    /// If there is none left, or libtorch's.
    pub fn parameter(&mut self, shape: &[i64]) -> Result<Tensor, TchError> {
        let activations = self.activations;
        self.next()?.to_kind(activations).f_reshape(shape)
    }

    /// The same in its own number format, for what may not lose digits in bf16.
    ///
    /// # Errors
    /// As [`Self::parameter`].
    pub fn exact_parameter(&mut self, shape: &[i64]) -> Result<Tensor, TchError> {
        self.next()?.f_reshape(shape)
    }

    fn next(&mut self) -> Result<&Tensor, TchError> {
        let none = || TchError::Shape("a layer takes more parameters than it declares".into());
        self.parameters.next().ok_or_else(none)
    }

    /// Whether gradients are asked for; else it is an evaluation.
    pub fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Training { .. })
    }

    /// In training `x` with every value set to 0 with probability `rate` and else divided by 1 - rate; `x` in evaluations.
    /// What a worker loses follows from its batch and from what was dropped before, not from the point.
    ///
    /// # Errors
    /// For a rate below 0 or not below 1, or libtorch's.
    pub fn drop_out(&mut self, x: Tensor, rate: f64) -> Result<Tensor, TchError> {
        if !(0.0..1.0).contains(&rate) {
            return Err(TchError::Shape(format!("a share of {rate} cannot be dropped")));
        }
        let (shape, batch) = self.samples(&x.size())?;
        let Mode::Training { chances, .. } = &mut self.mode else { return Ok(x) };
        let values = batch as usize * shape.len();
        let kept: Vec<bool> = chances.iter_mut().flat_map(|chance| chance.kept(rate).take(values)).collect();
        let kept = to_device(&Tensor::f_from_slice(&kept)?, x.device());
        let kept = match shape {
            // As the kernels draw: the channels of a pixel beside each other.
            Shape::Image { channels, height, width } => {
                let [channels, height, width] = [channels, height, width].map(|n| n as i64);
                kept.f_reshape([self.groups, batch, height, width, channels])?.f_permute([1, 0, 4, 2, 3])?
            }
            Shape::Flat(_) => kept,
        };
        let factors = kept.f_reshape(x.size())?.to_kind(x.kind());
        x.f_mul(&factors)?.f_mul_scalar(1.0 / (1.0 - rate))
    }

    /// Batch normalisation of `[b, g * C, H, W]` with an exact scale and an exact shift of `[g * C]` each.
    ///
    /// # Errors
    /// If a batch has a single value a channel, or libtorch's.
    pub fn normalise(&mut self, x: Tensor, weight: Tensor, bias: Tensor) -> Result<Tensor, TchError> {
        let exact = (weight.kind(), x.device());
        let (weight, bias) = (Some(&weight), Some(&bias));
        let (batch, channels, height, width) = x.size4()?;
        match &mut self.mode {
            Mode::Training { found, .. } => {
                if batch * height * width == 1 {
                    return Err(single_value());
                }
                let zeros = || Tensor::f_zeros([channels], exact);
                // With momentum 1 the buffers end as the batch's mean and unbiased variance.
                let (mean, var) = (zeros()?, zeros()?);
                let y = x.f_batch_norm(weight, bias, Some(&mean), Some(&var), true, 1.0, EPSILON, true)?;
                found.push((mean.f_reshape([self.groups, -1])?, var.f_reshape([self.groups, -1])?));
                Ok(y)
            }
            Mode::Evaluation(running, at) => {
                let (mean, var) = running.slice(*at, channels, exact.0)?;
                *at += channels;
                x.f_batch_norm(weight, bias, Some(&mean), Some(&var), false, 0.0, EPSILON, true)
            }
        }
    }
}

/// The error of a batch that has one value a channel.
pub(super) fn single_value() -> TchError {
    TchError::Shape("one value has no variance to normalise by".into())
}

/// What a pass forward and backward gives; the first dimension of every tensor is that of the workers.
pub(super) struct Found {
    /// The gradients, `[g, n]` for every parameter in the model's order.
    pub gradients: Vec<Tensor>,
    /// Mean losses, `[g]`.
    pub losses: Tensor,
    /// Fractions classified as labelled, `[g]`.
    pub accuracies: Tensor,
    /// Mean and unbiased variance of every tracked channel, `[g, channels]` each, in f64; none without such channels.
    pub statistics: Option<(Tensor, Tensor)>,
}

/// The model's parameters at `points`, `[p, d]`, for g workers, `[g, n]` each: the first g / p workers are at the first
/// point, and so on. Nothing is copied for one point, or one for each worker.
pub(super) fn parameters(model: &Model, points: &Tensor, groups: i64) -> Result<Vec<Tensor>, TchError> {
    let (count, _) = points.size2()?;
    let mut at = 0;
    let one = |parameter: &super::layer::Parameter| {
        let len = parameter.len as i64;
        let values = points.f_narrow(1, at, len)?.f_unsqueeze(1)?;
        at += len;
        values.f_expand([count, groups / count, len], false)?.f_reshape([groups, len])
    };
    model.parameters().iter().map(one).collect()
}

/// The same, for gradients with respect to them.
pub(super) fn leaves(model: &Model, points: &Tensor, groups: i64) -> Result<Vec<Tensor>, TchError> {
    let parameters = parameters(model, points, groups)?;
    Ok(parameters.iter().map(|p| p.detach().set_requires_grad(true)).collect())
}

/// Every worker's gradient of the mean cross-entropy of its batch at its point of `points`, `[p, d]`,
/// for images `[b, g * C, H, W]`, in the format of which the model computes, labels `[g, b]` and the g workers' chances.
pub(super) fn learn(
    model: &Model,
    points: &Tensor,
    x: Tensor,
    labels: &Tensor,
    chances: Vec<Chance>,
) -> Result<Found, TchError> {
    let (groups, _) = labels.size2()?;
    let leaves = leaves(model, points, groups)?;
    let mut pass = Pass::train(chances, &leaves, x.kind());
    let logits = model.forward(x, &mut pass)?.to_kind(points.kind());
    let losses = losses(&logits, labels)?.f_mean_dim([1i64].as_slice(), false, None)?;
    let total = losses.f_sum(losses.kind())?;
    let gradients = Tensor::f_run_backward(&[total], &leaves, false, false)?;
    let right = logits.f_argmax(2, false)?.f_eq_tensor(labels)?;
    let accuracies = right.f_mean_dim([1i64].as_slice(), false, Kind::Double)?;
    Ok(Found { gradients, losses: losses.detach(), accuracies, statistics: pass.found()? })
}

/// The cross-entropy of every sample, `[g, b]`.
pub(super) fn losses(logits: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
    let log = logits.f_log_softmax(2, None)?;
    log.f_gather(2, &labels.f_unsqueeze(2)?, false)?.f_squeeze_dim(2)?.f_neg()
}

impl Pass<'_> {
    fn found(self) -> Result<Option<(Tensor, Tensor)>, TchError> {
        let Mode::Training { found, .. } = self.mode else { return Ok(None) };
        if found.is_empty() {
            return Ok(None);
        }
        let (means, vars): (Vec<Tensor>, Vec<Tensor>) = found.into_iter().unzip();
        let joined = |parts: &[Tensor]| Ok::<_, TchError>(Tensor::f_cat(parts, 1)?.to_kind(Kind::Double));
        Ok(Some((joined(&means)?, joined(&vars)?)))
    }
}
