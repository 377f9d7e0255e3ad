//! One vector of length d, wherever it lives: f32 or f64 on the host, or a
//! libtorch tensor. Cloning is cheap; writing to a shared vector copies it first.

pub(crate) mod dot;
#[cfg(feature = "torch")]
mod torch;

use std::{fmt, sync::Arc};

#[cfg(feature = "torch")]
pub(crate) use torch::count;
#[cfg(feature = "torch")]
pub use torch::{Copied, Shared, copied_to_host, to_device};

use crate::simd::{Real, vectorised};

/// Number format of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit IEEE 754.
    F32,
    /// 64-bit IEEE 754.
    F64,
}

impl Dtype {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

/// A vector of length d.
#[derive(Clone, Debug)]
pub enum Vector {
    /// 32-bit floats on the host.
    F32(Arc<Vec<f32>>),
    /// 64-bit floats on the host.
    F64(Arc<Vec<f64>>),
    /// A one-dimensional tensor on any device.
    #[cfg(feature = "torch")]
    Torch(Shared),
}

/// Applies one expression to both host forms; a torch vector takes the last arm.
macro_rules! on_host {
    ($vector:expr, $x:ident => $host:expr, $t:ident => $torch:expr) => {
        match $vector {
            Vector::F32($x) => $host,
            Vector::F64($x) => $host,
            #[cfg(feature = "torch")]
            Vector::Torch($t) => $torch,
        }
    };
}

impl Vector {
    /// The zero vector of `len` coordinates on the host.
    pub fn zeros(len: usize, dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => vec![0f32; len].into(),
            Dtype::F64 => vec![0f64; len].into(),
        }
    }

    /// The zero vector with the length, format and place of this one.
    pub fn zeros_like(&self) -> Self {
        self.with_values(|n| std::iter::repeat_n(0.0, n).collect())
    }

    /// A vector of these values with the format and place of this one.
    ///
    /// # Panics
    /// Unless there are as many as this one has.
    pub fn like(&self, values: &[f64]) -> Self {
        assert_eq!(values.len(), self.len(), "a vector of another length");
        self.with_values(|_| values.to_vec())
    }

    fn with_values(&self, values: impl FnOnce(usize) -> Vec<f64>) -> Self {
        let values = values(self.len());
        match self {
            Self::F32(_) => values.iter().map(|&v| v as f32).collect::<Vec<_>>().into(),
            Self::F64(_) => values.into(),
            #[cfg(feature = "torch")]
            Self::Torch(t) => Self::Torch(t.like(&values)),
        }
    }

    /// Number of coordinates, d.
    pub fn len(&self) -> usize {
        on_host!(self, x => x.len(), t => t.len())
    }

