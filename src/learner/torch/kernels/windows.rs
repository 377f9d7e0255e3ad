//! What lies between the products: every pixel is scaled and shifted channel by channel, and the largest value of every
//! window comes out, or a floor below it.
//!
//! That is a normalisation, a rectifier and a pooling in one, or less of it. What lies between them is not kept: the way
//! back computes it again from the input, which costs less than to write it and to read it.

use std::{array, ops::Range};

use pulp::{Arch, Simd, WithSimd};

use super::{
    Real, SLACK,
    lanes::{lanes, load, load_some, save, unpacked},
};

/// The windows of an image, which do not overlap.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Channels, C.
    pub channels: usize,
    /// Height of the input in pixels.
    pub height: usize,
    /// Width of the input in pixels.
    pub width: usize,
    /// Side of a window in pixels.
    pub kernel: usize,
}

/// A coefficient for every channel, and the slack.
pub(super) type Coefficients<T> = Vec<T>;

/// y = max((x + shift) · slope + bias) over every window, or the floor if that is larger.
pub(super) struct Stage<T> {
    pub windows: Windows,
    pub shift: Coefficients<T>,
    pub slope: Coefficients<T>,
    pub bias: Coefficients<T>,
    pub floor: T,
}

/// What the way back does with every pixel.
pub(super) trait Visit<T: Real> {
    /// What it holds of a line of windows.
    type State<S: Simd>;
    /// Begins a line, with channels from `first` on.
    fn start<S: Simd>(&self, simd: S, first: usize) -> Self::State<S>;
    /// A pixel: where its channels lie in the input, x + shift, and the gradient at what was made of it.
    fn pixel<S: Simd>(
        &mut self,
        simd: S,
        state: &mut Self::State<S>,
        at: Range<usize>,
        shifted: T::Lanes<S>,
        dy: T::Lanes<S>,
    );
    /// Ends a line, of whose channels those from `fresh` on are new.
    fn end<S: Simd>(&mut self, state: Self::State<S>, first: usize, fresh: usize);
}

impl Windows {
    /// Windows of one pixel each.
    pub fn pixels(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, kernel: 1 }
    }

    /// Values of one sample that come in.
    pub(super) fn sample(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether every pixel is in a window.
    pub(super) fn whole(&self) -> bool {
        self.height.is_multiple_of(self.kernel) && self.width.is_multiple_of(self.kernel)
    }

    /// Values of one sample that come out.
    pub(super) fn output(&self) -> usize {
        (self.height / self.kernel) * (self.width / self.kernel) * self.channels
    }

    /// Where pixel `i` of a window lies from its corner, counted row by row.
    fn offset(&self, i: usize) -> usize {
        (i / self.kernel * self.width + i % self.kernel) * self.channels
    }

    /// Where all pixels of a window lie from its corner.
    pub(super) fn offsets(&self) -> impl Iterator<Item = usize> {
        (0..self.kernel * self.kernel).map(|i| self.offset(i))
    }

    /// Calls `f` with every line of windows: where it starts in the input and in the output.
    #[inline(always)]
    pub(super) fn each_line(&self, batch: usize, mut f: impl FnMut(usize, usize)) {
        let high = self.height / self.kernel;
        let out = self.width / self.kernel * self.channels;
        for line in 0..batch * high {
            let (n, y) = (line / high, line % high);
            f(n * self.sample() + y * self.kernel * self.width * self.channels, line * out);
        }
    }

    /// Where the windows of a line start from its start, in the input and in the output.
    #[inline(always)]
    pub(super) fn along(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Self { channels, width, kernel, .. } = *self;
        (0..width / kernel).map(move |x| (x * kernel * channels, x * channels))
    }
}

/// A coefficient for every channel.
pub(super) fn coefficients<T: Real>(channels: usize, of: impl Fn(usize) -> f64) -> Coefficients<T> {
    (0..channels).map(|c| T::from_f64(of(c))).chain(std::iter::repeat_n(T::default(), SLACK)).collect()
}

impl<T: Real> Stage<T> {
    /// Pooling alone, rectified or not.
    pub fn pooling(windows: Windows, rectified: bool) -> Self {
        let all = |value| coefficients(windows.channels, |_| value);
        Self { windows, shift: all(0.0), slope: all(1.0), bias: all(0.0), floor: Self::floor(rectified) }
    }

    /// The floor of a rectifier, or none.
    pub fn floor(rectified: bool) -> T {
        if rectified { T::default() } else { T::from_f64(f64::NEG_INFINITY) }
    }

    /// From the batch at the input to that at the output.
    pub fn forward(&self, batch: usize, x: &[T], y: &mut [T]) {
        Arch::new().dispatch(Unrolled { windows: self.windows, pass: Forward { stage: self, batch, x, y } });
    }

