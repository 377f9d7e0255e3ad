//! The residual block.

use super::{Backward, Buffers, Chain, Forward, Real, Run, relu::rectified, vectorised};

/// max(body(x) + shortcut(x), 0); an empty shortcut is x itself.
#[derive(Debug)]
pub struct ResidualKernel {
    /// The layers that learn the difference.
    pub body: Chain,
    /// The layers that bring x to the form of the body's output.
    pub shortcut: Chain,
}

/// Positions in `weights.inner` and `memory.inner`.
const BODY: usize = 0;
const SHORTCUT: usize = 1;

impl<T: Real> Run<T> for ResidualKernel {
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let (body, shortcut) = parameters.split_at(self.body.dim());
        Buffers { own: Vec::new(), inner: vec![self.body.pack(body), self.shortcut.pack(shortcut)] }
    }

    fn least_batch(&self) -> usize {
        self.body.least_batch().max(self.shortcut.least_batch())
    }

    fn kept(&self, input_gradient: bool) -> usize {
        self.body.kept(input_gradient) + self.shortcut.kept(input_gradient)
    }

    fn forward(&self, Forward { weights, batch, x, y, mut mode, memory }: Forward<'_, T>) {
        memory.inner.resize_with(2, Buffers::default);
        let channels = self.body.tracked();
        let body = mode.part(0..channels);
        self.body.forward(&weights.inner[BODY], batch, x, body, &mut memory.inner[BODY]);
        let shortcut = mode.part(channels..channels + self.shortcut.tracked());
        self.shortcut.forward(&weights.inner[SHORTCUT], batch, x, shortcut, &mut memory.inner[SHORTCUT]);
        let body = self.body.output(&memory.inner[BODY]);
        let beside = if self.shortcut.is_empty() { x } else { self.shortcut.output(&memory.inner[SHORTCUT]) };
        vectorised(
            #[inline(always)]
            || y.iter_mut().zip(body).zip(beside).for_each(|((y, &a), &b)| *y = rectified(a + b)),
        );
    }

    fn backward(&self, pass: Backward<'_, T>) {
        let Backward { weights, batch, x, y, dy, mut dx, gradient, memory } = pass;
        let through = |sum: &mut [T]| {
            vectorised(
                #[inline(always)]
                || {
                    for ((sum, &dy), &y) in sum.iter_mut().zip(dy).zip(y) {
                        *sum = if y > T::default() { dy } else { T::default() };
                    }
                },
            );
        };
        let (body, shortcut) = gradient.split_at_mut(self.body.dim());
        through(self.body.output_gradient(&mut memory.inner[BODY]).0);
        let into = dx.as_deref_mut();
        self.body.backward(&weights.inner[BODY], batch, x, into, body, &mut memory.inner[BODY]);

        let mut beside = vec![T::default(); x.len()];
        if self.shortcut.is_empty() {
            through(&mut beside);
        } else {
            let memory = &mut memory.inner[SHORTCUT];
            through(self.shortcut.output_gradient(memory).0);
            let into = dx.is_some().then_some(&mut beside[..]);
            self.shortcut.backward(&weights.inner[SHORTCUT], batch, x, into, shortcut, memory);
        }
        if let Some(dx) = dx {
            vectorised(
                #[inline(always)]
                || dx.iter_mut().zip(&beside).for_each(|(dx, &beside)| *dx += beside),
            );
        }
    }
}