    /// Whether there are no coordinates.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that the coordinates take, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.len() * self.dtype().size()) as u64
    }

    /// Number format of the coordinates.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            #[cfg(feature = "torch")]
            Self::Torch(t) => t.dtype(),
        }
    }

    /// Its length, format and place in words, such as "3 coordinates of f32": what two that are not
    /// [alike](Self::is_like) differ in.
    pub fn kind(&self) -> String {
        let kind = format!("{} coordinates of {}", self.len(), self.dtype());
        match self {
            Self::F32(_) | Self::F64(_) => kind,
            #[cfg(feature = "torch")]
            Self::Torch(t) => format!("{kind} in a tensor on {:?}", t.tensor().device()),
        }
    }

    /// Whether the coordinates lie in the host's memory and not in a tensor.
    pub fn is_on_host(&self) -> bool {
        matches!(self, Self::F32(_) | Self::F64(_))
    }

    /// The coordinates as f64 on the host.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(x) => x.iter().map(|&v| f64::from(v)).collect(),
            Self::F64(x) => x.to_vec(),
            #[cfg(feature = "torch")]
            Self::Torch(t) => t.to_f64(),
        }
    }

    /// The coordinates at these places, as f64 on the host.
    pub(crate) fn at(&self, places: &[usize]) -> Vec<f64> {
        match self {
            Self::F32(x) => places.iter().map(|&i| f64::from(x[i])).collect(),
            Self::F64(x) => places.iter().map(|&i| x[i]).collect(),
            #[cfg(feature = "torch")]
            Self::Torch(t) => t.at(places),
        }
    }

    /// The coordinates at these places as a vector of the same format and place.
    pub(crate) fn picked(&self, places: &[usize]) -> Self {
        match self {
            Self::F32(x) => places.iter().map(|&i| x[i]).collect::<Vec<_>>().into(),
            Self::F64(x) => places.iter().map(|&i| x[i]).collect::<Vec<_>>().into(),
            #[cfg(feature = "torch")]
            Self::Torch(t) => Self::Torch(t.picked(places)),
        }
    }

    /// The coordinates as f32, if that is what this vector holds on the host.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::F32(x) => Some(x),
            _ => None,
        }
    }

    /// The coordinates as f64, if that is what this vector holds on the host.
    pub fn as_f64(&self) -> Option<&[f64]> {
        match self {
            Self::F64(x) => Some(x),
            _ => None,
        }
    }

    /// Where the coordinates are: equal for vectors that share them.
    pub(crate) fn address(&self) -> usize {
        on_host!(self, x => x.as_ptr() as usize, t => t.address())
    }

    /// Whether no coordinate is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        on_host!(self, x => dot::is_finite(x), t => t.is_finite())
    }

    /// Whether both have the same length, format and place.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.len() == b.len(),
            (Self::F64(a), Self::F64(b)) => a.len() == b.len(),
            #[cfg(feature = "torch")]
            (Self::Torch(a), Self::Torch(b)) => a.is_like(b),
            _ => false,
        }
    }

    /// self ← c · self.
    pub fn scale(&mut self, c: f64) {
        match self {
            Self::F32(x) => Arc::make_mut(x).iter_mut().for_each(|v| *v *= c as f32),
            Self::F64(x) => Arc::make_mut(x).iter_mut().for_each(|v| *v *= c),
            #[cfg(feature = "torch")]
            Self::Torch(t) => t.update(|x| x * c),
        }
    }

    /// c · self, on the host rounded once; where the coordinates are if nobody shares them.
    pub(crate) fn times(self, c: f64) -> Self {
        match self {
            _ if c == 1.0 => self,
            Self::F32(x) => Self::F32(times(x, c)),
            Self::F64(x) => Self::F64(times(x, c)),
            #[cfg(feature = "torch")]
            Self::Torch(t) => Self::Torch(t.map(|x| x * c)),
        }
    }

    /// c · self.
    pub fn scaled(&self, c: f64) -> Self {
        let mut out = self.clone();
        out.scale(c);
        out
    }

    /// The vector of length 1 in the direction of this one, if it has one.
    pub fn unit(&self) -> Option<Self> {
        let norm = self.norm();
        (norm > 0.0).then(|| self.clone().times(1.0 / norm))
    }

    /// self ← self + c · other.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn axpy(&mut self, c: f64, other: &Self) {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => zip(x, y, |a, b| a + c as f32 * b),
            (Self::F64(x), Self::F64(y)) => zip(x, y, |a, b| a + c * b),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => x.update(|x| match c {
                1.0 => x + y.tensor(), // one kernel, not two
                -1.0 => x - y.tensor(),
                _ => x + y.tensor() * c,
            }),
            _ => unalike(),
        }
    }

    /// self ← (1 - t) · self + t · other.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn lerp(&mut self, t: f64, other: &Self) {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => zip(x, y, |a, b| (1.0 - t) as f32 * a + t as f32 * b),
            (Self::F64(x), Self::F64(y)) => zip(x, y, |a, b| (1.0 - t) * a + t * b),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => x.update(|x| x.lerp(y.tensor(), t)), // one kernel, not three
            _ => unalike(),
        }
    }

    /// Inner product, accumulated in f64.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn dot(&self, other: &Self) -> f64 {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => dot::dot(x, y),
            (Self::F64(x), Self::F64(y)) => dot::dot(x, y),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => x.dot(y),
            _ => unalike(),
        }
    }

    /// Euclidean norm.
    pub fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }

    /// self + other.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => joined(x, y, |a, b| a + b).into(),
            (Self::F64(x), Self::F64(y)) => joined(x, y, |a, b| a + b).into(),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => Self::Torch(x.map(|x| x + y.tensor())),
            _ => unalike(),
        }
    }

    /// self - other.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn minus(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => joined(x, y, |a, b| a - b).into(),
            (Self::F64(x), Self::F64(y)) => joined(x, y, |a, b| a - b).into(),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => Self::Torch(x.map(|x| x - y.tensor())),
            _ => unalike(),
        }
    }

    /// The products of the coordinates, one by one.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn times_each(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::F32(x), Self::F32(y)) => joined(x, y, |a, b| a * b).into(),
            (Self::F64(x), Self::F64(y)) => joined(x, y, |a, b| a * b).into(),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => Self::Torch(x.map(|x| x * y.tensor())),
            _ => unalike(),
        }
    }

    /// self / (√squares + tau), coordinate by coordinate.
    ///
    /// # Panics
    /// Unless the two are [alike](Self::is_like).
    pub fn over_root(&self, squares: &Self, tau: f64) -> Self {
        match (self, squares) {
            (Self::F32(x), Self::F32(y)) => joined(x, y, |a, b| a / (b.sqrt() + tau as f32)).into(),
            (Self::F64(x), Self::F64(y)) => joined(x, y, |a, b| a / (b.sqrt() + tau)).into(),
            #[cfg(feature = "torch")]
            (Self::Torch(x), Self::Torch(y)) => Self::Torch(x.map(|x| x / (y.tensor().sqrt() + tau))),
            _ => unalike(),
        }
    }

    /// Every coordinate's sign: -1, 0 or 1.
    pub fn signum(&self) -> Self {
        match self {
            Self::F32(x) => {
                x.iter().map(|&v| if v == 0.0 { 0.0 } else { v.signum() }).collect::<Vec<_>>().into()
            }
            Self::F64(x) => {
                x.iter().map(|&v| if v == 0.0 { 0.0 } else { v.signum() }).collect::<Vec<_>>().into()
            }
            #[cfg(feature = "torch")]
            Self::Torch(t) => Self::Torch(t.map(tch::Tensor::sign)),
        }
    }
}