    /// Back through a batch: `visit` sees every pixel of the windows.
    pub fn backward(&self, batch: usize, [x, y, dy]: [&[T]; 3], visit: &mut impl Visit<T>) {
        Arch::new().dispatch(Unrolled {
            windows: self.windows,
            pass: Backward { stage: self, batch, x, y, dy, visit },
        });
    }

    /// What makes of a pixel what is compared, in channels from `first` on.
    #[inline(always)]
    fn affine<S: Simd>(&self, first: usize) -> [T::Lanes<S>; 3] {
        [&self.shift, &self.slope, &self.bias].map(|values| load::<T, S>(&values[first..]))
    }

    /// Groups of channels that fill a register: the first channel of each, and the first of them that no group before has.
    /// The last group overlaps the one before so that it is whole.
    #[inline(always)]
    fn groups<S: Simd>(&self) -> impl Iterator<Item = (usize, usize)> + use<S, T> {
        let (channels, lanes) = (self.windows.channels, lanes::<T, S>());
        (0..channels).step_by(lanes).map(move |fresh| (fresh.min(channels.saturating_sub(lanes)), fresh))
    }
}

/// A pass over all lines of windows, which is compiled for each of the commonest windows.
trait Lines {
    type Number: Real;
    /// The pass over windows whose pixels lie at `offsets` from the corner; where `WHOLE`, a pixel's channels fill a register.
    fn lines<S: Simd, const WHOLE: bool>(self, simd: S, offsets: impl AsRef<[usize]>);
}

struct Unrolled<L> {
    windows: Windows,
    pass: L,
}

impl<L: Lines> WithSimd for Unrolled<L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { windows, pass } = self;
        let offset = |i| windows.offset(i);
        match (windows.kernel, windows.channels >= lanes::<L::Number, S>()) {
            (1, true) => pass.lines::<S, true>(simd, array::from_fn::<_, 1, _>(offset)),
            (2, true) => pass.lines::<S, true>(simd, array::from_fn::<_, 4, _>(offset)),
            _ => pass.lines::<S, false>(simd, windows.offsets().collect::<Vec<_>>()),
        }
    }
}

/// The channels of pixels, as registers; where `WHOLE`, a pixel has enough of them to fill one.
#[derive(Clone, Copy)]
struct Pixels<'a, T, const WHOLE: bool>(&'a [T]);

impl<T: Real, const WHOLE: bool> Pixels<'_, T, WHOLE> {
    #[inline(always)]
    fn at<S: Simd>(&self, at: usize) -> T::Lanes<S> {
        if WHOLE { load::<T, S>(&self.0[at..]) } else { load_some::<T, S>(&self.0[at..]) }
    }
}

/// The larger value; NaN if one is.
#[inline(always)]
fn larger<T: Real, S: Simd>(simd: S, a: T::Lanes<S>, b: T::Lanes<S>) -> T::Lanes<S> {
    let largest = T::select(simd, T::less_than(simd, a, b), b, a);
    T::select(simd, T::equal(simd, b, b), largest, b)
}

struct Forward<'a, T> {
    stage: &'a Stage<T>,
    batch: usize,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Lines for Forward<'_, T> {
    type Number = T;

    #[inline(always)]
    fn lines<S: Simd, const WHOLE: bool>(self, simd: S, offsets: impl AsRef<[usize]>) {
        let Self { stage, batch, x, y } = self;
        let windows = stage.windows;
        let x = Pixels::<T, WHOLE>(&x[..batch * windows.sample()]);
        let count = lanes::<T, S>().min(windows.channels);
        let floor = T::splat(simd, stage.floor);
        windows.each_line(
            batch,
            #[inline(always)]
            |from, to| {
                for (first, _) in stage.groups::<S>() {
                    let [shift, slope, bias] = stage.affine::<S>(first);
                    for (corner, out) in windows.along() {
                        let mut best = floor;
                        for &pixel in offsets.as_ref() {
                            let x = x.at::<S>(from + first + corner + pixel);
                            let value = T::mul_add(simd, T::plus(simd, x, shift), slope, bias);
                            best = larger::<T, S>(simd, best, value);
                        }
                        save::<T, S>(best, &mut y[to + first + out..][..count]);
                    }
                }
            },
        );
    }
}

struct Backward<'a, T, V> {
    stage: &'a Stage<T>,
    batch: usize,
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    visit: &'a mut V,
}

