//! A model as a checked list of layers, and the models built in.

mod cnn_cifar;
mod cnn_mnist;
mod empire_cnn;
mod logistic;
mod mlp;
mod resnet;
mod simple_cnn;

pub use cnn_cifar::CnnCifar;
pub use cnn_mnist::CnnMnist;
pub use empire_cnn::EmpireCnn;
pub use logistic::Logistic;
pub use mlp::Mlp;
use phalanx_robust::{describe::ParameterError, random::Stream};
use rand::RngExt;
pub use resnet::{Resnet18, Resnet34, Resnet50, Resnet101, Resnet152};
pub use simple_cnn::SimpleCnn;
use tch::{TchError, Tensor};

use super::{
    Pass,
    kernels::Network,
    layer::{Layer, Parameter, Shape, Start},
};

/// A model that cannot be made for a data set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A value out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A layer does not fit what comes into it.
    #[error("layer {layer} is given {input}, of images of {images}, and needs {needs}")]
    Fit {
        /// The data set's images.
        images: Shape,
        /// Number of the layer, from 1.
        layer: usize,
        /// What comes into it.
        input: Shape,
        /// What it needs.
        needs: String,
    },
    /// The last layer does not give one value a class.
    #[error("the model gives {output} where {classes} classes need as many values")]
    Classes {
        /// What comes out of the last layer.
        output: Shape,
        /// Number of classes.
        classes: usize,
    },
}

/// A network that maps images to one value a class. It holds sizes, not parameters: those are one flat
/// vector, in the order of PyTorch's `parameters()`.
#[derive(Debug)]
pub struct Model {
    layers: Vec<Box<dyn Layer>>,
    input: [usize; 3],
    classes: usize,
    parameters: Vec<Parameter>,
    tracked: usize,
    products: u64,
    /// Those of the first layer with parameters, of whose input no gradient is asked.
    first_products: u64,
    activations: usize,
    network: Option<Network>,
}

impl Model {
    /// The model of these layers for images of `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ModelError::Fit`] and [`ModelError::Classes`].
    pub fn new(input: [usize; 3], classes: usize, layers: Vec<Box<dyn Layer>>) -> Result<Self, ModelError> {
        let images = Shape::Image { channels: input[0], height: input[1], width: input[2] };
        let mut model = Self {
            network: None,
            layers: Vec::new(),
            input,
            classes,
            parameters: Vec::new(),
            tracked: 0,
            products: 0,
            first_products: 0,
            activations: 0,
        };
        let mut shape = images;
        for (i, layer) in layers.iter().enumerate() {
            let fit = |needs| ModelError::Fit { images, layer: i + 1, input: shape, needs };
            let output = layer.output(shape).map_err(fit)?;
            let named = |p: Parameter| Parameter { name: format!("{i}.{}", p.name), ..p };
            if model.parameters.is_empty() {
                model.first_products = layer.products(shape);
            }
            model.parameters.extend(layer.parameters(shape).into_iter().map(named));
            model.tracked += layer.tracked(shape);
            model.products = model.products.saturating_add(layer.products(shape));
            model.activations += output.len();
            shape = output;
        }
        if shape != Shape::Flat(classes) {
            return Err(ModelError::Classes { output: shape, classes });
        }
        model.network = Network::new(&layers, images, classes);
        model.layers = layers;
        Ok(model)
    }

    /// Number of parameters, d.
    pub fn dim(&self) -> usize {
        self.parameters.iter().fold(0, |sum, parameter| sum.saturating_add(parameter.len))
    }

    /// Form of the images, `[channels, height, width]`.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The parameters in the order of the flat vector, with names such as `0.weight`.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of channels with running statistics.
    pub fn tracked(&self) -> usize {
        self.tracked
    }

    /// Multiplications of one forward pass of one sample.
    pub fn products(&self) -> u64 {
        self.products
    }

    /// Floating-point operations of one sample's gradient: two for every multiplication, forward and twice as many
    /// backward, where the first layer with parameters needs none for the gradient at its input. Of a block of layers in
    /// that place, which does need some within, it is a little less than the truth.
    pub fn flops(&self) -> u64 {
        self.products.saturating_mul(6).saturating_sub(2 * self.first_products)
    }

    /// Values that the layers give for one sample, all together.
    pub(super) fn activations(&self) -> usize {
        self.activations
    }

    /// The layers, the first one first.
    pub(super) fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The model without libtorch, if every layer has a kernel.
    pub(super) fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// A start drawn as PyTorch does by default, from `rng` alone.
    pub fn start(&self, rng: &mut Stream) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.dim());
        for parameter in &self.parameters {
            values.extend((0..parameter.len).map(|_| match parameter.start {
                Start::Uniform(bound) => bound * (2.0 * rng.random::<f64>() - 1.0),
                Start::Zeros => 0.0,
                Start::Ones => 1.0,
            }));
        }
        values
    }

    /// Takes images `[b, g * C, H, W]` through all layers to `[g, b, classes]`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        pass.through(&self.layers, x)
    }
}

#[cfg(test)]
mod tests {
    use super::{Logistic, Mlp};
    use crate::learner::torch::ModelRule;

    /// Six operations for each weight, but four for those of the first layer, which gives no gradient back to the images.
    #[test]
    fn operations_are_those_that_a_gradient_takes() {
        let mnist = [1, 28, 28];
        let logistic = Logistic {}.build(mnist, 10).unwrap();
        assert_eq!(logistic.flops(), 4 * 784 * 10);
        let mlp = Mlp { hidden: vec![200, 30] }.build(mnist, 10).unwrap();
        assert_eq!(mlp.flops(), 4 * 784 * 200 + 6 * (200 * 30 + 30 * 10));
    }
}
