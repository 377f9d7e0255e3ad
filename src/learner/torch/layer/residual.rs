//! The residual block.

use tch::{TchError, Tensor};

use super::{BatchNorm, Conv, Kernel, Layer, Parameter, Pass, Relu, Shape};
use crate::learner::torch::kernels::{Chain, ResidualKernel};

/// max(body(x) + shortcut(x), 0); an empty shortcut is x itself.
#[derive(Debug)]
pub struct Residual {
    /// The layers that learn the difference.
    pub body: Vec<Box<dyn Layer>>,
    /// The layers that bring x to the form of the body's output.
    pub shortcut: Vec<Box<dyn Layer>>,
}

impl Residual {
    /// How many times its width a bottleneck gives.
    pub const EXPANSION: usize = 4;

    /// The basic block of He et al. (2016): two 3 x 3 convolutions, each
    /// normalised; where the form changes, the shortcut is a normalised 1 x 1 convolution.
    pub fn basic(channels: usize, out: usize, stride: usize) -> Self {
        let body: Vec<Box<dyn Layer>> = vec![
            Box::new(Conv::plain(out, 3, stride, 1)),
            Box::new(BatchNorm),
            Box::new(Relu),
            Box::new(Conv::plain(out, 3, 1, 1)),
            Box::new(BatchNorm),
        ];
        Self { body, shortcut: Self::shortcut(channels, out, stride) }
    }

    /// The bottleneck of He et al. (2016): a 1 x 1 convolution to `width` channels, one of 3 x 3, which has the stride, and
    /// one of 1 x 1 to four times as many; each normalised, and the shortcut likewise where the form changes.
    pub fn bottleneck(channels: usize, width: usize, stride: usize) -> Self {
        let out = Self::EXPANSION * width;
        let body: Vec<Box<dyn Layer>> = vec![
            Box::new(Conv::plain(width, 1, 1, 0)),
            Box::new(BatchNorm),
            Box::new(Relu),
            Box::new(Conv::plain(width, 3, stride, 1)),
            Box::new(BatchNorm),
            Box::new(Relu),
            Box::new(Conv::plain(out, 1, 1, 0)),
            Box::new(BatchNorm),
        ];
        Self { body, shortcut: Self::shortcut(channels, out, stride) }
    }

    /// Nothing where the form stays, else a normalised 1 x 1 convolution.
    fn shortcut(channels: usize, out: usize, stride: usize) -> Vec<Box<dyn Layer>> {
        if stride == 1 && channels == out {
            return Vec::new();
        }
        vec![Box::new(Conv::plain(out, 1, stride, 0)), Box::new(BatchNorm)]
    }

    /// Every layer inside with the form of its input and its name.
    fn each(
        &self,
        input: Shape,
        mut see: impl FnMut(&dyn Layer, Shape, String),
    ) -> Result<(Shape, Shape), String> {
        let mut ends = [input, input];
        for ((layers, end), name) in
            [&self.body, &self.shortcut].into_iter().zip(&mut ends).zip(["body", "shortcut"])
        {
            for (i, layer) in layers.iter().enumerate() {
                let next = layer.output(*end)?;
                see(layer.as_ref(), *end, format!("{name}.{i}"));
                *end = next;
            }
        }
        Ok((ends[0], ends[1]))
    }

    fn total<T: std::iter::Sum>(&self, input: Shape, of: impl Fn(&dyn Layer, Shape) -> T) -> T {
        let mut all = Vec::new();
        // A misfit is told by `output`, which the model asks first.
        let _ = self.each(input, |layer, input, _| all.push(of(layer, input)));
        all.into_iter().sum()
    }
}

impl Layer for Residual {
    fn output(&self, input: Shape) -> Result<Shape, String> {
        match self.each(input, |_, _, _| ())? {
            (body, shortcut) if body == shortcut => Ok(body),
            (body, shortcut) => Err(format!("a shortcut that gives {body} as the body does, not {shortcut}")),
        }
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let mut all = Vec::new();
        let _ = self.each(input, |layer, input, name| {
            let named = |p: Parameter| Parameter { name: format!("{name}.{}", p.name), ..p };
            all.extend(layer.parameters(input).into_iter().map(named));
        });
        all
    }

    fn tracked(&self, input: Shape) -> usize {
        self.total(input, |layer, input| layer.tracked(input))
    }

    fn products(&self, input: Shape) -> u64 {
        self.total(input, |layer, input| layer.products(input))
    }

    fn forward(&self, x: Tensor, pass: &mut Pass<'_>) -> Result<Tensor, TchError> {
        let body = pass.through(&self.body, x.shallow_clone())?;
        let shortcut = pass.through(&self.shortcut, x)?;
        body.f_add(&shortcut)?.f_relu()
    }

    fn kernel(&self, input: Shape) -> Option<Box<dyn Kernel>> {
        let (body, shortcut) = (Chain::new(&self.body, input)?, Chain::new(&self.shortcut, input)?);
        Some(Box::new(ResidualKernel { body, shortcut }))
    }
}