impl<T: Real, V: Visit<T>> Lines for Backward<'_, T, V> {
    type Number = T;

    #[inline(always)]
    fn lines<S: Simd, const WHOLE: bool>(self, simd: S, offsets: impl AsRef<[usize]>) {
        let Self { stage, batch, x, y, dy, visit } = self;
        let windows = stage.windows;
        let x = Pixels::<T, WHOLE>(&x[..batch * windows.sample()]);
        let [y, dy] = [y, dy].map(|y| Pixels::<T, WHOLE>(&y[..batch * windows.output()]));
        let count = lanes::<T, S>().min(windows.channels);
        let (floor, zero) = (T::splat(simd, stage.floor), T::splat(simd, T::default()));
        windows.each_line(
            batch,
            #[inline(always)]
            |from, to| {
                for (first, fresh) in stage.groups::<S>() {
                    let [shift, slope, bias] = stage.affine::<S>(first);
                    let mut state = visit.start(simd, first);
                    for (corner, out) in windows.along() {
                        let y = y.at::<S>(to + first + out);
                        let mut left =
                            T::select(simd, T::less_than(simd, floor, y), dy.at::<S>(to + first + out), zero);
                        for &pixel in offsets.as_ref() {
                            let at = from + first + corner + pixel;
                            let shifted = T::plus(simd, x.at::<S>(at), shift);
                            let is_it = T::equal(simd, T::mul_add(simd, shifted, slope, bias), y);
                            let taken = T::select(simd, is_it, left, zero);
                            left = T::select(simd, is_it, zero, left);
                            visit.pixel(simd, &mut state, at..at + count, shifted, taken);
                        }
                    }
                    visit.end(state, first, fresh);
                }
            },
        );
    }
}

/// Σ dy and Σ (x + shift) · dy of every channel.
pub(super) struct Sums {
    pub dy: Vec<f64>,
    pub products: Vec<f64>,
}

impl<T: Real> Visit<T> for Sums {
    type State<S: Simd> = [T::Lanes<S>; 2];

    #[inline(always)]
    fn start<S: Simd>(&self, simd: S, _: usize) -> Self::State<S> {
        [T::splat(simd, T::default()); 2]
    }

    #[inline(always)]
    fn pixel<S: Simd>(
        &mut self,
        simd: S,
        [sum, product]: &mut Self::State<S>,
        _: Range<usize>,
        shifted: T::Lanes<S>,
        dy: T::Lanes<S>,
    ) {
        *sum = T::plus(simd, *sum, dy);
        *product = T::mul_add(simd, shifted, dy, *product);
    }

    #[inline(always)]
    fn end<S: Simd>(&mut self, state: Self::State<S>, first: usize, fresh: usize) {
        for (totals, sums) in [&mut self.dy, &mut self.products].into_iter().zip(state) {
            let new = &unpacked::<T, S>(sums)[fresh - first..];
            totals[fresh..].iter_mut().zip(new).for_each(|(total, sum)| *total += sum.to_f64());
        }
    }
}

/// dx = dy · scale + (x + shift) · pull + offset.
pub(super) struct Spread<'a, T> {
    pub dx: &'a mut [T],
    pub scale: Coefficients<T>,
    pub pull: Coefficients<T>,
    pub offset: Coefficients<T>,
}

impl<T: Real> Visit<T> for Spread<'_, T> {
    type State<S: Simd> = [T::Lanes<S>; 3];

    #[inline(always)]
    fn start<S: Simd>(&self, _: S, first: usize) -> Self::State<S> {
        [&self.scale, &self.pull, &self.offset].map(|values| load::<T, S>(&values[first..]))
    }

    #[inline(always)]
    fn pixel<S: Simd>(
        &mut self,
        simd: S,
        &mut [scale, pull, offset]: &mut Self::State<S>,
        at: Range<usize>,
        shifted: T::Lanes<S>,
        dy: T::Lanes<S>,
    ) {
        save::<T, S>(T::mul_add(simd, dy, scale, T::mul_add(simd, shifted, pull, offset)), &mut self.dx[at]);
    }

    #[inline(always)]
    fn end<S: Simd>(&mut self, _: Self::State<S>, _: usize, _: usize) {}
}

/// The `dx` that is dy.
pub(super) struct Pass<'a, T>(pub &'a mut [T]);

impl<T: Real> Visit<T> for Pass<'_, T> {
    type State<S: Simd> = ();

    #[inline(always)]
    fn start<S: Simd>(&self, _: S, _: usize) {}

    #[inline(always)]
    fn pixel<S: Simd>(&mut self, _: S, (): &mut (), at: Range<usize>, _: T::Lanes<S>, dy: T::Lanes<S>) {
        save::<T, S>(dy, &mut self.0[at]);
    }

    #[inline(always)]
    fn end<S: Simd>(&mut self, (): (), _: usize, _: usize) {}
}
