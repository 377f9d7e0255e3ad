//! Layers one after the other, forward and back.

use std::ops::Range;

use super::{Backward, Buffers, Forward, Kernel, Mode, Real, SLACK};
use crate::learner::torch::{Layer, Shape};

/// The kernels of a list of layers.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Link>,
}

/// One layer, or several that one kernel does: the kernel, values of one sample that come out, and its share of the
/// chain's parameters and channels.
#[derive(Debug)]
struct Link {
    kernel: Box<dyn Kernel>,
    output: usize,
    parameters: Range<usize>,
    tracked: Range<usize>,
}

impl Link {
    /// Both as one, if a kernel does both.
    fn joined(&self, next: &Self) -> Option<Self> {
        Some(Self {
            kernel: f32::of(self.kernel.as_ref()).joined(next.kernel.as_ref())?,
            output: next.output,
            parameters: self.parameters.start..next.parameters.end,
            tracked: self.tracked.start..next.tracked.end,
        })
    }
}

impl Chain {
    /// The kernels of `layers` for inputs of this form; none if a layer has no kernel.
    pub fn new(layers: &[Box<dyn Layer>], input: Shape) -> Option<Self> {
        let (mut shape, mut parameters, mut tracked) = (input, 0, 0);
        let mut links: Vec<Link> = Vec::new();
        for layer in layers {
            let output = layer.output(shape).ok()?;
            let own: usize = layer.parameters(shape).iter().map(|p| p.len).sum();
            let channels = layer.tracked(shape);
            let link = Link {
                kernel: layer.kernel(shape)?,
                output: output.len(),
                parameters: parameters..parameters + own,
                tracked: tracked..tracked + channels,
            };
            match links.pop() {
                None => links.push(link),
                Some(last) => match last.joined(&link) {
                    Some(both) => links.push(both),
                    None => links.extend([last, link]),
                },
            }
            (shape, parameters, tracked) = (output, parameters + own, tracked + channels);
        }
        Some(Self { links })
    }

    /// Whether there are no layers: the output is the input.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Number of parameters.
    pub fn dim(&self) -> usize {
        self.links.last().map_or(0, |link| link.parameters.end)
    }

    /// Number of tracked channels.
    pub fn tracked(&self) -> usize {
        self.links.last().map_or(0, |link| link.tracked.end)
    }

    /// Samples that every layer has enough of.
    pub fn least_batch(&self) -> usize {
        self.links.iter().map(|link| f32::of(link.kernel.as_ref()).least_batch()).max().unwrap_or(1)
    }

    /// Values that a pass keeps of a sample: all outputs, what layers keep, and the gradients at the outputs, which take
    /// turns in two buffers.
    pub fn kept(&self, input_gradient: bool) -> usize {
        let end = self.end(input_gradient);
        let one = |(i, link): (usize, &Link)| {
            link.output + f32::of(link.kernel.as_ref()).kept(input_gradient || i > end)
        };
        let gradients = |turn: usize| {
            self.links.iter().skip(end).rev().skip(turn).step_by(2).map(|link| link.output).max()
        };
        let turns = [0, 1].map(|turn| gradients(turn).unwrap_or(0));
        self.links.iter().enumerate().map(one).chain(turns).sum()
    }

    /// Where the way back ends: at the input if the gradient there is asked for, else at the first link with parameters,
    /// which is not asked for the gradient at its input.
    fn end(&self, input_gradient: bool) -> usize {
        let first = self.links.iter().position(|link| !link.parameters.is_empty());
        if input_gradient { 0 } else { first.unwrap_or(self.links.len()) }
    }

    /// Packs every layer's parameters.
    pub fn pack<T: Real>(&self, parameters: &[T]) -> Buffers<T> {
        let pack = |link: &Link| T::of(link.kernel.as_ref()).pack(&parameters[link.parameters.clone()]);
        Buffers { own: Vec::new(), inner: self.links.iter().map(pack).collect() }
    }

    /// Takes the batch through all layers; the outputs stay in `memory`.
    pub fn forward<T: Real>(
        &self,
        weights: &Buffers<T>,
        batch: usize,
        x: &[T],
        mut mode: Mode<'_>,
        memory: &mut Buffers<T>,
    ) {
        memory.inner.resize_with(self.links.len(), Buffers::default);
        for (i, link) in self.links.iter().enumerate() {
            memory.sized(i, batch * link.output);
            let (done, rest) = memory.own.split_at_mut(i);
            T::of(link.kernel.as_ref()).forward(Forward {
                weights: &weights.inner[i],
                batch,
                x: done.last().map_or(x, Vec::as_slice),
                y: &mut rest[0],
                mode: mode.part(link.tracked.clone()),
                memory: &mut memory.inner[i],
            });
        }
    }

    /// What came out of the last layer.
    pub fn output<'a, T>(&self, memory: &'a Buffers<T>) -> &'a [T] {
        &memory.own[self.links.len() - 1]
    }

    /// Where the gradient at the output is put before [`Chain::backward`], and the output.
    pub fn output_gradient<'a, T: Real>(&self, memory: &'a mut Buffers<T>) -> (&'a mut [T], &'a [T]) {
        let n = self.links.len();
        let len = memory.own[n - 1].len() - SLACK;
        memory.sized(n, len);
        let (outputs, gradients) = memory.own.split_at_mut(n);
        (&mut gradients[0], &outputs[n - 1])
    }

    /// The way back: the gradient of all parameters, and that at the input if it is asked for.
    pub fn backward<T: Real>(
        &self,
        weights: &Buffers<T>,
        batch: usize,
        x: &[T],
        mut dx: Option<&mut [T]>,
        gradient: &mut [T],
        memory: &mut Buffers<T>,
    ) {
        let n = self.links.len();
        memory.sized(n + 1, 0);
        let mut dy = std::mem::take(&mut memory.own[n]);
        let mut next = std::mem::take(&mut memory.own[n + 1]);
        let end = self.end(dx.is_some());
        for (i, link) in self.links.iter().enumerate().skip(end).rev() {
            let x = if i == 0 { x } else { &memory.own[i - 1] };
            if i > end {
                next.resize(x.len(), T::default());
            }
            T::of(link.kernel.as_ref()).backward(Backward {
                weights: &weights.inner[i],
                batch,
                x,
                y: &memory.own[i],
                dy: &dy,
                dx: if i > end { Some(&mut next) } else { dx.take() },
                gradient: &mut gradient[link.parameters.clone()],
                memory: &mut memory.inner[i],
            });
            std::mem::swap(&mut dy, &mut next);
        }
        (memory.own[n], memory.own[n + 1]) = (dy, next);
    }
}
