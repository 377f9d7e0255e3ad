//! ResNets for small images.

use phalanx_robust::describe::Described;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, ModelError};
use crate::learner::torch::{
    Layer, ModelRule,
    layer::{AvgPool, BatchNorm, Conv, Flatten, Linear, Relu, Residual},
};

/// A kind of residual block: what makes one, of the channels that come in, its width and its stride; and how many times
/// its width it gives.
type Block = (fn(usize, usize, usize) -> Residual, usize);

const BASIC: Block = (Residual::basic, 1);
const BOTTLENECK: Block = (Residual::bottleneck, Residual::EXPANSION);

/// One stage a width, each but the first at half the size.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// A ResNet in its form for CIFAR-10, with so many blocks a stage.
fn resnet(
    (block, expansion): Block,
    blocks: [usize; 4],
    input: [usize; 3],
    classes: usize,
) -> Result<Model, ModelError> {
    let mut layers: Vec<Box<dyn Layer>> =
        vec![Box::new(Conv::plain(WIDTHS[0], 3, 1, 1)), Box::new(BatchNorm), Box::new(Relu)];
    let mut channels = WIDTHS[0];
    for (stage, (width, blocks)) in WIDTHS.into_iter().zip(blocks).enumerate() {
        for at in 0..blocks {
            let stride = if stage > 0 && at == 0 { 2 } else { 1 };
            layers.push(Box::new(block(channels, width, stride)));
            channels = width * expansion;
        }
    }
    layers.extend([
        Box::new(AvgPool { kernel: 4 }) as Box<dyn Layer>,
        Box::new(Flatten),
        Box::new(Linear { out: classes }),
    ]);
    Model::new(input, classes, layers)
}

macro_rules! resnets {
    ($($(#[$text:meta])* $model:ident: $name:literal, $block:ident, $blocks:expr;)*) => {$(
        $(#[$text])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $model {}

        impl Described for $model {
            const NAME: &'static str = $name;
            const SOURCE: &'static str = "He et al., 2016";
        }

        impl ModelRule for $model {
            fn build(&self, input: [usize; 3], classes: usize) -> Result<Model, ModelError> {
                resnet($block, $blocks, input, classes)
            }
        }
    )*};
}

resnets! {
    /// ResNet-18 in its form for CIFAR-10: a 3x3 stem without pooling, eight residual blocks, and a mean over 4x4 pixels.
    ///
    /// 11,173,962 parameters on CIFAR-10.
    Resnet18: "resnet18", BASIC, [2, 2, 2, 2];

    /// ResNet-34 in its form for CIFAR-10: as `resnet18`, with sixteen residual blocks.
    ///
    /// 21,282,122 parameters on CIFAR-10.
    Resnet34: "resnet34", BASIC, [3, 4, 6, 3];

    /// ResNet-50 in its form for CIFAR-10: as `resnet34`, with bottlenecks.
    ///
    /// 23,520,842 parameters on CIFAR-10.
    Resnet50: "resnet50", BOTTLENECK, [3, 4, 6, 3];

    /// ResNet-101 in its form for CIFAR-10: as `resnet50`, with 33 bottlenecks.
    ///
    /// 42,512,970 parameters on CIFAR-10.
    Resnet101: "resnet101", BOTTLENECK, [3, 4, 23, 3];

    /// ResNet-152 in its form for CIFAR-10: as `resnet50`, with fifty bottlenecks.
    ///
    /// 58,156,618 parameters on CIFAR-10.
    Resnet152: "resnet152", BOTTLENECK, [3, 8, 36, 3];
}
