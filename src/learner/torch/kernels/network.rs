//! A whole model on the CPU: what the learner calls.

use std::sync::Mutex;

use super::{Buffers, Chain, Mode, Real, SLACK, loss::cross_entropy};
use crate::learner::torch::{Layer, Shape, chance::Chance};

/// The kernels of all layers.
#[derive(Debug)]
pub struct Network {
    chain: Chain,
    classes: usize,
}

/// A network at a point, for any number of threads at a time.
#[derive(Debug)]
pub struct Prepared<'a, T> {
    network: &'a Network,
    weights: Buffers<T>,
}

/// Memory of passes, taken up again by the next one.
#[derive(Debug, Default)]
pub struct Spare<T>(Mutex<Vec<Buffers<T>>>);

/// What one worker's batch gives.
#[derive(Debug)]
pub struct Learnt<T> {
    /// The gradient of the mean loss, in the order of the model's parameters.
    pub gradient: Vec<T>,
    /// Mean loss.
    pub loss: f64,
    /// Fraction classified as labelled.
    pub accuracy: f64,
    /// Means of the tracked channels.
    pub mean: Vec<f64>,
    /// Unbiased variances of the tracked channels.
    pub var: Vec<f64>,
}

impl Network {
    /// The network of these layers; none if a layer has no kernel.
    pub fn new(layers: &[Box<dyn Layer>], input: Shape, classes: usize) -> Option<Self> {
        Some(Self { chain: Chain::new(layers, input)?, classes })
    }

    /// Samples that every layer has enough of.
    pub fn least_batch(&self) -> usize {
        self.chain.least_batch()
    }

    /// Values that a pass keeps of a sample, its input aside.
    pub fn kept(&self) -> usize {
        self.chain.kept(false)
    }

    /// The network at `point`.
    pub fn at<T: Real>(&self, point: &[T]) -> Prepared<'_, T> {
        Prepared { network: self, weights: self.chain.pack(point) }
    }
}

impl<T: Real> Prepared<'_, T> {
    /// The gradient of one worker's batch, with what its layers draw by `chance`. `x` is `[b, height, width, channels]` and
    /// the slack.
    pub fn learn(&self, x: &[T], labels: &[i64], mut chance: Chance, spare: &Spare<T>) -> Learnt<T> {
        let chain = &self.network.chain;
        let (batch, channels) = (labels.len(), chain.tracked());
        let mut gradient = vec![T::default(); chain.dim()];
        let (mut mean, mut var) = (vec![0.0; channels], vec![0.0; channels]);
        let score = spare.with(|memory| {
            let mode = Mode::Training { mean: &mut mean, var: &mut var, chance: &mut chance };
            chain.forward(&self.weights, batch, x, mode, memory);
            let (dy, logits) = chain.output_gradient(memory);
            let score = cross_entropy(logits, self.network.classes, labels, Some(dy), |_| ());
            chain.backward(&self.weights, batch, x, None, &mut gradient, memory);
            score
        });
        let (loss, accuracy) = (score.loss / batch as f64, score.right as f64 / batch as f64);
        Learnt { gradient, loss, accuracy, mean, var }
    }

    /// Sum of losses, and number classified rightly, with running statistics; `predicted` is told the class of every sample.
    pub fn evaluate(
        &self,
        x: &[T],
        labels: &[i64],
        mean: &[f64],
        var: &[f64],
        spare: &Spare<T>,
        predicted: impl FnMut(usize),
    ) -> (f64, f64) {
        let chain = &self.network.chain;
        let score = spare.with(|memory| {
            chain.forward(&self.weights, labels.len(), x, Mode::Evaluation { mean, var }, memory);
            cross_entropy(chain.output(memory), self.network.classes, labels, None, predicted)
        });
        (score.loss, score.right as f64)
    }
}

impl<T: Real> Spare<T> {
    fn with<R>(&self, f: impl FnOnce(&mut Buffers<T>) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut memory = lock().pop().unwrap_or_default();
        let result = f(&mut memory);
        lock().push(memory);
        result
    }
}

/// Room for `len` values of input and what registers may read past them.
pub fn input<T: Real>(len: usize) -> Vec<T> {
    vec![T::default(); len + SLACK]
}

#[cfg(test)]
mod tests {
    use phalanx_robust::random::Seed;

    use super::{Buffers, Chance, Spare, input};
    use crate::learner::torch::{
        Model, ModelRule,
        model::{CnnMnist, EmpireCnn, Mlp, Resnet18, SimpleCnn},
    };

    /// Values that there is memory for.
    fn values(memory: &Buffers<f32>) -> usize {
        memory.own.iter().map(Vec::capacity).sum::<usize>() + memory.inner.iter().map(values).sum::<usize>()
    }

    /// Values that one pass over so many samples leaves behind.
    fn left(model: &Model, batch: usize) -> usize {
        let network = model.network().expect("it has kernels");
        let (spare, chance) = (Spare::default(), Chance::of(&Seed(1).stream("worker", 0, "batch", 1)));
        let x = input::<f32>(batch * model.input().iter().product::<usize>());
        network.at(&vec![0.01; model.dim()]).learn(&x, &vec![0; batch], chance, &spare);
        spare.0.lock().expect("no pass panicked").iter().map(values).sum()
    }

    #[test]
    fn what_a_pass_keeps_of_a_sample_is_known() {
        let mnist = [1, 28, 28];
        let models = [
            SimpleCnn {}.build(mnist, 10),
            CnnMnist {}.build(mnist, 10),
            Mlp::default().build(mnist, 10),
            Resnet18 {}.build([3, 32, 32], 10),
            EmpireCnn {}.build([3, 32, 32], 10),
        ];
        for (at, model) in models.into_iter().map(Result::unwrap).enumerate() {
            // More than a convolution packs at a time.
            let (few, many) = (11, 13);
            let measured = (left(&model, many) - left(&model, few)) / (many - few);
            assert_eq!(model.network().unwrap().kept(), measured, "model {at}");
        }
    }
}
