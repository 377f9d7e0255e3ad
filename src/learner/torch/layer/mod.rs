//! The contract of a layer, and those built in. A layer holds sizes alone: the
//! numbers come with every pass, so that one model serves all threads.

mod batch_norm;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod pool;
mod relu;
mod residual;

use std::fmt;

pub use batch_norm::BatchNorm;
pub use conv::Conv;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use pool::{AvgPool, MaxPool};
pub use relu::Relu;
pub use residual::Residual;
use tch::{TchError, Tensor};

use super::{Pass, kernels::Kernel};

/// The form of one sample between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An image, held as `[b, g * channels, height, width]`.
    Image {
        /// Number of channels, C.
        channels: usize,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// A vector of so many values, held as `[g, b, n]`.
    Flat(usize),
}

impl Shape {
    /// Number of values of one sample.
    pub fn len(self) -> usize {
        match self {
            Self::Image { channels, height, width } => channels * height * width,
            Self::Flat(n) => n,
        }
    }

    /// The sizes of a tensor of b samples of each of g workers.
    pub(super) fn sizes(self, groups: i64, batch: i64) -> Vec<i64> {
        match self {
            Self::Image { channels, height, width } => {
                vec![batch, groups * channels as i64, height as i64, width as i64]
            }
            Self::Flat(n) => vec![groups, batch, n as i64],
        }
    }

    /// Whether a sample has no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { channels, height, width } => write!(f, "{channels} x {height} x {width}"),
            Self::Flat(n) => write!(f, "{n} values"),
        }
    }
}

/// How a parameter starts: PyTorch's default initialisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Uniform in (-bound, bound); weights and biases have bound 1/sqrt(inputs of one output).
    Uniform(f64),
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
}

impl Start {
    /// Uniform with the bound for this number of inputs of one output.
    pub fn fan_in(inputs: usize) -> Self {
        Self::Uniform(1.0 / (inputs as f64).sqrt())
    }
}

/// One parameter of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, as in PyTorch.
    pub name: String,
    /// Number of values.
    pub len: usize,
    /// Where it starts.
    pub start: Start,
}

impl Parameter {
    pub(crate) fn new(name: &str, len: usize, start: Start) -> Self {
        Self { name: name.to_owned(), len, start }
    }
}

/// One step of a model, for any number of workers side by side.
///
/// ```
/// use phalanx::{
///     Program,
///     learner::torch::{
///         Layer, Model, ModelError, ModelRule, Pass, Shape,
///         layer::{Flatten, Linear, Parameter, Start},
///         tch::{TchError, Tensor},
///     },
/// };
/// use phalanx_robust::describe::Described;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// Every value times a factor of its own, which is learned.
/// #[derive(Debug)]
/// struct Scale;
///
/// impl Layer for Scale {
///     fn output(&self, input: Shape) -> Result<Shape, String> {
///         match input {
///             Shape::Flat(_) => Ok(input),
///             Shape::Image { .. } => Err("a vector".to_owned()),
///         }
///     }
///
///     fn parameters(&self, input: Shape) -> Vec<Parameter> {
///         vec![Parameter { name: "weight".to_owned(), len: input.len(), start: Start::Ones }]
///     }
///
///     fn products(&self, input: Shape) -> u64 {
///         input.len() as u64
///     }
///
///     fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
///         let groups = pass.groups();
///         let weight = pass.parameter(&[groups, 1, -1])?; // beside activations of [g, b, n]
///         x.f_mul(&weight)
///     }
/// }
///
/// /// Logistic regression on pixels that are scaled.
/// #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Scaled {}
///
/// impl Described for Scaled {
///     const NAME: &'static str = "scaled";
///     const SOURCE: &'static str = "an example";
/// }
///
/// impl ModelRule for Scaled {
///     fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
///         Model::new(input, classes, vec![Box::new(Flatten), Box::new(Scale), Box::new(Linear { out: classes })])
///     }
/// }
///
/// let model = Scaled {}.build([1, 2, 3], 10).unwrap();
/// assert_eq!(model.dim(), 6 + (6 + 1) * 10);
/// let names: Vec<&str> = model.parameters().iter().map(|one| one.name.as_str()).collect();
/// assert_eq!(names, ["1.weight", "2.weight", "2.bias"]);
/// let refused = Model::new([1, 2, 3], 10, vec![Box::new(Scale)]).unwrap_err().to_string();
/// assert_eq!(refused, "layer 1 is given 1 x 2 x 3, of images of 1 x 2 x 3, and needs a vector");
/// let program = Program::new().model::<Scaled>();
/// # let _ = program;
/// ```
pub trait Layer: fmt::Debug + Send + Sync {
    /// What comes out for one sample of this form.
    ///
    /// # Errors
    /// What the layer needs instead, as the end of the sentence "it needs ...".
    fn output(&self, input: Shape) -> Result<Shape, String>;

    /// The parameters in PyTorch's order for an input of this form.
    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let _ = input;
        Vec::new()
    }

    /// Number of channels whose running statistics it keeps, likewise.
    fn tracked(&self, input: Shape) -> usize {
        let _ = input;
        0
    }

    /// Multiplications of one forward pass of one sample; what is not a product of matrices may be left out.
    fn products(&self, input: Shape) -> u64 {
        let _ = input;
        0
    }

    /// Takes the activations of all workers one step on. Parameters are asked of `pass` in the order of [`Self::parameters`].
    /// Both are f32, f64 or bf16. Whether it is for a gradient or for an evaluation says [`Pass::is_training`].
    ///
    /// # Errors
    /// libtorch's.
    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError>;

    /// The layer's arithmetic without libtorch, for an input of this form. A model with a layer that has none runs in libtorch,
    /// as every model with a layer from outside does: [`Kernel`] cannot be implemented there.
    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let _ = input;
        None
    }
}

/// The size that a window leaves of `size` pixels; none where it does not fit once.
fn window(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    Some((size + 2 * padding).checked_sub(kernel)? / stride + 1)
}

/// `size` with both sides mapped by [`window`].
fn windows(
    input: Shape,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<(usize, usize, usize), String> {
    let Shape::Image { channels, height, width } = input else { return Err("an image".into()) };
    match (window(height, kernel, stride, padding), window(width, kernel, stride, padding)) {
        (Some(h), Some(w)) => Ok((channels, h, w)),
        _ => Err(format!("at least {0} x {0} pixels", kernel.saturating_sub(2 * padding))),
    }
}