fn zip<T: Copy>(x: &mut Arc<Vec<T>>, y: &[T], f: impl Fn(T, T) -> T) {
    let x = Arc::make_mut(x);
    assert_eq!(x.len(), y.len(), "vectors of different lengths");
    x.iter_mut().zip(y).for_each(|(a, &b)| *a = f(*a, b));
}

fn joined<T: Copy>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> Vec<T> {
    assert_eq!(x.len(), y.len(), "vectors of different lengths");
    x.iter().zip(y).map(|(&a, &b)| f(a, b)).collect()
}

fn times<T: Real>(mut x: Arc<Vec<T>>, c: f64) -> Arc<Vec<T>> {
    let Some(own) = Arc::get_mut(&mut x) else {
        return Arc::new(x.iter().map(|value| T::from_f64(c * value.to_f64())).collect());
    };
    vectorised(
        #[inline(always)]
        || own.iter_mut().for_each(|value| *value = T::from_f64(c * value.to_f64())),
    );
    x
}

fn unalike() -> ! {
    panic!("vectors of different formats or places");
}

impl From<Vec<f32>> for Vector {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(Arc::new(values))
    }
}

impl From<Vec<f64>> for Vector {
    fn from(values: Vec<f64>) -> Self {
        Self::F64(Arc::new(values))
    }
}

#[cfg(test)]
mod tests {
    use super::Vector;

    #[test]
    fn a_write_does_not_reach_the_clones() {
        let first = Vector::from(vec![1f32, -2.0]);
        let mut second = first.clone();
        second.axpy(2.0, &first);
        assert_eq!(first.to_f64(), [1.0, -2.0]);
        assert_eq!(second.to_f64(), [3.0, -6.0]);
    }

    #[test]
    fn a_kind_is_told_in_words() {
        assert_eq!(Vector::from(vec![0f32; 3]).kind(), "3 coordinates of f32");
        assert_eq!(Vector::from(vec![0f64; 5]).kind(), "5 coordinates of f64");
        #[cfg(feature = "torch")]
        assert_eq!(
            Vector::from(tch::Tensor::from_slice(&[0f32; 3])).kind(),
            "3 coordinates of f32 in a tensor on Cpu"
        );
    }

    #[test]
    fn a_unit_vector_has_length_1_where_there_is_a_direction() {
        let unit = Vector::from(vec![3f64, -4.0]).unit().unwrap().to_f64();
        assert!((unit[0] - 0.6).abs() < 1e-15 && (unit[1] + 0.8).abs() < 1e-15, "{unit:?}");
        assert!(Vector::from(vec![0f32; 3]).unit().is_none());
        // 1 over its length is no number of f32
        assert_eq!(Vector::from(vec![0f32, -1e-40]).unit().unwrap().to_f64(), [0.0, -1.0]);
        assert!(Vector::from(vec![f32::NAN, 1.0]).unit().is_none());
    }

    #[test]
    fn what_nobody_shares_is_scaled_where_it_is() {
        let alone = Vector::from(vec![1f32, -2.0]);
        let at = alone.address();
        let scaled = alone.times(1.5);
        assert_eq!((scaled.address(), scaled.to_f64()), (at, vec![1.5, -3.0]));
        let shared = scaled.clone();
        assert_eq!(shared.times(2.0).to_f64(), [3.0, -6.0]);
        assert_eq!(scaled.to_f64(), [1.5, -3.0]);
    }

    #[test]
    fn lerp_meets_both_ends() {
        let (mut x, y) = (Vector::from(vec![1f64, 2.0]), Vector::from(vec![3f64, 6.0]));
        x.lerp(0.25, &y);
        assert_eq!(x.to_f64(), [1.5, 3.0]);
        x.lerp(1.0, &y);
        assert_eq!(x.to_f64(), y.to_f64());
    }

    #[cfg(feature = "torch")]
    #[test]
    fn tensors_are_combined_as_host_vectors_are() {
        let [a, b] =
            [1.0, -0.3].map(|scale| (0..100).map(|i| scale * f64::from(i).sin()).collect::<Vec<f64>>());
        let on_host = [&a, &b].map(|values| Vector::from(values.clone()));
        let on_torch = [&a, &b].map(|values| Vector::from(tch::Tensor::from_slice(values)));
        let check = |combine: &dyn Fn(&mut Vector, &Vector)| {
            let [host, torch] = [&on_host, &on_torch].map(|[a, b]| {
                let mut a = a.clone();
                combine(&mut a, b);
                a.to_f64()
            });
            assert!(host.iter().zip(&torch).all(|(x, y)| (x - y).abs() < 1e-15), "{host:?} {torch:?}");
        };
        for c in [1.0, -1.0, 0.7, 0.0] {
            check(&|a, b| a.axpy(c, b));
            check(&|a, b| a.lerp(c.abs(), b));
            check(&|a, b| *a = a.times_each(b));
            check(&|a, b| *a = a.over_root(&b.times_each(b), c.abs() + 0.1));
        }
    }
}
