//! Convolution as products over windows that overlap in place.
//!
//! Forward: the rows are the pixels that come out, k runs through a window (row by row of the window, where pixels and
//! channels lie beside each other), the columns are the channels that come out. The gradient at the input is the same
//! product: of the gradient at the output, spread to the stride and framed, with the weights turned round. For the
//! gradient of the weights the rows are the values of a window and k runs through the pixels.

use std::ops::Range;

use super::{
    Backward, Buffers, Forward, Real, Run, SLACK,
    product::{Left, Product, Right, STRIP, Segment, Start, Walk},
    sums::channel_sums,
};

/// A convolution with square windows; the frame of zeros is narrower than a window.
#[derive(Clone, Copy, Debug)]
pub struct ConvKernel {
    /// Channels that come in.
    pub channels: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Channels that come out.
    pub out: usize,
    /// Side of the window in pixels.
    pub kernel: usize,
    /// Step of the window in pixels.
    pub stride: usize,
    /// Width of the frame in pixels.
    pub padding: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Values of samples that one sum for the weights goes through before the next: they stay in the cache.
const RESIDENT: usize = 1 << 16;

/// Positions in `weights.own`.
const FORWARD: usize = 0;
const TURNED: usize = 1;
const BIAS: usize = 2;

/// Positions in `memory.own`.
const FRAMED_X: usize = 0;
const FRAMED_DY: usize = 1;
const GRADIENT: usize = 2;
const PACKED: usize = 3;

/// Channels that come out whose weights learn together: two registers.
const BAND: usize = 2 * STRIP;

impl ConvKernel {
    fn side(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Pixels of one channel that come out.
    fn pixels(&self) -> usize {
        self.side(self.height) * self.side(self.width)
    }

    /// Values of a window.
    fn window(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// The input inside its frame.
    fn framed_x(&self) -> Frame {
        let (height, width) = (self.height + 2 * self.padding, self.width + 2 * self.padding);
        Frame { channels: self.channels, height, width, edge: self.padding, step: 1 }
    }

    /// The gradient at the output, spread and framed so that windows of step 1 give one of the input's size.
    fn framed_dy(&self) -> Frame {
        let (height, width) = (self.height + self.kernel - 1, self.width + self.kernel - 1);
        let edge = self.kernel - 1 - self.padding;
        Frame { channels: self.out, height, width, edge, step: self.stride }
    }

    fn windows(&self, frame: Frame, size: [usize; 2], stride: usize, batch: usize, inside: usize) -> Windows {
        Windows { frame, height: size[0], width: size[1], stride, kernel: self.kernel, batch, inside }
    }
}

/// An image inside a frame of zeros, its pixels `step` apart.
#[derive(Clone, Copy, Debug)]
struct Frame {
    channels: usize,
    height: usize,
    width: usize,
    edge: usize,
    step: usize,
}

impl Frame {
    fn row(&self) -> usize {
        self.width * self.channels
    }

    fn sample(&self) -> usize {
        self.height * self.row()
    }

    /// Copies `from`, `[b, height, width, channels]` of this size, into the frame; what lies between stays zero.
    fn fill<T: Real>(&self, from: &[T], size: [usize; 2], batch: usize, to: &mut [T]) {
        let [height, width] = size;
        let line = width * self.channels;
        for (n, image) in from.chunks_exact(height * line).take(batch).enumerate() {
            for (y, from) in image.chunks_exact(line).enumerate() {
                let start = n * self.sample() + (self.edge + y * self.step) * self.row();
                let to = &mut to[start + self.edge * self.channels..];
                if self.step == 1 {
                    to[..line].copy_from_slice(from);
                } else {
                    for (x, pixel) in from.chunks_exact(self.channels).enumerate() {
                        to[x * self.step * self.channels..][..self.channels].copy_from_slice(pixel);
                    }
                }
            }
        }
    }
}

/// Rows: the positions of a window. k: the values of a window, a segment for each of its rows.
struct Windows {
    frame: Frame,
    /// Positions down and across.
    height: usize,
    width: usize,
    stride: usize,
    kernel: usize,
    batch: usize,
    /// Rows of pixels between the edges.
    inside: usize,
}

impl Windows {
    /// Where the windows of a line of positions, counted through the batch, start.
    fn line(&self, line: usize) -> usize {
        let (n, y) = (line / self.height, line % self.height);
        n * self.frame.sample() + y * self.stride * self.frame.row()
    }
}

impl Walk for Windows {
    fn rows(&self) -> usize {
        self.batch * self.height * self.width
    }

    fn offsets(&self, rows: Range<usize>, offsets: &mut [usize]) {
        let (mut line, mut x) = (rows.start / self.width, rows.start % self.width);
        let mut start = self.line(line);
        for offset in offsets {
            *offset = start + x * self.stride * self.frame.channels;
            x += 1;
            if x == self.width {
                (line, x) = (line + 1, 0);
                start = self.line(line);
            }
        }
    }

    fn segments(&self, rows: Range<usize>, segments: &mut Vec<Segment>) {
        let (first, last) = (rows.start / self.width, (rows.end - 1) / self.width);
        // Rows of the frame that the tile sees: those of the edges are zeros.
        let (top, bottom) = if first / self.height == last / self.height {
            (first % self.height * self.stride, last % self.height * self.stride)
        } else {
            (0, (self.height - 1) * self.stride)
        };
        let from = self.frame.edge.saturating_sub(bottom);
        let to = (self.frame.edge + self.inside).saturating_sub(top).min(self.kernel);
        segments.extend((from..to).map(|y| Segment {
            left: y * self.frame.row(),
            right: y * self.kernel * self.frame.channels * STRIP,
        }));
    }
}

/// Rows: the values of a window. k: the positions of a window, a segment for each row of them.
struct Taps {
    windows: Windows,
    /// Values of one row of pixels at the output.
    line: usize,
}

impl Taps {
    /// Values of one row of a window.
    fn across(&self) -> usize {
        self.windows.kernel * self.windows.frame.channels
    }
}

impl Walk for Taps {
    fn rows(&self) -> usize {
        self.windows.kernel * self.across()
    }

    fn offsets(&self, rows: Range<usize>, offsets: &mut [usize]) {
        let (mut y, mut x) = (rows.start / self.across(), rows.start % self.across());
        for offset in offsets {
            *offset = y * self.windows.frame.row() + x;
            x += 1;
            if x == self.across() {
                (y, x) = (y + 1, 0);
            }
        }
    }

    fn segments(&self, rows: Range<usize>, segments: &mut Vec<Segment>) {
        let Windows { frame, height, stride, batch, inside, .. } = self.windows;
        let (top, bottom) = (rows.start / self.across(), (rows.end - 1) / self.across());
        let seen = |y: &usize| y * stride + bottom >= frame.edge && y * stride + top < frame.edge + inside;
        for n in 0..batch {
            segments.extend((0..height).filter(seen).map(|y| Segment {
                left: n * frame.sample() + y * stride * frame.row(),
                right: (n * height + y) * self.line,
            }));
        }
    }
}

/// Weights in strips of columns: strip, row and column of the window, channel in, channel out.
fn strips<T: Real>(
    kernel: usize,
    into: usize,
    out: usize,
    weight: impl Fn(usize, usize, usize) -> T,
) -> Vec<T> {
    let taps = kernel * kernel;
    let strip = taps * into * STRIP;
    let mut packed = vec![T::default(); out.div_ceil(STRIP) * strip];
    for (n, packed) in packed.chunks_exact_mut(strip).enumerate() {
        let columns = n * STRIP..out.min((n + 1) * STRIP);
        for (i, tap) in (0..into).flat_map(|i| (0..taps).map(move |tap| (i, tap))) {
            let line = &mut packed[(tap * into + i) * STRIP..][..STRIP];
            line.iter_mut().zip(columns.clone()).for_each(|(value, o)| *value = weight(o, i, tap));
        }
    }
    packed
}

/// Columns of the rows of a matrix in strips: strip, row, column. Neighbouring rows of a wide matrix would share few lines
/// of the cache.
fn columns_in_strips<T: Real>(rows: &[T], wide: usize, columns: Range<usize>, packed: &mut [T]) {
    let count = rows.len() / wide;
    let starts = columns.clone().step_by(STRIP);
    for (first, packed) in starts.zip(packed.chunks_exact_mut(count * STRIP)) {
        let columns = first..columns.end.min(first + STRIP);
        for (row, packed) in rows.chunks_exact(wide).zip(packed.chunks_exact_mut(STRIP)) {
            packed[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
    }
}

impl<T: Real> Run<T> for ConvKernel {
    fn pack(&self, parameters: &[T]) -> Buffers<T> {
        let (taps, channels, out) = (self.kernel * self.kernel, self.channels, self.out);
        let (weight, bias) = parameters.split_at(out * self.window());
        let forward = strips(self.kernel, channels, out, |o, i, tap| weight[(o * channels + i) * taps + tap]);
        let turned =
            strips(self.kernel, out, channels, |i, o, tap| weight[(o * channels + i + 1) * taps - 1 - tap]);
        let mut bias = bias.to_vec();
        bias.resize(out.next_multiple_of(STRIP), T::default());
        Buffers { own: vec![forward, turned, bias], inner: Vec::new() }
    }

    fn kept(&self, input_gradient: bool) -> usize {
        self.framed_x().sample() + if input_gradient { self.framed_dy().sample() } else { 0 }
    }

    fn forward(&self, Forward { weights, batch, x, y, memory, .. }: Forward<'_, T>) {
        let frame = self.framed_x();
        let framed = memory.sized(FRAMED_X, batch * frame.sample());
        frame.fill(x, [self.height, self.width], batch, framed);
        let out = [self.side(self.height), self.side(self.width)];
        Product {
            left: Left {
                values: framed,
                walk: self.windows(frame, out, self.stride, batch, self.height),
                step: 1,
            },
            right: Right { values: &weights.own[FORWARD], strip: self.window() * STRIP, step: STRIP },
            len: self.kernel * self.channels,
            start: Start::Row(&weights.own[BIAS]),
            out: y,
            stride: self.out,
            columns: self.out,
        }
        .run();
    }

    fn backward(&self, pass: Backward<'_, T>) {
        let Backward { weights, batch, dy, dx, gradient, memory, .. } = pass;
        self.learn(batch, dy, gradient, memory);
        let Some(dx) = dx else { return };
        let frame = self.framed_dy();
        let framed = memory.sized(FRAMED_DY, batch * frame.sample());
        let size = [self.side(self.height), self.side(self.width)];
        frame.fill(dy, size, batch, framed);
        let spread = (size[0] - 1) * self.stride + 1;
        Product {
            left: Left {
                values: framed,
                walk: self.windows(frame, [self.height, self.width], 1, batch, spread),
                step: 1,
            },
            right: Right {
                values: &weights.own[TURNED],
                strip: self.kernel * self.kernel * self.out * STRIP,
                step: STRIP,
            },
            len: self.kernel * self.out,
            start: Start::Zero,
            out: dx,
            stride: self.channels,
            columns: self.channels,
        }
        .run();
    }
}

impl ConvKernel {
    /// The gradient of weights and bias.
    fn learn<T: Real>(&self, batch: usize, dy: &[T], gradient: &mut [T], memory: &mut Buffers<T>) {
        let (window, sample) = (self.window(), self.pixels() * self.out);
        let frame = self.framed_x();
        let each = (RESIDENT / (frame.sample() + sample)).min(batch).max(1);
        memory.sized(PACKED, if self.out > BAND { each * self.pixels() * BAND } else { 0 });
        memory.sized(GRADIENT, window * BAND);
        let [framed, _, sums, packed] = &mut memory.own[..] else { return };
        let side = [self.side(self.height), self.side(self.width)];
        let (weight, bias) = gradient.split_at_mut(window * self.out);
        for (band, weight) in weight.chunks_mut(BAND * window).enumerate() {
            let columns = band * BAND..self.out.min((band + 1) * BAND);
            for first in (0..batch).step_by(each) {
                let batch = each.min(batch - first);
                let right = self.band(batch, &dy[first * sample..], columns.clone(), packed);
                let windows = self.windows(frame, side, self.stride, batch, self.height);
                Product {
                    left: Left {
                        values: &framed[first * frame.sample()..],
                        walk: Taps { windows, line: side[1] * right.step },
                        step: self.stride * self.channels,
                    },
                    right,
                    len: side[1],
                    start: if first == 0 { Start::Zero } else { Start::Out },
                    out: sums,
                    stride: BAND,
                    columns: columns.len(),
                }
                .run();
            }
            self.in_pytorchs_order(sums, weight);
        }
        if self.bias {
            let sums = channel_sums(self.out, &dy[..batch * sample], None);
            bias.iter_mut().zip(sums).for_each(|(b, sum)| *b = T::from_f64(sum));
        }
    }

    /// A band of the gradient at the output as a right factor: as it lies, or, where it is not all columns, packed.
    fn band<'a, T: Real>(
        &self,
        batch: usize,
        dy: &'a [T],
        columns: Range<usize>,
        packed: &'a mut [T],
    ) -> Right<'a, T> {
        if self.out <= BAND {
            return Right { values: dy, strip: STRIP, step: self.out };
        }
        let pixels = batch * self.pixels();
        columns_in_strips(&dy[..pixels * self.out], self.out, columns, packed);
        Right { values: packed, strip: pixels * STRIP, step: STRIP }
    }

    /// From `[taps, channels, BAND]` to `[out, channels, taps]`, some `out` at a time, whose lines a cache holds.
    fn in_pytorchs_order<T: Real>(&self, from: &[T], to: &mut [T]) {
        let (taps, window) = (self.kernel * self.kernel, self.window());
        for (strip, to) in to.chunks_mut(STRIP * window).enumerate() {
            for (i, tap) in (0..self.channels).flat_map(|i| (0..taps).map(move |tap| (i, tap))) {
                let from = &from[(tap * self.channels + i) * BAND + strip * STRIP..];
                for (&value, to) in from.iter().zip(to.chunks_exact_mut(window)) {
                    to[i * taps + tap] = value;
                }
            }
        }
    }
}

const _: () = assert!(SLACK >= STRIP);
