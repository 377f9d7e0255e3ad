//! The fully connected layer.

use super::{
    Backward, Buffers, Forward, Real, Run, SLACK,
    product::{Left, Product, Right, Rows, STRIP, Start},
    sums::channel_sums,
};

/// y = W x + b.
#[derive(Debug)]
pub struct LinearKernel {
    /// Number of values that come in.
    pub input: usize,
    /// Number of values that come out.
    pub out: usize,
}

/// Positions in `weights.own`.
const TRANSPOSED: usize = 0;
const PLAIN: usize = 1;
const BIAS: usize = 2;

/// The weights in strips of columns: strip, value in, value out.
fn transposed<T: Real>(weight: &[T], input: usize, out: usize) -> Vec<T> {
    let mut packed = vec![T::default(); out.next_multiple_of(STRIP) * input];
    for (strip, rows) in packed.chunks_exact_mut(input * STRIP).zip(weight.chunks(STRIP * input)) {
        for (column, row) in rows.chunks_exact(input).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                strip[i * STRIP + column] = w;
            }
        }
    }
    packed
}

impl<T: Real> Run<T> for LinearKernel {
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let (weight, bias) = parameters.split_at(self.out * self.input);
        let mut plain = weight.to_vec();
        plain.resize(weight.len() + SLACK, T::default());
        let mut bias = bias.to_vec();
        bias.resize(self.out.next_multiple_of(STRIP), T::default());
        Buffers { own: vec![transposed(weight, self.input, self.out), plain, bias], inner: Vec::new() }
    }

    fn forward(&self, Forward { weights, batch, x, y, .. }: Forward<'_, T>) {
        Product {
            left: Left { values: x, walk: Rows { rows: batch, len: self.input }, step: 1 },
            right: Right { values: &weights.own[TRANSPOSED], strip: self.input * STRIP, step: STRIP },
            len: self.input,
            start: Start::Row(&weights.own[BIAS]),
            out: y,
            stride: self.out,
            columns: self.out,
        }
        .run();
    }

    fn backward(&self, Backward { weights, batch, x, dy, dx, gradient, .. }: Backward<'_, T>) {
        let (weight, bias) = gradient.split_at_mut(self.out * self.input);
        Product {
            left: Left { values: dy, walk: Rows { rows: self.out, len: 1 }, step: self.out },
            right: Right { values: x, strip: STRIP, step: self.input },
            len: batch,
            start: Start::Zero,
            out: weight,
            stride: self.input,
            columns: self.input,
        }
        .run();
        let sums = channel_sums(self.out, &dy[..batch * self.out], None);
        bias.iter_mut().zip(sums).for_each(|(b, sum)| *b = T::from_f64(sum));
        let Some(dx) = dx else { return };
        Product {
            left: Left { values: dy, walk: Rows { rows: batch, len: self.out }, step: 1 },
            right: Right { values: &weights.own[PLAIN], strip: STRIP, step: self.input },
            len: self.out,
            start: Start::Zero,
            out: dx,
            stride: self.input,
            columns: self.input,
        }
        .run();
    }
}
